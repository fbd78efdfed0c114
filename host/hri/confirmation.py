"""A certificate is confirmed by the first authentication with it; what it replaces ends then, not before."""

from __future__ import annotations

from hri.context import Context
from hri.errors import PolicyRefusal
from hri.log import get_logger
from hri.serial_numbers import serial_text
from hri.verify.leaf import load_certificate

_log = get_logger(__name__)


def confirm(context: Context, certificate: bytes) -> None:
    """Make a certificate (DER), with which its device just authenticated, the active one.

    So a renewal or rotation whose host was killed after the board had its new certificate is finished by any
    authentication that follows. One that is active already stays so. Raises StorageError.
    """
    serial_number = load_certificate(certificate).serial_number
    record = context.registry.certificate(serial_number)
    if record is None or record.der != certificate or record.state != "issued":
        return
    try:
        context.registry.activate(serial_number, context.now())
    except PolicyRefusal as refusal:
        # The device is who it says it is; that its certificate takes no other's place is told apart.
        _log.warning("certificate not confirmed", certificate=serial_text(serial_number), why=refusal.message)
