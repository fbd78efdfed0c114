"""Certificates: every one that was signed, from its issue to its end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, or_, outerjoin, select, update
from sqlalchemy import exc as sa_exc

from hri.audit.entry import Act
from hri.audit.recorder import NOBODY, Recorder
from hri.errors import ConfigurationError, PolicyRefusal
from hri.registry.audit_log import Recorded, append_acts, chain_acts
from hri.registry.bulk import insert_rows
from hri.registry.database import Database, from_micros, maybe_from_micros, to_micros
from hri.registry.device_status import require_not_barred
from hri.registry.log_head import AUDIT, CERTIFICATES, read_heads, write_heads
from hri.registry.merkle_log import place_new
from hri.registry.records import CertificateRecord, CertificateState, RevokedEntry
from hri.registry.schema import certificate, device

LIVE: tuple[CertificateState, CertificateState] = ("issued", "active")

# RFC 5280 section 5.3.1, without removeFromCRL, which belongs to delta lists, and certificateHold, which is
# not final: that is for `suspend`.
REVOCATION_REASONS = (
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
    "aACompromise",
)
COMPROMISED = ("keyCompromise", "cACompromise", "aACompromise")


@dataclass(frozen=True, slots=True)
class LiveCertificate:
    """What decides about another certificate for the same device."""

    serial_number: str
    state: str
    public_key_sha256: str
    not_after: int
    replaces: str | None


@dataclass(frozen=True, slots=True)
class IssuanceState:
    """A device's status, its chip (serial number, hex) and its certificates that are issued or active."""

    status: str
    element_serial: str | None
    live: tuple[LiveCertificate, ...]


# Built once: at 64 requests a commit the building would cost as much as the answering.
_ISSUANCE = (
    select(
        device.c.device_id,
        device.c.status,
        device.c.element_serial,
        certificate.c.serial_number,
        certificate.c.state,
        certificate.c.public_key_sha256,
        certificate.c.not_after,
        certificate.c.replaces,
    )
    .select_from(
        outerjoin(
            device,
            certificate,
            (certificate.c.device_id == device.c.device_id) & certificate.c.state.in_(LIVE),
        )
    )
    .where(device.c.device_id.in_(bindparam("ids", expanding=True)))
    .order_by(device.c.device_id, certificate.c.serial_number)
    .with_for_update(of=device)
)


class ConcurrentIssuance(Exception):
    """What an issuance was decided on changed before it was recorded; decide again."""


