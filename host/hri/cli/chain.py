"""`hri chip chain`: the certificates that a chip came with."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

import typer

from hri.ca.files import disk_errors
from hri.chip_chain import load_roots, read_chain
from hri.cli.state import PortOption, state_of
from hri.compressed import load_template
from hri.context import utc_now


def chain(
    context: typer.Context,
    roots: Annotated[Path, typer.Option(metavar="FILE", help="The roots that you trust, PEM.")],
    port: PortOption = None,
    pem: Annotated[bool, typer.Option("--pem", help="Print the certificates too.")] = False,
    template: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A certificate template of your own, YAML; may be repeated."),
    ] = None,
) -> None:
    """Read a TNGTLS, TrustFLEX or hri chip's certificates, verify them and challenge its key."""
    state = state_of(context)
    with disk_errors(roots):
        trusted = load_roots(roots.read_bytes())
    own = [load_template(path) for path in template or ()]
    with state.connected(port) as connect:
        found = read_chain(connect(), trusted, at=utc_now(), templates=own)
    certificates = [_pem(der) for der in found.certificates]
    if state.output.as_json:
        document = {
            **found.decision.as_dict(),
            "variant": found.variant,
            "templates": list(found.templates),
            "certificates": certificates,
        }
        state.output.json(document)
        raise typer.Exit(0 if found.decision else 1)
    status = state.output.decision(found.decision, f"{found.variant} chip")
    for name in found.decision.evidence.get("chain", ()):
        state.output.out.print(f"  {name}", markup=False)
    if found.decision:
        state.output.note("  its key has answered a fresh challenge")
    if pem:
        state.output.raw("".join(certificates))
    raise typer.Exit(status)


def _pem(der: bytes) -> str:
    text = base64.b64encode(der).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
