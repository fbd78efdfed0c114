"""A device's turns: suspended and resumed, transferred, decommissioned, withdrawn before it ever was one.

Each is one transaction: the device, its certificates and the act in the audit log change together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from hri.audit.entry import Act
from hri.audit.recorder import NOBODY, Recorder
from hri.errors import ConfigurationError, PolicyRefusal
from hri.registry.audit_log import Recorded, append_acts
from hri.registry.database import Database, to_micros
from hri.registry.device_status import require_not_barred
from hri.registry.schema import certificate, device, evidence

HOLD = "certificateHold"
_LIVE = ("issued", "active")


class DeviceLife(Database):
    """Devices with their certificates, where the life of both takes a turn."""

    def suspend(self, device_id: str, now: datetime, *, recorder: Recorder = NOBODY) -> None:
        """Put a device's certificates on hold (RFC 5280 section 5.3.1), until it is resumed.

        Doing it again changes nothing. Raises PolicyRefusal for a device that is not active, and
        ConfigurationError for an unknown one.
        """
        with self._turn_of(device_id) as (connection, row):
            if row.status == "suspended":
                return
            require_not_barred(device_id, row.status)
            if row.status != "active":
                raise _not_active(device_id, row.status)
            live = _live_of(device_id)
            values = {"revoked_at": to_micros(now), "reason": HOLD}
            connection.execute(update(certificate).where(live).values(values))
            _turn(connection, device_id, now, recorder, "suspend", status="suspended")

    def resume(self, device_id: str, now: datetime, *, recorder: Recorder = NOBODY) -> None:
        """End the hold: the certificates leave the revocation list. Doing it again changes nothing.

        Raises PolicyRefusal for a device that was not suspended, and ConfigurationError for an unknown one.
        """
        with self._turn_of(device_id) as (connection, row):
            if row.status == "active":
                return
            if row.status != "suspended":
                require_not_barred(device_id, row.status)
                raise _not_active(device_id, row.status)
            held = _live_of(device_id) & (certificate.c.reason == HOLD)
            connection.execute(update(certificate).where(held).values(revoked_at=None, reason=None))
            _turn(connection, device_id, now, recorder, "resume", status="active")

    def decommission(self, device_id: str, now: datetime, *, recorder: Recorder = NOBODY) -> None:
        """End a device for good: certificates that are live are revoked as cessationOfOperation.

        Name and chip stay taken. Doing it again changes nothing. Raises PolicyRefusal for a device that was
        only registered, and ConfigurationError for an unknown one.
        """
        with self._turn_of(device_id) as (connection, row):
            if row.status == "decommissioned":
                return
            if row.status == "registered":
                raise _not_active(device_id, row.status)
            _end_live(connection, device_id, "cessationOfOperation", now)
            _turn(connection, device_id, now, recorder, "decommission", status="decommissioned")

    def transfer(
        self, device_id: str, owner: str, now: datetime, *, ours: bool, recorder: Recorder = NOBODY
    ) -> None:
        """Write down a device's new owner; where it is not `ours` the certificates that we gave it end.

        They are revoked as affiliationChanged, and the device gets none until it is transferred back, after
        which it is provisioned again. Doing it again changes nothing. Raises PolicyRefusal for a device
        whose life is over or suspended, and ConfigurationError for an unknown one.
        """
        with self._turn_of(device_id) as (connection, row):
            wanted = "transferred" if not ours else row.status
            if row.status == "transferred":
                wanted = "provisioning" if ours else "transferred"
            else:
                require_not_barred(device_id, row.status)
            if (row.owner, row.status) == (owner, wanted):
                return
            if not ours:
                _end_live(connection, device_id, "affiliationChanged", now)
            details = {"from": row.owner or "", "to": owner}
            _turn(connection, device_id, now, recorder, "transfer", details, status=wanted, owner=owner)

    def withdraw(self, device_id: str, now: datetime, *, recorder: Recorder = NOBODY) -> None:
        """Take back the registration of a device that was never begun; its name and chip are free again.

        Raises PolicyRefusal where there is more than a registration, and ConfigurationError for an unknown
        device.
        """
        with self._turn_of(device_id) as (connection, row):
            known = [
                connection.execute(select(func.count()).where(table.c.device_id == device_id)).scalar_one()
                for table in (certificate, evidence)
            ]
            if row.status != "registered" or any(known):
                raise PolicyRefusal(
                    "not-only-registered",
                    f"the device {device_id} is {row.status} and has a history",
                    "end it with `hri decommission`",
                )
            connection.execute(delete(device).where(device.c.device_id == device_id))
            details = {"element": row.element_serial or "any"}
            append_acts(connection, Recorded(recorder, (Act("withdraw", device_id, details=details),)), now)

    @contextmanager
    def _turn_of(self, device_id: str) -> Iterator[tuple[Connection, Row[Any]]]:
        query = select(device).where(device.c.device_id == device_id).with_for_update()
        with self._write() as connection:
            row = connection.execute(query).first()
            if row is None:
                raise ConfigurationError(
                    "not-found", f"the registry has no device {device_id}", "`hri list` shows what there is"
                )
            yield connection, row


def _live_of(device_id: str) -> Any:
    return (certificate.c.device_id == device_id) & certificate.c.state.in_(_LIVE)


def _end_live(connection: Connection, device_id: str, reason: str, now: datetime) -> None:
    values = {"state": "revoked", "revoked_at": to_micros(now), "reason": reason}
    connection.execute(update(certificate).where(_live_of(device_id)).values(values))


def _turn(
    connection: Connection,
    device_id: str,
    now: datetime,
    recorder: Recorder,
    act: str,
    details: dict[str, Any] | None = None,
    **values: str,
) -> None:
    connection.execute(update(device).where(device.c.device_id == device_id).values(values))
    append_acts(connection, Recorded(recorder, (Act(act, device_id, details=details or {}),)), now)


def _not_active(device_id: str, status: str) -> PolicyRefusal:
    return PolicyRefusal(
        "not-active",
        f"the device {device_id} is {status} and has no certificate in use",
        "provision it with `hri provision`, or take it back with `hri withdraw`",
    )