class Certificates(Database):
    """The table of certificates."""

    def certificates(self, device_id: str) -> tuple[CertificateRecord, ...]:
        """Return every certificate of a device, oldest first."""
        query = select(certificate).where(certificate.c.device_id == device_id)
        with self._read() as connection:
            rows = connection.execute(query.order_by(certificate.c.issued_at, certificate.c.serial_number))
            return tuple(_record(row) for row in rows)

    def certificate(self, serial_number: int) -> CertificateRecord | None:
        """Return the certificate of a serial number, or None."""
        query = select(certificate).where(certificate.c.serial_number == _key(serial_number))
        with self._read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _record(row)

    def live_certificate(self, device_id: str) -> CertificateRecord | None:
        """Return the certificate by which a device is known: the active one, else the issued one."""
        query = select(certificate).where(certificate.c.device_id == device_id, certificate.c.state.in_(LIVE))
        with self._read() as connection:
            # "active" comes before "issued" in the alphabet.
            row = connection.execute(query.order_by(certificate.c.state)).first()
        return None if row is None else _record(row)

    def issuance_state(self, device_ids: Iterable[str]) -> dict[str, IssuanceState]:
        """Return what decides about new certificates for these devices; unknown devices are left out."""
        with self._read() as connection:
            return _issuance_state(connection, sorted(set(device_ids)))

    def record_certificates(
        self,
        batch: Sequence[CertificateRecord],
        *,
        expected: dict[str, IssuanceState] | None = None,
        retired: Sequence[int] = (),
        recorder: Recorder = NOBODY,
    ) -> None:
        """Record signed certificates, all or none; durable once this returns.

        With each its act in the audit log, and its place in the Merkle log or in the queue for it.

        `retired` are expired certificates, issued but never confirmed, that make room. `expected` is what
        `issuance_state` said when the batch was decided on; where it no longer holds nothing is recorded.

        Raises ConcurrentIssuance, StorageError.
        """
        try:
            with self._write() as connection:
                if expected is not None and _issuance_state(connection, sorted(expected)) != expected:
                    raise ConcurrentIssuance
                if retired:
                    ended = certificate.c.serial_number.in_([_key(number) for number in retired])
                    connection.execute(
                        update(certificate)
                        .where(ended, certificate.c.state == "issued")
                        .values(state="superseded")
                    )
                if batch:
                    _record_batch(connection, batch, recorder)
        except sa_exc.IntegrityError as error:
            raise ConcurrentIssuance from error

    def activate(self, serial_number: int, now: datetime, *, slot: int | None = None) -> CertificateRecord:
        """Confirm that a certificate is on its device, and supersede what it replaces, in one transaction.

        Doing it again changes nothing.

        Raises PolicyRefusal where the certificate has ended, its device is revoked, or has another active
        certificate that this one does not replace; ConfigurationError where the certificate is unknown.
        """
        key = _key(serial_number)
        with self._write() as connection:
            # The device first, as everybody locks them, or two could wait for each other.
            owner = select(certificate.c.device_id).where(certificate.c.serial_number == key)
            mine = device.c.device_id == owner.scalar_subquery()
            status = connection.execute(select(device.c.status).where(mine).with_for_update()).scalar()
            row = _get(connection, key)
            if row.state == "active":
                return _record(row)
            if row.state != "issued":
                raise PolicyRefusal(
                    "certificate-ended",
                    f"the certificate {key} is {row.state} and cannot become active",
                    "issue a new one with `hri renew` or `hri provision`",
                )
            require_not_barred(row.device_id, str(status))
            _supersede(connection, row, to_micros(now))
            new_slot = row.slot if slot is None else slot
            this = certificate.c.serial_number == key
            connection.execute(update(certificate).where(this).values(state="active", slot=new_slot))
            values: dict[str, Any] = {"status": "active"}
            if new_slot is not None:
                values["slot"] = new_slot
            connection.execute(update(device).where(device.c.device_id == row.device_id).values(values))
            return _record(_get(connection, key))

    def revoke(
        self, target: int | str, reason: str, now: datetime, *, recorder: Recorder = NOBODY
    ) -> tuple[CertificateRecord, ...]:
        """Revoke one certificate (a serial number), or a device with all its live ones (a device id).

        A revoked device gets no certificate again. Revoking again changes nothing, except that a compromise
        overrides a lesser reason, also for the certificates that the device had before.

        Returns what is now on the revocation list because of this target.

        Raises ConfigurationError: unknown target, or a reason that RFC 5280 section 5.3.1 does not name.
        """
        reason = revocation_reason(reason)
        moment = to_micros(now)
        with self._write() as connection:
            if isinstance(target, int):
                chosen = certificate.c.serial_number == _key(target)
                if connection.execute(select(certificate.c.serial_number).where(chosen)).first() is None:
                    raise _unknown(f"certificate {_key(target)}")
            else:
                chosen = certificate.c.device_id == target
                # Decommissioned is final too, and says more.
                ended = case((device.c.status == "decommissioned", device.c.status), else_="revoked")
                known = update(device).where(device.c.device_id == target).values(status=ended)
                if connection.execute(known).rowcount != 1:
                    raise _unknown(f"device {target}")
            values = {"state": "revoked", "revoked_at": moment, "reason": reason}
            connection.execute(
                update(certificate).where(chosen, certificate.c.state.in_(LIVE)).values(values)
            )
            if reason in COMPROMISED:
                lesser = or_(certificate.c.reason.is_(None), certificate.c.reason.not_in(COMPROMISED))
                since = func.coalesce(certificate.c.revoked_at, moment)
                connection.execute(
                    update(certificate).where(chosen, lesser).values({**values, "revoked_at": since})
                )
            listed = select(certificate).where(chosen, certificate.c.revoked_at.is_not(None))
            rows = connection.execute(listed.order_by(certificate.c.issued_at))
            records = tuple(_record(row) for row in rows)
            append_acts(connection, Recorded(recorder, (_revocation(target, reason, records),)), now)
            return records

    def revoked(self, *, unexpired_at: datetime | None = None) -> list[RevokedEntry]:
        """Return the entries of the revocation list in the order of revocation.

        With `unexpired_at`, without the certificates that had expired by then (RFC 5280 section 3.3).
        """
        columns = (certificate.c.serial_number, certificate.c.revoked_at, certificate.c.reason)
        query = select(*columns).where(certificate.c.revoked_at.is_not(None))
        if unexpired_at is not None:
            query = query.where(certificate.c.not_after >= to_micros(unexpired_at))
        query = query.order_by(certificate.c.revoked_at, certificate.c.serial_number)
        with self._read() as connection:
            return [
                RevokedEntry(int(serial, 16), from_micros(at), reason)
                for serial, at, reason in connection.execute(query)
            ]


def revocation_reason(reason: str) -> str:
    """Return the name of RFC 5280 for a reason written as there, or as key-compromise or key_compromise.

    Raises ConfigurationError.
    """
    folded = {name.lower(): name for name in REVOCATION_REASONS}
    found = folded.get(reason.replace("-", "").replace("_", "").lower())
    if found is None:
        raise ConfigurationError(
            "bad-reason",
            f"{reason[:40]!r} is not a reason for a final revocation",
            f"use one of {', '.join(REVOCATION_REASONS)}",
        )
    return found


