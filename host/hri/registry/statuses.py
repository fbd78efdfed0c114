"""What the registry answers to the question whether certificates are revoked, for many at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, bindparam, select

from hri.registry.database import Database, maybe_from_micros, to_micros
from hri.registry.schema import certificate

_STATUS = select(
    certificate.c.serial_number, certificate.c.der, certificate.c.revoked_at, certificate.c.reason
)
# Built once: the building would cost as much as the answering.
_BY_SERIAL_NUMBER = _STATUS.where(certificate.c.serial_number.in_(bindparam("keys", expanding=True)))


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """A certificate (DER) and, where it is on the revocation list, since when and why (RFC 5280, 5.3.1)."""

    serial_number: int
    der: bytes
    revoked_at: datetime | None
    reason: str | None


class Statuses(Database):
    """The table of certificates, as those who answer for it read it."""

    def certificate_statuses(self, serial_numbers: Collection[int]) -> tuple[CertificateStatus, ...]:
        """Return what is known of these serial numbers; those that were never given are left out."""
        # RFC 5280 section 4.1.2.2: positive, and of 20 octets at most.
        keys = [f"{number:040x}" for number in serial_numbers if 0 < number < 1 << 160]
        if not keys:
            return ()
        with self._read() as connection:
            rows = connection.execute(_BY_SERIAL_NUMBER, {"keys": keys})
            return tuple(_status(row) for row in rows)

    def unexpired_statuses(
        self, now: datetime, *, after: int = 0, limit: int = 1000
    ) -> tuple[CertificateStatus, ...]:
        """Return at most `limit` certificates that have not expired, in the order of serial numbers."""
        query = (
            _STATUS.where(
                certificate.c.serial_number > f"{after:040x}", certificate.c.not_after >= to_micros(now)
            )
            .order_by(certificate.c.serial_number)
            .limit(limit)
        )
        with self._read() as connection:
            return tuple(_status(row) for row in connection.execute(query))


def _status(row: Row[str, bytes, int | None, str | None]) -> CertificateStatus:
    return CertificateStatus(
        int(row.serial_number, 16), row.der, maybe_from_micros(row.revoked_at), row.reason
    )
