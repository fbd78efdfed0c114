"""`hri backup`, `hri restore` and `hri log replay`: a home saved, put back, and brought up to its own log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hri.audit.entry import Act
from hri.audit.recorder import Recorder
from hri.backup import DATABASE, Backup, make_backup, restore_backup
from hri.ca.files import read_input
from hri.ca.hierarchy import Hierarchy
from hri.ca.log_keys import log_verifiers
from hri.cli.state import State, state_of
from hri.cli.transparency import CheckpointOption, notes
from hri.context import utc_now
from hri.errors import ConfigurationError
from hri.home import process_actor
from hri.log_replay import published_since, replay_log
from hri.registry import Recorded, Registry, Replayed, registry_location

_MAX_LIST = 256 << 20

CrlOption = Annotated[
    list[Path] | None,
    typer.Option("--crl", metavar="FILE", help="A list that was published since; may be repeated."),
]


def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder to save in.")],
) -> None:
    """Save keys, configuration, lists and the SQLite registry, while others go on working."""
    state = state_of(context)
    state.home.require_authority()
    inside = registry_location(state.home.path, state.home.environ) == state.home.path / DATABASE
    if inside:
        # Brought to this version first, and made where it never was.
        state.home.registry().close()
    saved = make_backup(state.home.path, folder, utc_now(), database=inside)
    elsewhere = () if inside else ("the registry is not in it: pg_dump it BEFORE this (docs/backup.md)",)
    state.output.result(
        {"folder": str(folder), "files": len(saved.files), "database": saved.database},
        f"{len(saved.files)} files in {folder}",
        *elsewhere,
    )


def restore(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `hri backup` made.")],
    log: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The log as exported last: what was issued since.")
    ] = None,
    crl: CrlOption = None,
    checkpoint: CheckpointOption = None,
    without_log: Annotated[
        str | None, typer.Option(metavar="REASON", help="Why there is no exported log to be had.")
    ] = None,
) -> None:
    """Make a home of a backup and put on record again what was issued and revoked since."""
    state = state_of(context)
    done: list[Replayed] = []

    def complete(draft: Path, saved: Backup) -> None:
        if not saved.database:
            if log is not None:
                raise ConfigurationError(
                    "no-database",
                    "the registry is not in this backup",
                    "restore without --log, put the database back, then `hri log replay`",
                )
            return
        with Registry.open(draft / DATABASE) as registry:
            if log is not None:
                done.append(_replay(draft, registry, log, crl, checkpoint))
            elif without_log and without_log.strip():
                act = Act("restore", reason=without_log, details={"made_at": saved.made_at})
                registry.record_acts(Recorded(Recorder(process_actor()), (act,)), utc_now())
            else:
                raise ConfigurationError(
                    "no-log",
                    "what was issued since the backup would be unknown",
                    "give the exported log with --log, or a reason with --without-log",
                )

    saved = restore_backup(folder, state.home.path, complete)
    document: dict[str, Any] = {"home": str(state.home.path), "made_at": saved.made_at}
    words = f"{state.home.path} is as it was at {saved.made_at[:19]}"
    _give(state, done[0] if done else None, document, words)


def replay(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The log as `hri log export` wrote it.")],
    crl: CrlOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """Put on record again what the exported log has and a registry that was set back has not."""
    state = state_of(context)
    state.home.require_authority()
    with state.home.registry() as registry:
        done = _replay(state.home.path, registry, folder, crl, checkpoint)
    _give(state, done, {}, "the registry is brought up to its log")


def _replay(
    home: Path,
    registry: Registry,
    folder: Path,
    lists: Sequence[Path] | None,
    kept: list[Path] | None,
) -> Replayed:
    keys = log_verifiers(home)
    if keys is None:
        raise ConfigurationError(
            "no-log-keys", "the logs of this home never had keys", "restore a backup that was made later"
        )
    read = [read_input(path, "the revocation list", limit=_MAX_LIST) for path in lists or ()]
    issuers = [ca.certificate for ca in Hierarchy.read(home).cas]
    return replay_log(
        registry,
        keys.certificates,
        folder,
        utc_now(),
        lists=published_since(read, issuers),
        kept=notes(kept),
        recorder=Recorder(process_actor()),
    )


def _give(state: State, done: Replayed | None, document: dict[str, Any], words: str) -> None:
    if done is None:
        state.output.result(document, words)
        return
    counted = {
        "since": done.since,
        "size": done.size,
        "certificates": done.certificates,
        "devices": done.devices,
        "revocations": done.revocations,
    }
    state.output.result(
        {**document, **counted},
        words,
        f"log: {done.since} certificates were there, {done.certificates} came from the export, of "
        f"{done.devices} devices that were not on record",
        f"lists: {done.revocations} revocations taken over; publish new ones with `hri crl publish`",
    )
