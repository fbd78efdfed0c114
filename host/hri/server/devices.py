"""Devices: list, show, revoke."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from hri import lifecycle
from hri.registry import Device, DeviceFilter, DeviceStatus
from hri.serial_numbers import serial_text
from hri.server.bodies import Body, DeviceId, DevicePath, Text
from hri.server.service import CallerOf, ServiceOf

router = APIRouter(prefix="/v1/devices", tags=["devices"])
_PAGE = 100


class Revocation(Body):
    """Why a device is revoked: a name of RFC 5280 section 5.3.1."""

    reason: Text


class Wanted(Body):
    """Which devices: all of what is given has to hold (docs/registry.md)."""

    status: DeviceStatus | None = None
    owner: Text | None = None
    label: Text | None = None
    element_type: Text | None = None
    prefix: DeviceId | None = None
    element_prefix: Annotated[str, Field(pattern="^[0-9a-f]{1,18}$")] | None = None
    expiring_within: Annotated[int, Field(ge=0, le=36500)] | None = None
    not_seen_for: Annotated[int, Field(ge=0, le=36500)] | None = None
    never_seen: bool = False
    limit: Annotated[int, Field(ge=1, le=1000)] = _PAGE
    after: Annotated[str, Field(min_length=1, max_length=128)] | None = None

    def filter(self, now: datetime) -> DeviceFilter:
        """Return what the registry is asked for; days count from now."""
        until = None if self.expiring_within is None else now + timedelta(days=self.expiring_within)
        since = None if self.not_seen_for is None else now - timedelta(days=self.not_seen_for)
        return DeviceFilter(
            status=self.status,
            owner=self.owner,
            label=self.label,
            element_type=self.element_type,
            id_prefix=self.prefix,
            element_prefix=self.element_prefix,
            ends_before=until,
            not_seen_since=since,
            never_seen=self.never_seen,
        )


@router.get("")
def list_devices(service: ServiceOf, wanted: Annotated[Wanted, Query()]) -> dict[str, Any]:
    """List devices a page at a time; `next` is the `after` of the next page, null on the last.

    `expiring_within` and `not_seen_for` are days; `prefix` and `element_prefix` how an id and a chip's serial
    number (hex) begin.
    """
    context = service.context
    page = context.registry.find_devices(wanted.filter(context.now()), limit=wanted.limit, after=wanted.after)
    return {"devices": [_summary(device) for device in page.devices], "next": page.next}


@router.get("/{device_id}")
def show_device(service: ServiceOf, device_id: DevicePath) -> dict[str, Any]:
    """Everything on record about a device, its births appraised again."""
    return dict(lifecycle.device_report(service.context, device_id))


@router.post("/{device_id}/revoke")
def revoke_device(
    service: ServiceOf, caller: CallerOf, device_id: DevicePath, body: Revocation
) -> dict[str, Any]:
    """Revoke a device for good, with its certificates, and publish the list; again changes nothing."""
    listed = lifecycle.revoke(service.acting(caller), device_id, body.reason, service.crl_folder)
    service.forget_standing()
    return {
        "device_id": device_id,
        "reason": body.reason,
        "certificates": [serial_text(record.serial_number) for record in listed],
    }


def _summary(device: Device) -> dict[str, Any]:
    last = device.last_authenticated_at
    return {
        "device_id": device.device_id,
        "status": device.status,
        "element": {"type": device.element_type, "serial_number": device.element_serial},
        "label": device.label,
        "owner": device.owner,
        "last_authenticated_at": None if last is None else last.isoformat(),
    }
