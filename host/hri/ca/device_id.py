"""What may be the name of a device."""

from __future__ import annotations

import re

from hri.errors import ConfigurationError

_PATTERN = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9._:-]{0,63}")

# Names of the authority's own parts, and words that tools take for "nothing" or "everything".
RESERVED = frozenset({"all", "ca", "issuing", "localhost", "none", "null", "operator", "root", "unknown"})


def check_device_id(device_id: str) -> str:
    """Return the device id unchanged if it may name a device.

    At most 64 characters, because it becomes the common name (RFC 5280, ub-common-name); only characters that
    mean the same in a URN, a file name and a shell; no leading dot or hyphen.

    Raises ConfigurationError.
    """
    if not _PATTERN.fullmatch(device_id):
        raise ConfigurationError(
            "bad-device-id",
            f"{device_id[:80]!r} cannot be a device id",
            "use 1 to 64 of A-Z a-z 0-9 . _ : - and begin with a letter, a digit, _ or :",
        )
    if device_id.lower() in RESERVED:
        raise ConfigurationError(
            "reserved-device-id", f"the device id {device_id!r} is reserved", "choose another device id"
        )
    return device_id


def device_urn(device_id: str) -> str:
    """Return the URI that every device certificate carries as a subject alternative name."""
    return f"urn:hri:device:{device_id}"
