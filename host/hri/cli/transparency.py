"""`hri log`: the Merkle log of every certificate."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from hri.audit.entry import Act
from hri.audit.recorder import LogKeys
from hri.ca.authority import Authority
from hri.ca.files import read_input
from hri.ca.log_keys import LogVerifiers, log_verifiers
from hri.cli.log_report import give_findings
from hri.cli.state import State, state_of
from hri.context import utc_now
from hri.errors import ConfigurationError
from hri.finding import Finding
from hri.log_check import verify_log
from hri.log_export import export_log
from hri.log_monitor import MAX_DELAY, monitor_certificate, monitor_registry

app = typer.Typer(help="The Merkle log of every certificate (docs/log.md).", no_args_is_help=True)

CheckpointOption = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", metavar="FILE", help="A checkpoint kept elsewhere; may be repeated."),
]


@app.command()
def verify(context: typer.Context, checkpoint: CheckpointOption = None) -> None:
    """Compute the whole tree again and find what was edited, removed, reordered or added."""
    state = state_of(context)
    state.home.require_authority()
    keys = log_verifiers(state.home.path)
    with state.home.registry() as registry:
        report = verify_log(registry, None if keys is None else keys.certificates, notes(checkpoint))
    document = {"size": report.size, "root": report.root.hex(), "pending": report.pending}
    words = f"{report.size} certificates in the log, {report.pending} wait for their place"
    raise typer.Exit(give_findings(state.output, report.findings, document, words))


@app.command()
def checkpoint(context: typer.Context) -> None:
    """Print the signed tree head, to be kept elsewhere."""
    state = state_of(context)
    state.home.require_authority()
    with state.home.registry() as registry:
        note = registry.log_head().checkpoint
        if registry.pending():
            note = None
    if note is None:
        with state.context(unlocked=True) as opened:
            opened.registry.sequence(opened_keys(opened.recorder.keys).certificates)
            note = opened.registry.log_head().checkpoint or ""
    give_note(state, note)


@app.command()
def sequence(context: typer.Context) -> None:
    """Give every certificate that waits its place in the log, and sign the new tree head."""
    state = state_of(context)
    with state.context(unlocked=True) as opened:
        count = opened.registry.sequence(opened_keys(opened.recorder.keys).certificates)
        size = opened.registry.log_head().size
    state.output.result(
        {"sequenced": count, "size": size}, f"{count} certificates got their places; the log has {size}"
    )


@app.command()
def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that a web server or CDN serves.")],
) -> None:
    """Write the log as static files (C2SP tlog-tiles); only what the folder lacks."""
    state = state_of(context)
    state.home.require_authority()
    with state.home.registry() as registry:
        done = export_log(registry, required_keys(state).certificates, folder)
    state.output.result(
        {"folder": str(folder), "since": done.since, "size": done.size, "files": done.files},
        f"log of {done.size} certificates in {folder}: {done.files} files written, {done.since} "
        "certificates were there",
    )


@app.command()
def monitor(
    context: typer.Context,
    cert: Annotated[
        Path | None, typer.Option(help="A certificate that turned up somewhere, PEM or DER: is it logged?")
    ] = None,
    max_delay: Annotated[
        int, typer.Option(min=0, metavar="SECONDS", help="How long a certificate may wait for its place.")
    ] = int(MAX_DELAY.total_seconds()),
) -> None:
    """Find certificates that were issued and not logged, and entries without an issuance."""
    state = state_of(context)
    state.home.require_authority()
    if cert is not None:
        raise typer.Exit(_monitor_certificate(state, cert))
    with state.home.registry() as registry:
        findings = monitor_registry(registry, utc_now(), timedelta(seconds=max_delay))
        size = registry.log_head().size
    words = f"{size} certificates in the log, each issued here, and every certificate issued here"
    raise typer.Exit(give_findings(state.output, findings, {"size": size}, words))


@app.command()
def begin(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why: for example, the registry was moved to a new database.")],
) -> None:
    """Sign both logs as they are, in a database in which this home's keys have signed nothing yet."""
    state = state_of(context)
    with state.home.context(unlocked=True, logs_anew=True) as opened:
        opened.record(Act("logs-begun", reason=reason))
        size = opened.registry.log_head().size
    state.output.result({"size": size}, f"both logs are signed as they are, with {size} certificates")


@app.command()
def key(context: typer.Context) -> None:
    """Print the verifier keys of both logs, for whoever is to check checkpoints."""
    state = state_of(context)
    state.home.require_authority()
    keys = required_keys(state)
    found = {"certificates": keys.certificates.to_text(), "audit": keys.audit.to_text()}
    state.output.result(found, *found.values())


def notes(paths: list[Path] | None) -> list[str]:
    """Return the texts of checkpoint files; raises ConfigurationError where one cannot be read."""
    return [read_input(path, "the checkpoint").decode("utf-8", "replace") for path in paths or ()]


def required_keys(state: State) -> LogVerifiers:
    """Return the public keys of both logs; raises ConfigurationError where there are none yet."""
    keys = log_verifiers(state.home.path)
    if keys is None:
        raise ConfigurationError(
            "no-log-keys",
            f"the logs in {state.home.path} have no keys yet",
            "`hri log sequence` makes them and signs what is there",
        )
    return keys


def opened_keys(keys: LogKeys | None) -> LogKeys:
    """Return the signing keys, which an unlocked home has."""
    if keys is None:
        raise ConfigurationError("ca-locked", "the keys of the logs are not open", "give the CA passphrase")
    return keys


def give_note(state: State, note: str) -> None:
    """Print a checkpoint as it is, or in a document."""
    if state.output.as_json:
        state.output.json({"checkpoint": note})
    else:
        state.output.raw(note)


def _monitor_certificate(state: State, path: Path) -> int:
    data = read_input(path, "the certificate file")
    try:
        pem = b"-----BEGIN" in data
        found = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise ConfigurationError(
            "no-certificates", f"{path} holds no certificate", "give one in PEM or DER"
        ) from error
    issuing = Authority.open_public(state.home.path).issuing
    with state.home.registry() as registry:
        answer = monitor_certificate(registry, required_keys(state).certificates, found, issuing)
    if isinstance(answer, Finding):
        return give_findings(state.output, [answer], {}, "")
    document = {
        "index": answer.index,
        "proof": [step.hex() for step in answer.proof],
        "checkpoint": answer.checkpoint,
    }
    return give_findings(state.output, [], document, f"the certificate is entry {answer.index} of the log")
