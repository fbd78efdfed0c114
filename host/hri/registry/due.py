"""Which devices a policy has something to say about; each question is one query, however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, func, select

from hri.registry.certificates import COMPROMISED
from hri.registry.database import Database, from_micros, to_micros
from hri.registry.schema import certificate, device

_TRUSTED = ("provisioning", "active", "suspended")


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """An active certificate, and since when its key has been certified for this device."""

    device_id: str
    serial_number: int
    key_since: datetime
    not_before: datetime
    not_after: datetime


class Due(Database):
    """Devices and certificates, as policies look at them."""

    def compromised_devices(self) -> dict[str, str]:
        """Return the devices that are not revoked although a key of theirs is compromised, and why.

        A key is that where a certificate for it was revoked for it, or where two devices have been certified
        for the same key, which cannot be copied: then neither of them can be told from the other.
        """
        listed = (
            select(certificate.c.device_id)
            .distinct()
            .join(device, device.c.device_id == certificate.c.device_id)
            .where(certificate.c.reason.in_(COMPROMISED), device.c.status.in_(_TRUSTED))
        )
        shared = (
            select(certificate.c.public_key_sha256)
            .group_by(certificate.c.public_key_sha256)
            .having(func.min(certificate.c.device_id) != func.max(certificate.c.device_id))
        )
        twice = (
            select(certificate.c.device_id)
            .distinct()
            .join(device, device.c.device_id == certificate.c.device_id)
            .where(certificate.c.public_key_sha256.in_(shared), device.c.status.in_(_TRUSTED))
        )
        with self._read() as connection:
            found = dict.fromkeys(
                connection.execute(twice).scalars(), "its key is also certified for another device"
            )
            why = "a certificate of its was revoked for a compromise"
            return found | dict.fromkeys(connection.execute(listed).scalars(), why)

    def keys_in_use(
        self, *, key_before: datetime | None = None, ends_before: datetime | None = None
    ) -> tuple[KeyInUse, ...]:
        """Return the active certificates of active devices whose key is older than a time, or that end early.

        At least one of the two has to be given, or nothing is returned.
        """
        older = certificate.alias()
        same_key = and_(
            older.c.device_id == certificate.c.device_id,
            older.c.public_key_sha256 == certificate.c.public_key_sha256,
        )
        since = select(func.min(older.c.issued_at)).where(same_key).scalar_subquery()
        ends = certificate.c.not_after <= to_micros(ends_before) if ends_before else None
        old = exists().where(same_key, older.c.issued_at <= to_micros(key_before)) if key_before else None
        conditions = [condition for condition in (ends, old) if condition is not None]
        if not conditions:
            return ()
        either = conditions[0] if len(conditions) == 1 else conditions[0] | conditions[1]
        query = (
            select(
                certificate.c.device_id,
                certificate.c.serial_number,
                since,
                certificate.c.not_before,
                certificate.c.not_after,
            )
            .join(device, device.c.device_id == certificate.c.device_id)
            .where(certificate.c.state == "active", device.c.status == "active", either)
            .order_by(certificate.c.device_id)
        )
        with self._read() as connection:
            return tuple(
                KeyInUse(name, int(serial, 16), *map(from_micros, times))
                for name, serial, *times in connection.execute(query)
            )

    def key_since(self, device_id: str, public_key_sha256: str) -> datetime | None:
        """Return since when a key has been certified for a device, None where it never was."""
        query = select(func.min(certificate.c.issued_at)).where(
            certificate.c.device_id == device_id, certificate.c.public_key_sha256 == public_key_sha256
        )
        with self._read() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else from_micros(found)
