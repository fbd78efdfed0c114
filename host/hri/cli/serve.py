"""`hri serve`: the HTTP server, and tokens for those who call it."""

from __future__ import annotations

import hashlib
import secrets
from enum import StrEnum
from typing import Annotated

import typer

from hri.cli.state import state_of
from hri.errors import ConfigurationError

_TOKEN_BYTES = 32

app = typer.Typer(
    help="Serve EST, OCSP, revocation lists, the log and the API over HTTP; see docs/server.md.",
    invoke_without_command=True,
)


class RoleChoice(StrEnum):
    """The roles that a token can have."""

    operator = "operator"
    registration_authority = "registration-authority"
    auditor = "auditor"
    admin = "admin"


@app.callback()
def serve(
    context: typer.Context,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to listen (default: server.listen).")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plain HTTP beyond this machine, behind a TLS proxy.")
    ] = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are answered first."""
    if context.invoked_subcommand is not None:
        return
    state = state_of(context)
    try:
        from hri.server.run import Address
        from hri.server.run import serve as serve_home
    except ImportError as error:
        raise ConfigurationError(
            "no-server", f"the server's parts are not installed ({error.name})", "pip install 'hri[server]'"
        ) from error
    state.home.require_authority()
    for warning in state.home.config().warnings:
        state.output.warning(warning)

    def started(address: Address, url: str) -> None:
        state.output.result({"url": url, "host": address.host, "port": address.port}, f"serving on {url}")

    serve_home(state.home, listen=listen, insecure=insecure, on_started=started)


@app.command()
def token(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Whose it is, as logs name them.")],
    role: Annotated[RoleChoice, typer.Option(help="What it allows.")],
) -> None:
    """Make a token of 256 bits: it is printed once, and only its SHA-256 goes into the configuration."""
    made = secrets.token_urlsafe(_TOKEN_BYTES)
    digest = hashlib.sha256(made.encode()).hexdigest()
    entry = f"- {{name: {name}, role: {role.value}, sha256: {digest}}}"
    state_of(context).output.result(
        {"token": made, "name": name, "role": role.value, "sha256": digest, "yaml": entry},
        made,
        "it is not shown again; below identity.server.tokens in config.yaml:",
        f"      {entry}",
    )
