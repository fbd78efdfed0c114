"""`hri verify`: is this certificate good, here and now?"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hri.ca.files import read_input
from hri.cli.state import state_of
from hri.context import utc_now
from hri.errors import ConfigurationError
from hri.lifecycle import check_certificate
from hri.verify.decision import Decision, Reason, ReasonCode
from hri.verify.path import Purpose


class PurposeName(StrEnum):
    """What a certificate is presented for."""

    client = "client"
    server = "server"


def verify(
    context: typer.Context,
    cert: Annotated[Path, typer.Option(help="The certificate, PEM or DER.")],
    chain: Annotated[
        Path | None, typer.Option(help="Certificates between it and the root, PEM (default: our own).")
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601 time, UTC (default: now).")] = None,
    purpose: Annotated[PurposeName, typer.Option(help="What it is presented for.")] = PurposeName.client,
) -> None:
    """Decide whether a certificate counts: path, purpose, validity, and what the registry says of it."""
    state = state_of(context)
    moment = _moment(at)
    leaf = _certificates(cert)
    between = _certificates(chain) if chain else []
    if chain and not between:
        raise ConfigurationError(
            "no-certificates", f"{chain} holds no certificate", "give PEM, or leave --chain out for our own"
        )
    if not leaf:
        reason = Reason(ReasonCode.MALFORMED, f"{cert} holds no certificate")
        raise typer.Exit(state.output.decision(Decision(False, None, (reason,)), str(cert)))
    with state.context(unlocked=False) as opened:
        decision = check_certificate(
            opened, leaf[0], tuple(leaf[1:] + between), at=moment, purpose=Purpose[purpose.value.upper()]
        )
    status = state.output.decision(decision, decision.device_id or str(cert))
    if decision and decision.evidence.get("unattested"):
        state.output.note(f"  its key is of unknown origin, issued for: {decision.evidence['unattested']}")
    raise typer.Exit(status)


def _moment(text: str | None) -> datetime:
    if text is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            "bad-time", f"{text!r} is not a time", "write 2026-12-31T23:59:59Z"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _certificates(path: Path) -> list[bytes]:
    """Return the certificates of a file as DER; what is not PEM is taken for one in DER."""
    data = read_input(path, "the certificate file")
    try:
        if b"-----BEGIN" not in data:
            return [x509.load_der_x509_certificate(data).public_bytes(Encoding.DER)]
        return [
            certificate.public_bytes(Encoding.DER) for certificate in x509.load_pem_x509_certificates(data)
        ]
    except ValueError:
        return []
