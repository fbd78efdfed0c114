"""Devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy import exc as sa_exc

from hri.errors import PolicyRefusal
from hri.registry.audit_log import Recorded, append_acts
from hri.registry.database import Database, from_micros, maybe_from_micros, to_micros
from hri.registry.device_search import DeviceFilter, search_of
from hri.registry.device_status import STATUSES
from hri.registry.records import Device
from hri.registry.schema import device


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Some devices, and where the next page begins, None behind the last one."""

    devices: tuple[Device, ...]
    next: str | None


class Devices(Database):
    """The table of devices."""

    def upsert_device(self, new: Device, *, recorded: Recorded | None = None) -> Device:
        """Add a device, or bring what is known of it up to date; returns it as it is now recorded.

        A device keeps its date of creation and its chip, and its status only moves forward
        (`STATUSES`); a member that is None leaves what is recorded.

        Raises PolicyRefusal where its chip is another than recorded, or is another device's.
        """
        return self.upsert_devices([new], recorded=recorded)[0]

    def upsert_devices(
        self, batch: Sequence[Device], *, recorded: Recorded | None = None
    ) -> tuple[Device, ...]:
        """Do the same for many devices in one transaction, which `recorded` tells of."""
        try:
            with self._write() as connection:
                devices = tuple(_upsert(connection, new) for new in batch)
                if recorded is not None:
                    append_acts(connection, recorded, max(new.created_at for new in batch))
                return devices
        except sa_exc.IntegrityError as error:
            raise PolicyRefusal(
                "element-conflict",
                "this chip is already recorded as another device's",
                "a chip is one device's for life; see `hri list`",
            ) from error

    def device(self, device_id: str) -> Device | None:
        """Return a device, or None."""
        with self._read() as connection:
            row = connection.execute(select(device).where(device.c.device_id == device_id)).first()
        return None if row is None else device_of(row)

    def device_by_element(self, serial_hex: str) -> Device | None:
        """Return the device whose chip has this serial number, or None."""
        with self._read() as connection:
            query = select(device).where(device.c.element_serial == serial_hex.lower())
            row = connection.execute(query).first()
        return None if row is None else device_of(row)

    def devices(self, limit: int = 100, after: str | None = None) -> tuple[Device, ...]:
        """Return at most `limit` devices in the order of their ids, those behind `after`."""
        return self.find_devices(DeviceFilter(), limit=limit, after=after).devices

    def find_devices(self, wanted: DeviceFilter, *, limit: int = 100, after: str | None = None) -> DevicePage:
        """Return at most `limit` devices that a filter lets through, those behind `after`.

        That is the `next` of the page before; in the order of ids it is a device id. A page costs what it
        holds, not what is in front of it: each filter has its index.

        Raises ConfigurationError for an `after` that is no page's `next`.
        """
        search = search_of(wanted)
        with self._read() as connection:
            rows = connection.execute(search.query(limit + 1, after)).all()
        found = tuple(device_of(row) for row in rows[:limit])
        return DevicePage(found, search.place(rows[limit - 1]) if len(rows) > limit else None)

    def record_authentication(self, device_id: str, *, now: datetime) -> None:
        """Note when a device was last authenticated."""
        statement = update(device).where(device.c.device_id == device_id)
        with self._write() as connection:
            connection.execute(statement.values(last_authenticated_at=to_micros(now)))


def _upsert(connection: Connection, new: Device) -> Device:
    serial = None if new.element_serial is None else new.element_serial.lower()
    query = select(device).where(device.c.device_id == new.device_id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        last = None if new.last_authenticated_at is None else to_micros(new.last_authenticated_at)
        values: dict[str, Any] = {
            "device_id": new.device_id,
            "element_type": new.element_type,
            "element_serial": serial,
            "status": new.status,
            "slot": new.slot,
            "created_at": to_micros(new.created_at),
            "last_authenticated_at": last,
            "label": new.label,
            "owner": new.owner,
        }
        connection.execute(insert(device).values(values))
    else:
        if serial is not None and row.element_serial not in (None, serial):
            raise PolicyRefusal(
                "device-element-conflict",
                f"the device {new.device_id} is on record with the chip {row.element_serial}, not {serial}",
                "give this chip another device id; an identity cannot move to another chip",
            )
        changed = {"element_type": new.element_type, "element_serial": serial or row.element_serial}
        if STATUSES.index(new.status) > STATUSES.index(row.status):
            changed["status"] = new.status
        optional = {"slot": new.slot, "label": new.label}
        changed.update({key: value for key, value in optional.items() if value is not None})
        if new.last_authenticated_at is not None:
            changed["last_authenticated_at"] = to_micros(new.last_authenticated_at)
        connection.execute(update(device).where(device.c.device_id == new.device_id).values(changed))
    query = select(device).where(device.c.device_id == new.device_id)
    return device_of(connection.execute(query).one())


def device_of(row: Row[Any]) -> Device:
    """Return a device from its row."""
    return Device(
        row.device_id,
        row.element_type,
        row.element_serial,
        row.status,
        row.slot,
        from_micros(row.created_at),
        maybe_from_micros(row.last_authenticated_at),
        row.label,
        row.owner,
    )
