"""A million devices are searched by index, whatever is asked, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hri.errors import ConfigurationError
from hri.registry import CertificateRecord, Device, DeviceFilter, Registry
from hri.registry.bulk import insert_rows
from hri.registry.database import to_micros
from hri.registry.device_search import search_of
from hri.registry.schema import certificate, device
from sqlalchemy import text

_MANY = 5000
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
# A filter, and which index answers it, by its name in PostgreSQL.
_ASKED = {
    "everything": (DeviceFilter(), "device_pkey"),
    "status": (DeviceFilter(status="revoked"), "device_status"),
    "owner": (DeviceFilter(owner="owner-7"), "device_owner"),
    "label": (DeviceFilter(label="label-7"), "device_label"),
    "element_type": (DeviceFilter(element_type="se050"), "device_element_type"),
    "id_prefix": (DeviceFilter(id_prefix="dev-00004"), "device_pkey"),
    "element_prefix": (DeviceFilter(element_prefix="0123000000000047"), "device_element_serial_key"),
    "ends_before": (DeviceFilter(ends_before=_BEGIN + timedelta(minutes=20)), "certificate_ends"),
    "not_seen_since": (DeviceFilter(not_seen_since=_BEGIN + timedelta(minutes=20)), "device_seen"),
    "never_seen": (DeviceFilter(never_seen=True), "device_seen"),
}

_SQLITE = {
    "device_pkey": "sqlite_autoindex_device_1",
    "device_element_serial_key": "sqlite_autoindex_device_2",
}


def _fill(registry: Registry) -> None:
    """Put devices on record of which every filter chooses few, and gather what the planner wants to know."""
    devices, certificates = [], []
    for number in range(_MANY):
        few = number % 100 == 0
        moment = to_micros(_BEGIN + timedelta(minutes=number))
        name = f"dev-{number:06}"
        devices.append(
            {
                "device_id": name,
                "element_type": "se050" if few else "atecc608b",
                "element_serial": f"0123{number:014}",
                "status": "revoked" if few else "active",
                "slot": 0,
                "created_at": 0,
                "last_authenticated_at": None if number % 500 == 0 else moment,
                "label": f"label-{number % 90}",
                "owner": f"owner-{number % 90}",
            }
        )
        plain: dict[str, Any] = {column.name: None for column in certificate.columns}
        times = {"issued_at": 0, "not_before": 0, "not_after": moment}
        said = {"serial_number": f"{number:040x}", "device_id": name, "state": "active", "evidence": ""}
        hashed = {"der": b"", "public_key_sha256": f"{number:064x}", "before_log": False}
        certificates.append({**plain, **times, **said, **hashed})
    with registry._write() as connection:
        insert_rows(connection, device, devices)
        insert_rows(connection, certificate, certificates)
        connection.execute(text("ANALYZE"))


def _plan(registry: Registry, wanted: DeviceFilter, after: str | None) -> list[str]:
    """Return the steps of the plan, each with its index."""
    dialect = registry._engine.dialect
    compiled = (
        search_of(wanted).query(50, after).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    )
    if dialect.name == "sqlite":
        with registry._read() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()
        return [row[3] for row in rows]
    with registry._read() as connection:
        # So few rows are sorted and read through as fast: what is asked is whether that is ever needed.
        for name in ("seqscan", "bitmapscan", "sort"):
            connection.exec_driver_sql(f"SET LOCAL enable_{name} = off")
        # `%` would be a parameter to the driver.
        told = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}".replace("%", "%%")).scalar_one()
    plan = told if isinstance(told, list) else json.loads(told)
    return list(_nodes(plan[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Any:
    yield " ".join(str(node.get(name, "")) for name in ("Node Type", "Index Name", "Index Cond"))
    for below in node.get("Plans", ()):
        yield from _nodes(below)


@pytest.mark.parametrize("asked", _ASKED)
def test_every_question_is_answered_from_an_index(registry: Registry, asked: str) -> None:
    _fill(registry)
    wanted, index = _ASKED[asked]
    first = registry.find_devices(wanted, limit=5)

    for after in (None, first.next):
        steps = _plan(registry, wanted, after)
        if registry._engine.dialect.name == "sqlite":
            assert any(_SQLITE.get(index, index) in step for step in steps), steps
            assert not [step for step in steps if "TEMP B-TREE" in step], steps
            scans = [step for step in steps if step.startswith("SCAN") and "INDEX" not in step]
        else:
            assert any(index in step for step in steps), steps
            assert not [step for step in steps if "Sort" in step], steps
            scans = [step for step in steps if step.startswith("Seq Scan")]
        assert scans == []


@pytest.mark.parametrize("asked", _ASKED)
def test_pages_hold_each_device_once(registry: Registry, asked: str) -> None:
    _fill(registry)
    wanted, _ = _ASKED[asked]
    everything = registry.find_devices(wanted, limit=_MANY + 1)

    found, after = [], None
    while True:
        page = registry.find_devices(wanted, limit=7 if asked != "everything" else 700, after=after)
        found += page.devices
        after = page.next
        if after is None:
            break

    assert everything.next is None
    assert tuple(found) == everything.devices
    expected = {
        "everything": _MANY,
        "status": 50,
        "owner": 56,
        "label": 56,
        "element_type": 50,
        "id_prefix": 10,
        "element_prefix": 100,
        "ends_before": 20,
        "not_seen_since": 29,
        "never_seen": 10,
    }
    assert len({device.device_id for device in found}) == len(found) == expected[asked]


def test_names_come_in_the_order_of_their_bytes_on_either_database(registry: Registry, now: datetime) -> None:
    names = ["_a", "A-1", "Z", "a-1", "a.1", "a:1", "a1", "b", "é", "\U0001f600"]
    registry.upsert_devices([Device(name, "none", None, "active", None, now) for name in names])

    found = [row.device_id for row in registry.devices()]

    assert found == sorted(names, key=str.encode)


@pytest.mark.parametrize("prefix", ["%", "_", "a_", "a%", "\\"])
def test_a_prefix_is_no_pattern(registry: Registry, now: datetime, prefix: str) -> None:
    names = ["ab", "a_", "a%b", "_x", "%x", "\\n"]
    registry.upsert_devices([Device(name, "none", None, "active", None, now) for name in names])

    found = registry.find_devices(DeviceFilter(id_prefix=prefix)).devices

    assert [row.device_id for row in found] == sorted(name for name in names if name.startswith(prefix))


@pytest.mark.parametrize("last", ["\ud7ff", "\U0010ffff"])
def test_a_prefix_may_end_with_any_character(registry: Registry, now: datetime, last: str) -> None:
    names = [f"a{last}", f"a{last}b", "b"]
    registry.upsert_devices([Device(name, "none", None, "active", None, now) for name in names])

    found = registry.find_devices(DeviceFilter(id_prefix=f"a{last}")).devices

    assert [row.device_id for row in found] == names[:2]


def test_a_device_is_known_by_its_active_certificate(
    registry: Registry, device: Device, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    record(1)
    soon = DeviceFilter(ends_before=now + timedelta(days=366))
    assert registry.find_devices(soon).devices == (device,)
    registry.activate(1, now)
    record(2, not_after=now + timedelta(days=1), replaces=1)

    # The new one is not confirmed yet: that it ends sooner says nothing, and the device is there once.
    assert registry.find_devices(DeviceFilter(ends_before=now + timedelta(days=300))).devices == ()
    assert len(registry.find_devices(soon).devices) == 1


def test_filters_hold_together(registry: Registry) -> None:
    _fill(registry)
    all_of_them = DeviceFilter(status="revoked", owner="owner-10", element_type="se050", id_prefix="dev-0")

    found = [row.device_id for row in registry.find_devices(all_of_them).devices]

    assert found == [f"dev-{n:06}" for n in range(_MANY) if n % 100 == 0 and n % 90 == 10]


def test_a_place_of_another_order_is_refused(registry: Registry) -> None:
    with pytest.raises(ConfigurationError) as refused:
        registry.find_devices(DeviceFilter(not_seen_since=_BEGIN), after="dev-1")

    assert refused.value.code == "bad-place"
