"""Every device with its certificates, as they were at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from hri.registry.database import Database, from_micros, maybe_from_micros
from hri.registry.devices import device_of
from hri.registry.records import CertificateState, Device
from hri.registry.schema import certificate, device

_PAGE = 500


@dataclass(frozen=True, slots=True)
class ExportedCertificate:
    """A certificate as others get it; `serial_number` is 40 hex digits, `log_index` its place in the log."""

    serial_number: str
    state: CertificateState
    der: bytes
    issued_at: datetime
    not_before: datetime
    not_after: datetime
    slot: int | None
    revoked_at: datetime | None
    reason: str | None
    unattested: str | None
    log_index: int | None


@dataclass(frozen=True, slots=True)
class ExportedDevice:
    """A device with all its certificates, oldest first."""

    device: Device
    certificates: tuple[ExportedCertificate, ...]


class DeviceExport(Database):
    """Devices and certificates, read through."""

    def exported_devices(self) -> Iterator[ExportedDevice]:
        """Return every device in the order of ids, all of them as of one moment, with a page in memory.

        Others write meanwhile; on SQLite the journal grows until this is done.
        """
        after = ""
        with self._snapshot() as connection:
            while True:
                page = select(device).where(device.c.device_id > after).order_by(device.c.device_id)
                devices = [device_of(row) for row in connection.execute(page.limit(_PAGE))]
                if not devices:
                    return
                first, after = devices[0].device_id, devices[-1].device_id
                theirs = (certificate.c.device_id >= first) & (certificate.c.device_id <= after)
                ordered = select(certificate).where(theirs)
                ordered = ordered.order_by(certificate.c.issued_at, certificate.c.serial_number)
                found: dict[str, list[ExportedCertificate]] = {one.device_id: [] for one in devices}
                for row in connection.execute(ordered):
                    found[row.device_id].append(_certificate(row))
                for one in devices:
                    yield ExportedDevice(one, tuple(found[one.device_id]))


def _certificate(row: Row[Any]) -> ExportedCertificate:
    return ExportedCertificate(
        row.serial_number,
        row.state,
        bytes(row.der),
        from_micros(row.issued_at),
        from_micros(row.not_before),
        from_micros(row.not_after),
        row.slot,
        maybe_from_micros(row.revoked_at),
        row.reason,
        row.unattested,
        row.log_index,
    )
