"""`hri crl` and `hri ocsp`: what is published, so that anybody can tell who is still trusted."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives import hashes

from hri.cli.state import state_of
from hri.publication import OcspKeys, produce_ocsp, publish_crls

_CLOCK = "Accept dates before those of what is there, signed under a wrong clock."


class HashName(StrEnum):
    """How a client names the issuer in an OCSP request."""

    sha1 = "sha1"
    sha256 = "sha256"


_ALGORITHMS: dict[HashName, hashes.HashAlgorithm] = {
    HashName.sha1: hashes.SHA1(),  # noqa: S303 - names an issuer, proves nothing
    HashName.sha256: hashes.SHA256(),
}

crl_app = typer.Typer(help="Revocation lists.", no_args_is_help=True)
ocsp_app = typer.Typer(help="Answers about single certificates.", no_args_is_help=True)


@crl_app.command()
def publish(
    context: typer.Context,
    due: Annotated[
        bool, typer.Option("--due", help="Only what ends soon, or says something else than the registry.")
    ] = False,
    clock_was_ahead: Annotated[bool, typer.Option(help=_CLOCK)] = False,
) -> None:
    """Sign and write the revocation lists: the full one, and every shard in use."""
    state = state_of(context)
    folder = state.home.crl_path().parent
    with state.context(unlocked=True) as opened:
        written = publish_crls(opened, folder, only_due=due, clock_was_ahead=clock_was_ahead)
    state.output.result(
        {"folder": str(folder), "written": list(written)},
        f"{len(written)} revocation lists written to {folder}" if written else "no revocation list is due",
        *(f"  {name}" for name in written),
    )


@ocsp_app.command()
def produce(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that a web server serves.")],
    hash_: Annotated[
        list[HashName] | None,
        typer.Option("--hash", help="How clients name the issuer; may be repeated (default: sha1)."),
    ] = None,
    clock_was_ahead: Annotated[bool, typer.Option(help=_CLOCK)] = False,
) -> None:
    """Make OCSP answers ahead, one file a certificate, and replace those that change or end soon."""
    state = state_of(context)
    with state.context(unlocked=True) as opened:
        done = produce_ocsp(
            opened,
            OcspKeys(state.home.ocsp_folder(), opened.passphrase_beside("ocsp")),
            folder,
            algorithms=[_ALGORITHMS[name] for name in dict.fromkeys(hash_ or [HashName.sha1])],
            clock_was_ahead=clock_was_ahead,
        )
    state.output.result(
        {"folder": str(folder), "written": done.written, "kept": done.kept, "removed": done.removed},
        f"OCSP answers in {folder}: {done.written} written, {done.kept} still good, {done.removed} removed",
    )
