"""Devices named before they are made: what `auto_enrollment: false` lets through."""

from __future__ import annotations

import re

from hri.audit.entry import Act
from hri.ca.device_id import check_device_id
from hri.context import Context
from hri.errors import ConfigurationError
from hri.registry import Device, require_not_barred

_SERIAL = re.compile(r"[0-9a-f]{18}")


def register_device(context: Context, device_id: str, serial: str | None = None) -> Device:
    """Put a device on record that may be provisioned later; doing it again changes nothing.

    `serial` is the serial number of its chip, 18 hex digits; without one the first chip that is provisioned
    under this name becomes the device's for life.

    Raises ConfigurationError for a bad name or serial number, PolicyRefusal where the name or the chip is
    another device's already.
    """
    check_device_id(device_id)
    if serial is not None:
        serial = serial.strip().lower().removeprefix("0x")
        if not _SERIAL.fullmatch(serial):
            raise ConfigurationError(
                "bad-serial-number",
                f"{serial[:40]!r} is not the serial number of an ATECC608",
                "give its 18 hex digits, as `hri chip info` prints them",
            )
    known = context.registry.device(device_id)
    if known is not None:
        require_not_barred(device_id, known.status)
    if known is not None and serial in (None, known.element_serial):
        return known
    return context.registry.upsert_device(
        Device(device_id, context.config.secure_element.type, serial, "registered", None, context.now()),
        recorded=context.recorded(Act("register", device_id, details={"element": serial or "any"})),
    )
