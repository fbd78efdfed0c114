"""What the status of a device means for those who want to do something with it."""

from __future__ import annotations

from hri.errors import PolicyRefusal
from hri.registry.records import DeviceStatus

STATUSES: tuple[DeviceStatus, ...] = (
    "registered",
    "provisioning",
    "active",
    "suspended",
    "transferred",
    "revoked",
    "decommissioned",
)
"""In the order in which provisioning and enrolment may only move forward."""

_BARRED = {
    "suspended": ("is suspended", "`hri resume` it first"),
    "transferred": (
        "belongs to somebody else",
        "`hri transfer` it back first, where this authority's owner has it again",
    ),
    "revoked": ("is revoked and gets no certificate again", "give a new chip a new device id"),
    "decommissioned": ("is decommissioned and gets no certificate again", "give a new chip a new device id"),
}


def barred(device_id: str, status: str) -> PolicyRefusal | None:
    """Return why a device of this status is not trusted and gets no certificate, None where it may be."""
    found = _BARRED.get(status)
    if found is None:
        return None
    what, hint = found
    return PolicyRefusal(f"device-{status}", f"the device {device_id} {what}", hint)


def require_not_barred(device_id: str, status: str) -> None:
    """Raise PolicyRefusal for a device that is not trusted, and gets no certificate."""
    refusal = barred(device_id, status)
    if refusal is not None:
        raise refusal
