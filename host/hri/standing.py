"""What the registry says of a certificate: known, in force, revoked. Fresher than any CRL made from it."""

from __future__ import annotations

from hri.registry import Registry, barred
from hri.serial_numbers import serial_text
from hri.verify.cose import MalformedError
from hri.verify.decision import Reason, ReasonCode
from hri.verify.leaf import load_certificate


def standing_reasons(registry: Registry, certificate_der: bytes) -> tuple[Reason, ...]:
    """Return why a certificate (DER) is not in force as far as the registry knows; nothing if it is.

    A certificate that the registry does not know at all cannot be told from a revoked one, so it is refused
    as `revocation-unknown`. Bytes that are no certificate are left to path validation to refuse.
    """
    try:
        serial_number = load_certificate(certificate_der).serial_number
    except MalformedError:
        return ()
    if serial_number <= 0:
        # No certificate of ours, and none that the registry could find (RFC 5280 section 4.1.2.2).
        return (Reason(ReasonCode.REVOCATION_UNKNOWN, "its serial number is not a positive one"),)
    record = registry.certificate(serial_number)
    if record is None or record.der != certificate_der:
        return (
            Reason(
                ReasonCode.REVOCATION_UNKNOWN,
                f"certificate {serial_text(serial_number)} is not in this registry: its standing is unknown",
            ),
        )
    if record.state in ("revoked", "superseded"):
        why = f", {record.reason}" if record.reason else ""
        return (
            Reason(ReasonCode.REVOKED, f"certificate {serial_text(serial_number)} is {record.state}{why}"),
        )
    device = registry.device(record.device_id)
    refusal = None if device is None else barred(record.device_id, device.status)
    return () if refusal is None else (Reason(ReasonCode.REVOKED, refusal.message),)
