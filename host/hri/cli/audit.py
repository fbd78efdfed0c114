"""`hri audit`: who did what, when, why, and is the record of it whole?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from hri.audit.chain import StoredEntry
from hri.audit.entry import Entry
from hri.audit_check import verify_audit
from hri.ca.log_keys import log_verifiers
from hri.cli.log_report import give_findings
from hri.cli.state import state_of
from hri.cli.transparency import CheckpointOption, give_note, notes, opened_keys

app = typer.Typer(help="The audit log: every act, who did it and why (docs/log.md).", no_args_is_help=True)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@app.command()
def verify(context: typer.Context, checkpoint: CheckpointOption = None) -> None:
    """Check every entry and find what was edited, removed, reordered or added."""
    state = state_of(context)
    state.home.require_authority()
    keys = log_verifiers(state.home.path)
    with state.home.registry() as registry:
        report = verify_audit(registry, None if keys is None else keys.audit, notes(checkpoint))
    unsigned = report.size - report.signed
    document = {"size": report.size, "unsigned": unsigned}
    words = f"{report.size} entries, of which the last {unsigned} are not signed over yet"
    raise typer.Exit(give_findings(state.output, report.findings, document, words))


@app.command("list")
def list_entries(
    context: typer.Context,
    since: Annotated[
        datetime | None,
        typer.Option(formats=_TIMES, metavar="TIME", help="ISO 8601 time, UTC where no zone is given."),
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="ID", help="Only of this device.")] = None,
    after: Annotated[int | None, typer.Option(metavar="NUMBER", help="Begin behind this entry.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
) -> None:
    """List acts in their order."""
    state = state_of(context)
    state.home.require_authority()
    begin = since if since is None or since.tzinfo else since.replace(tzinfo=UTC)
    with state.home.registry() as registry:
        found = registry.audit_entries(since=begin, subject=device, after=after)
        entries = [_document(row) for row, _ in zip(found, range(limit), strict=False)]
    if state.output.as_json:
        state.output.json({"entries": entries})
        return
    headings = ("number", "time (UTC)", "actor", "act", "subject", "outcome", "reason", "details")
    state.output.table(headings, [tuple(_cells(entry)) for entry in entries])


@app.command()
def checkpoint(context: typer.Context) -> None:
    """Print the signed end of the audit log, to be kept elsewhere."""
    state = state_of(context)
    with state.context(unlocked=True) as opened:
        head = opened.registry.sign_audit(opened_keys(opened.recorder.keys).audit)
    give_note(state, head.checkpoint or "")


def _document(row: StoredEntry) -> dict[str, Any]:
    try:
        entry = Entry.from_bytes(row.entry)
    except ValueError:
        return {"number": row.number, "act": row.act, "subject": row.subject, "damaged": True}
    return {
        "number": row.number,
        "at": (_EPOCH + timedelta(microseconds=entry.at)).isoformat(),
        "actor": entry.actor,
        "act": entry.act.act,
        "subject": entry.act.subject,
        "outcome": entry.act.outcome,
        "reason": entry.act.reason,
        "details": _plain(entry.act.details),
    }


def _cells(entry: Mapping[str, Any]) -> Iterator[str]:
    yield str(entry["number"])
    if entry.get("damaged"):
        yield from ("", "", str(entry["act"]), str(entry["subject"] or ""), "damaged", "", "")
        return
    yield str(entry["at"])[:19].replace("T", " ")
    for name in ("actor", "act", "subject", "outcome", "reason"):
        yield str(entry[name] or "")
    yield ", ".join(f"{name} {value}" for name, value in entry["details"].items())


def _plain(value: Any) -> Any:
    """Return a value as JSON can carry it: bytes in hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
