"""Devices: list, show, revoke."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from hri import lifecycle
from hri.registry import Device
from hri.serial_numbers import serial_text
from hri.server.bodies import Body, DeviceId, DevicePath, Text
from hri.server.service import CallerOf, ServiceOf

router = APIRouter(prefix="/v1/devices", tags=["devices"])
_PAGE = 100


class Revocation(Body):
    """Why a device is revoked: a name of RFC 5280 section 5.3.1."""

    reason: Text


@router.get("")
def list_devices(
    service: ServiceOf,
    limit: Annotated[int, Query(ge=1, le=1000)] = _PAGE,
    after: Annotated[DeviceId | None, Query(description="Begin behind this device id.")] = None,
) -> dict[str, Any]:
    """List devices in the order of their ids; `next` is the `after` of the next page, null on the last."""
    found = service.context.registry.devices(limit + 1, after)
    page = found[:limit]
    return {
        "devices": [_summary(device) for device in page],
        "next": page[-1].device_id if len(found) > limit else None,
    }


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
        "last_authenticated_at": None if last is None else last.isoformat(),
    }