def _supersede(connection: Connection, row: Row[Any], moment: int) -> None:
    """End the device's active certificate, if `row` is meant to replace it."""
    active = (certificate.c.device_id == row.device_id) & (certificate.c.state == "active")
    old = connection.execute(select(certificate).where(active).with_for_update()).first()
    if old is None:
        return
    if row.replaces != old.serial_number:
        raise PolicyRefusal(
            "live-certificate",
            f"the device {row.device_id} has the active certificate {old.serial_number}",
            "renew it with `hri renew`, or change its key with `hri rotate`",
        )
    ended = {"state": "superseded", "revoked_at": moment, "reason": "superseded"}
    connection.execute(update(certificate).where(active).values(ended))


def _get(connection: Connection, key: str) -> Row[Any]:
    query = select(certificate).where(certificate.c.serial_number == key).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise _unknown(f"certificate {key}")
    return row


def _unknown(what: str) -> ConfigurationError:
    return ConfigurationError("not-found", f"the registry has no {what}", "`hri list` shows what there is")


def _issuance_state(connection: Connection, device_ids: list[str]) -> dict[str, IssuanceState]:
    found: dict[str, tuple[str, str | None, list[LiveCertificate]]] = {}
    for device_id, status, chip, serial_number, *rest in connection.execute(_ISSUANCE, {"ids": device_ids}):
        live = found.setdefault(device_id, (status, chip, []))[2]
        if serial_number is not None:
            live.append(LiveCertificate(serial_number, *rest))
    return {
        device_id: IssuanceState(status, chip, tuple(live))
        for device_id, (status, chip, live) in found.items()
    }


def _record_batch(connection: Connection, batch: Sequence[CertificateRecord], recorder: Recorder) -> None:
    """Insert certificates with their places in the Merkle log, where its key is open, and their acts."""
    rows = [_row(record) for record in batch]
    heads = read_heads(connection, CERTIFICATES, AUDIT, lock=True)
    if recorder.keys is not None:
        heads[CERTIFICATES] = place_new(connection, heads[CERTIFICATES], recorder.keys.certificates, rows)
    insert_rows(connection, certificate, rows)
    acts = tuple(_issue(record, row) for record, row in zip(batch, rows, strict=True))
    heads[AUDIT] = chain_acts(connection, heads[AUDIT], Recorded(recorder, acts), batch[0].issued_at)
    write_heads(connection, heads)


def _issue(record: CertificateRecord, row: dict[str, Any]) -> Act:
    details: dict[str, Any] = {
        "certificate": row["serial_number"],
        "sha256": hashlib.sha256(record.der).digest(),
    }
    if record.evidence:
        details["evidence"] = list(record.evidence)
    if record.slot is not None:
        details["slot"] = record.slot
    if record.replaces is not None:
        details["replaces"] = row["replaces"]
    return Act("issue", record.device_id, reason=record.unattested, details=details)


def _revocation(target: int | str, reason: str, listed: Sequence[CertificateRecord]) -> Act:
    subject = target if isinstance(target, str) else next((item.device_id for item in listed), None)
    details = {"certificates": [_key(item.serial_number) for item in listed]}
    return Act("revoke", subject, reason=reason, details=details)


def _key(serial_number: int) -> str:
    return f"{serial_number:040x}"


def _row(record: CertificateRecord) -> dict[str, Any]:
    return {
        "serial_number": _key(record.serial_number),
        "device_id": record.device_id,
        "der": record.der,
        "public_key_sha256": record.public_key_sha256,
        "state": record.state,
        "issued_at": to_micros(record.issued_at),
        "not_before": to_micros(record.not_before),
        "not_after": to_micros(record.not_after),
        "slot": record.slot,
        "revoked_at": None if record.revoked_at is None else to_micros(record.revoked_at),
        "reason": record.reason,
        "replaces": None if record.replaces is None else _key(record.replaces),
        "evidence": " ".join(map(str, record.evidence)),
        "unattested": record.unattested,
        "log_index": None,
        "before_log": False,
    }


def _record(row: Row[Any]) -> CertificateRecord:
    return CertificateRecord(
        int(row.serial_number, 16),
        row.device_id,
        row.der,
        row.public_key_sha256,
        row.state,
        from_micros(row.issued_at),
        from_micros(row.not_before),
        from_micros(row.not_after),
        row.slot,
        maybe_from_micros(row.revoked_at),
        row.reason,
        None if row.replaces is None else int(row.replaces, 16),
        tuple(map(int, row.evidence.split())),
        row.unattested,
    )
