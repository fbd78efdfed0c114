"""A device keeps its chip, and its status only moves forward."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hri.errors import PolicyRefusal
from hri.registry import Device, DeviceStatus, Registry


def test_a_device_is_found_by_id_and_by_chip(registry: Registry, device: Device) -> None:
    assert registry.device("dev-1") == registry.device_by_element("0123AB") == device
    assert registry.device("dev-2") is None
    assert registry.device_by_element("ffff") is None


def test_an_update_keeps_what_it_does_not_name(registry: Registry, now: datetime) -> None:
    full = Device("d", "atecc608b", "aa", "active", 2, now, now, "label")
    registry.upsert_device(full)

    again = registry.upsert_device(Device("d", "atecc608b", None, "active", None, now + timedelta(days=1)))

    assert again == full


def test_an_update_changes_what_it_names(registry: Registry, device: Device, now: datetime) -> None:
    changed = replace(device, slot=3, label="x", status="active", last_authenticated_at=now)

    assert registry.upsert_device(changed) == changed


@pytest.mark.parametrize(
    ("was", "new", "becomes"),
    [
        ("provisioning", "active", "active"),
        ("active", "provisioning", "active"),
        ("revoked", "active", "revoked"),
        ("revoked", "provisioning", "revoked"),
        ("active", "revoked", "revoked"),
    ],
)
def test_status_only_moves_forward(
    registry: Registry, now: datetime, was: DeviceStatus, new: DeviceStatus, becomes: DeviceStatus
) -> None:
    registry.upsert_device(Device("d", "atecc608b", None, was, None, now))

    assert registry.upsert_device(Device("d", "atecc608b", None, new, None, now)).status == becomes


def test_a_device_cannot_change_its_chip(registry: Registry, device: Device) -> None:
    with pytest.raises(PolicyRefusal) as refused:
        registry.upsert_device(replace(device, element_serial="ffff"))

    assert refused.value.code == "device-element-conflict"
    assert registry.device("dev-1") == device


def test_a_chip_cannot_be_two_devices(registry: Registry, device: Device) -> None:
    with pytest.raises(PolicyRefusal) as refused:
        registry.upsert_device(replace(device, device_id="dev-2"))

    assert refused.value.code == "element-conflict"
    assert registry.device("dev-2") is None


def test_a_device_registered_without_a_chip_gets_one_later(registry: Registry, now: datetime) -> None:
    registry.upsert_device(Device("d", "atecc608b", None, "provisioning", None, now))
    registry.upsert_device(Device("e", "atecc608b", None, "provisioning", None, now))

    assert registry.upsert_device(Device("d", "atecc608b", "AB", "active", 0, now)).element_serial == "ab"


def test_pages_of_devices_cover_them_all_once(registry: Registry, now: datetime) -> None:
    names = [f"d-{number:02}" for number in range(25)]
    registry.upsert_devices([Device(name, "atecc608b", None, "active", 0, now) for name in names])

    pages = []
    page = registry.devices(limit=10)
    while page:
        pages.append([device.device_id for device in page])
        page = registry.devices(limit=10, after=page[-1].device_id)

    assert [len(page) for page in pages] == [10, 10, 5]
    assert [name for page in pages for name in page] == names


def test_an_authentication_is_noted(registry: Registry, device: Device, now: datetime) -> None:
    registry.record_authentication("dev-1", now=now)

    assert registry.device("dev-1") == replace(device, last_authenticated_at=now)
