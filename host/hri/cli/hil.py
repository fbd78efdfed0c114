"""`hri hil`: reports of tests on boards: the key that signs them, and whether one can be believed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hri.ca.files import read_input
from hri.cli.state import state_of
from hri.testing.report.check import check_report
from hri.testing.report.signature import PASSPHRASE_VARIABLE, make_key, public_pem, read_public, spki_sha256

app = typer.Typer(help="Reports of tests on boards (pytest --hri-report).", no_args_is_help=True)


@app.command()
def key(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the private key goes; a new file.")],
) -> None:
    """Make a key that signs reports; its public half, for `hri hil verify`, goes to standard output."""
    output = state_of(context).output
    public = make_key(out, os.environ)
    if output.as_json:
        output.json({"file": str(out), "spki_sha256": spki_sha256(public), "public_key": public_pem(public)})
        return
    output.raw(public_pem(public))
    output.note(
        f"private key in {out}, readable by you alone; its public key's SHA-256: {spki_sha256(public)}"
    )
    if not os.environ.get(PASSPHRASE_VARIABLE):
        output.note(f"it is not encrypted: set {PASSPHRASE_VARIABLE} before, to have it so")


@app.command()
def verify(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that --hri-report wrote.")],
    key: Annotated[
        Path | None,
        typer.Option(metavar="PUBLIC.pem", help="The key that you expect, as `hri hil key` printed it."),
    ] = None,
) -> None:
    """Is the report whole, and signed? Exit status 0 yes, 1 no with the reason, 2 no report to be read."""
    output = state_of(context).output
    public = read_public(read_input(key, "the public key"), str(key)) if key else None
    verdict = check_report(folder, public)
    document = {
        "intact": bool(verdict),
        "signer": verdict.signer,
        "signer_expected": verdict.known,
        "reasons": [{"code": reason.code.value, "detail": reason.detail} for reason in verdict.reasons],
        "totals": verdict.totals,
    }
    words = ["intact" if verdict else "not to be relied on"]
    words += [f"  {reason.code.value}: {reason.detail}" for reason in verdict.reasons]
    if verdict:
        words.append(f"  signed by the key {verdict.signer}")
        words += [] if verdict.known else ["  whose key that is the report cannot prove: give --key"]
    output.result(document, *words)
    if not verdict:
        raise typer.Exit(1)
