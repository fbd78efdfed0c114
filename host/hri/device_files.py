"""Devices as a file for others: CSV for a spreadsheet, JSON Lines with the certificates for a program."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

from hri.registry import Device, ExportedCertificate, ExportedDevice

FileFormat = Literal["csv", "jsonl"]
COLUMNS = (
    "device_id",
    "status",
    "element_type",
    "element_serial",
    "slot",
    "owner",
    "label",
    "created_at",
    "last_authenticated_at",
    "certificate",
    "not_after",
)
"""Those of the CSV file; the last two are serial number and end of the certificate it is known by."""

# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), also in full width;
# and the same behind apostrophes of our own, so that each is taken away again exactly once.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def defused(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: behind an apostrophe, which means "text"."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def armed(cell: str) -> str:
    """Return what `defused` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def device_lines(devices: Iterable[ExportedDevice], form: FileFormat) -> Iterator[str]:
    """Return the lines of a file, each with its end; a device is in memory at a time."""
    return _csv_lines(devices) if form == "csv" else _json_lines(devices)


class _Echo:
    """A file that gives back what is written: csv.writer wants one."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(devices: Iterable[ExportedDevice]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for exported in devices:
        values = {**_members(exported.device), **_known_by(exported)}
        cells = ("" if values[name] is None else str(values[name]) for name in COLUMNS)
        yield writer.writerow([defused(cell) for cell in cells])


def _json_lines(devices: Iterable[ExportedDevice]) -> Iterator[str]:
    for exported in devices:
        certificates = [_certificate(one) for one in exported.certificates]
        yield json.dumps({**_members(exported.device), "certificates": certificates}) + "\n"


def _members(device: Device) -> dict[str, Any]:
    return {
        "device_id": device.device_id,
        "status": device.status,
        "element_type": device.element_type,
        "element_serial": device.element_serial,
        "slot": device.slot,
        "owner": device.owner,
        "label": device.label,
        "created_at": _time(device.created_at),
        "last_authenticated_at": _time(device.last_authenticated_at),
    }


def _known_by(exported: ExportedDevice) -> dict[str, str | None]:
    live = [one for one in exported.certificates if one.state in ("active", "issued")]
    # "active" comes before "issued" in the alphabet.
    known = min(live, key=lambda one: one.state, default=None)
    if known is None:
        return {"certificate": None, "not_after": None}
    return {"certificate": known.serial_number, "not_after": _time(known.not_after)}


def _certificate(one: ExportedCertificate) -> dict[str, Any]:
    return {
        "serial_number": one.serial_number,
        "state": one.state,
        "der": base64.b64encode(one.der).decode(),
        "issued_at": _time(one.issued_at),
        "not_before": _time(one.not_before),
        "not_after": _time(one.not_after),
        "slot": one.slot,
        "revoked_at": _time(one.revoked_at),
        "reason": one.reason,
        "unattested": one.unattested,
        "log_index": one.log_index,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
