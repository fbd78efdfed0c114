"""Devices go out as of one moment and come in all or none, on both databases."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

import pytest
from hri.audit.entry import Act
from hri.audit.recorder import NOBODY
from hri.device_files import FileFormat, device_lines
from hri.device_rows import read_rows
from hri.registry import CertificateRecord, Device, Imported, ImportRow, Registry
from hri.registry.device_import import ImportConflict
from hri.registry.schema import device
from sqlalchemy import update

CHIP, OTHER = "0123456789abcdef01", "0123456789abcdef02"
ACT = Act("import")


def _rows(*rows: tuple[str, str | None]) -> list[ImportRow]:
    return [
        ImportRow(line, name, "atecc608b", "registered", chip) for line, (name, chip) in enumerate(rows, 2)
    ]


def _acts(registry: Registry) -> list[tuple[str, str | None]]:
    return [(row.act, row.subject) for row in registry.audit_entries()]


def _all(registry: Registry) -> Iterable[object]:
    return list(registry.exported_devices())


def test_an_import_registers_and_tells_of_each(registry: Registry, now: datetime) -> None:
    rows = _rows(("a", CHIP), ("b", None))

    assert registry.import_devices(rows, now, act=ACT, recorder=NOBODY) == Imported(2, 0, 0)

    assert registry.device("a") == Device("a", "atecc608b", CHIP, "registered", None, now)
    assert _acts(registry) == [("register", "a"), ("register", "b"), ("import", None)]


def test_the_same_again_changes_nothing(registry: Registry, now: datetime) -> None:
    rows = [replace(row, owner="acme") for row in _rows(("a", CHIP), ("b", None))]
    registry.import_devices(rows, now, act=ACT, recorder=NOBODY)
    before, acts = _all(registry), _acts(registry)

    assert registry.import_devices(rows, now, act=ACT, recorder=NOBODY) == Imported(0, 0, 2)

    assert (_all(registry), _acts(registry)) == (before, acts)


def test_what_a_registration_left_open_is_filled(registry: Registry, now: datetime) -> None:
    registry.import_devices(_rows(("a", None)), now, act=ACT, recorder=NOBODY)
    filled = [replace(row, label="left") for row in _rows(("a", CHIP))]

    assert registry.import_devices(filled, now, act=ACT, recorder=NOBODY) == Imported(0, 1, 0)

    found = registry.device("a")
    assert found is not None
    assert (found.element_serial, found.label, found.status) == (CHIP, "left", "registered")


@pytest.mark.parametrize("status", ["active", "suspended", "transferred", "revoked", "decommissioned"])
def test_a_device_whose_life_began_is_never_changed(registry: Registry, now: datetime, status) -> None:
    known = Device("a", "atecc608b", CHIP, status, 0, now, now, "label", "owner")
    registry.upsert_device(known)
    rows = [replace(row, label="other", owner="other") for row in _rows(("a", CHIP))]

    assert registry.import_devices(rows, now, act=ACT, recorder=NOBODY).unchanged == 1

    assert registry.device("a") == known


def test_one_row_that_does_not_go_with_the_record_stops_them_all(registry: Registry, now: datetime) -> None:
    registry.upsert_device(Device("a", "atecc608b", CHIP, "active", 0, now))
    registry.upsert_device(Device("b", "atecc608b", None, "registered", None, now, label="mine"))
    rows = [*_rows(*((f"new-{n}", None) for n in range(1200)), ("a", OTHER), ("c", CHIP))]
    rows.append(ImportRow(2000, "b", "atecc608b", label="theirs"))

    with pytest.raises(ImportConflict) as refused:
        registry.import_devices(rows, now, act=ACT, recorder=NOBODY)

    found = [(one.line, one.column) for one in refused.value.conflicts]
    assert found == [(1202, "element_serial"), (1203, "element_serial"), (2000, "label")]
    assert len(registry.devices(10)) == 2
    assert _acts(registry) == []


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_imported_again_changes_nothing(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime, form: FileFormat
) -> None:
    record(1)
    registry.revoke("dev-1", "keyCompromise", now)
    with registry._write() as connection:
        connection.execute(update(device).values(element_serial=CHIP))
    odd = ImportRow(2, "a", "atecc608b", label="=1+1", owner='-acme, inc; "x"')
    registry.import_devices([odd], now, act=ACT, recorder=NOBODY)
    before = _all(registry)
    text = "".join(device_lines(registry.exported_devices(), form))

    rows = read_rows(text.encode(), form, element_type="atecc608b")

    assert registry.import_devices(rows, now, act=ACT, recorder=NOBODY) == Imported(0, 0, 2)
    assert _all(registry) == before
    # Into another registry who was revoked comes as revoked, and nothing of its certificates.
    with Registry.open(":memory:") as other:
        other.import_devices(rows, now, act=ACT, recorder=NOBODY)
        revoked = other.device("dev-1")
        assert revoked is not None
        assert revoked.status == "revoked"
        assert other.certificates("dev-1") == ()


def test_json_lines_hold_every_certificate(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    record(1)
    registry.activate(1, now)
    record(2, replaces=1)

    (line,) = device_lines(registry.exported_devices(), "jsonl")

    found = json.loads(line)["certificates"]
    assert [base64.b64decode(one["der"]) for one in found] == [b"der 1", b"der 2"]
    assert [one["state"] for one in found] == ["active", "issued"]


def test_a_spreadsheet_sees_the_certificate_a_device_is_known_by(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    record(1)
    registry.activate(1, now)
    record(2, replaces=1)
    registry.upsert_device(Device("x", "none", None, "registered", None, now, label='=HYPERLINK("http://x")'))

    rows = list(csv.DictReader(io.StringIO("".join(device_lines(registry.exported_devices(), "csv")))))

    assert [row["certificate"] for row in rows] == [f"{1:040x}", ""]
    assert rows[1]["label"] == '\'=HYPERLINK("http://x")'


def test_an_export_is_of_one_moment(registry: Registry, now: datetime) -> None:
    names = [f"d-{number:04}" for number in range(1200)]
    registry.upsert_devices([Device(name, "none", None, "registered", None, now) for name in names])

    exported = registry.exported_devices()
    first = next(exported)
    registry.upsert_device(Device("d-9999", "none", None, "registered", None, now))
    registry.upsert_device(Device("d-1100", "none", None, "active", None, now))
    rest = list(exported)

    assert [one.device.device_id for one in (first, *rest)] == names
    assert {one.device.status for one in rest} == {"registered"}
