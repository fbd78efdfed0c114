"""Endorsements of attestation keys, and the evidence that chips gave."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy import exc as sa_exc

from hri.errors import PolicyRefusal, StorageError
from hri.registry.audit_log import Recorded, append_acts
from hri.registry.database import Database, from_micros, to_micros
from hri.registry.records import Endorsement, EndorsementKind, EvidenceKind, EvidenceRecord
from hri.registry.schema import endorsement, evidence


class Proofs(Database):
    """The tables of endorsements and of evidence; rows are added and never changed."""

    def record_endorsement(self, new: Endorsement, *, recorded: Recorded | None = None) -> None:
        """Record an endorsement; the same again changes nothing. Raises as `record_endorsements`."""
        self.record_endorsements((new,), recorded=recorded)

    def record_endorsements(
        self, endorsements: Sequence[Endorsement], *, recorded: Recorded | None = None
    ) -> int:
        """Record all of these endorsements or none, and return how many were not on record yet.

        `recorded` is what the audit log is told of it.

        Raises PolicyRefusal `endorsement-conflict` where the chip of a serial number is on record with
        another attestation key: one of the two is not that chip.
        """
        for _ in range(2):
            try:
                with self._write() as connection:
                    count = sum(_record(connection, new) for new in endorsements)
                    if recorded is not None:
                        append_acts(connection, recorded, max(new.seen_at for new in endorsements))
                    return count
            except sa_exc.IntegrityError:
                # Another process recorded a chip between our look and our insert: look again.
                continue
        raise StorageError("database-busy", "other processes record the same chips", "try again")

    def endorsements_of_kind(self, kind: EndorsementKind) -> tuple[Endorsement, ...]:
        """Return every endorsement of a kind, oldest first."""
        query = select(endorsement).where(endorsement.c.kind == kind)
        with self._read() as connection:
            rows = connection.execute(query.order_by(endorsement.c.id)).all()
        return tuple(_endorsement(row) for row in rows)

    def endorsements(self, element_serial: str) -> tuple[Endorsement, ...]:
        """Return what is on record for a chip, oldest first."""
        query = select(endorsement).where(endorsement.c.element_serial == element_serial.lower())
        with self._read() as connection:
            rows = connection.execute(query.order_by(endorsement.c.id)).all()
        return tuple(_endorsement(row) for row in rows)

    def record_evidence(
        self,
        kind: EvidenceKind,
        *,
        element_serial: str,
        cose: bytes,
        challenge: bytes,
        verifier: str,
        verdict: Mapping[str, Any],
        now: datetime,
        device_id: str | None = None,
        public_key: bytes | None = None,
        csr_sha256: bytes | None = None,
    ) -> int:
        """Keep evidence as received, with the verdict on it; returns its number.

        `verdict["trusted"]` is what issuance asks for; `public_key` (64 bytes) and `csr_sha256` (32 bytes)
        are what the evidence was found to speak of.
        """
        row = {
            "device_id": device_id,
            "element_serial": element_serial.lower(),
            "kind": kind,
            "cose": cose,
            "challenge": challenge,
            "verifier": verifier,
            "created_at": to_micros(now),
            "verdict": json.dumps(dict(verdict), sort_keys=True),
            "public_key": public_key,
            "csr_sha256": csr_sha256,
        }
        with self._write() as connection:
            key = connection.execute(insert(evidence).values(row)).inserted_primary_key
        if key is None:
            raise AssertionError("an insert returns its key")
        return int(key[0])

    def evidence(
        self,
        device_id: str | None = None,
        *,
        element_serial: str | None = None,
        kind: EvidenceKind | None = None,
    ) -> tuple[EvidenceRecord, ...]:
        """Return the evidence of a device, of a chip or of both, oldest first."""
        query = select(evidence).order_by(evidence.c.id)
        if device_id is not None:
            query = query.where(evidence.c.device_id == device_id)
        if element_serial is not None:
            query = query.where(evidence.c.element_serial == element_serial.lower())
        if kind is not None:
            query = query.where(evidence.c.kind == kind)
        with self._read() as connection:
            return tuple(_evidence(row) for row in connection.execute(query))

    def evidence_by_id(self, numbers: frozenset[int]) -> dict[int, EvidenceRecord]:
        """Return those of the named pieces of evidence that exist."""
        if not numbers:
            return {}
        query = select(evidence).where(evidence.c.id.in_(sorted(numbers)))
        with self._read() as connection:
            return {row.id: _evidence(row) for row in connection.execute(query)}


def _record(connection: Connection, new: Endorsement) -> bool:
    """Record one endorsement and say whether it was new."""
    serial = new.element_serial.lower()
    query = select(endorsement).where(endorsement.c.element_serial == serial)
    known = connection.execute(query).all()
    if any(other.attestation_key != new.attestation_key for other in known):
        raise PolicyRefusal(
            "endorsement-conflict",
            f"the chip {serial} is on record with another attestation key",
            "do not trust this board: one of the two is not that chip",
        )
    if any(other.kind == new.kind for other in known):
        return False
    row = {
        "kind": new.kind,
        "element_serial": serial,
        "attestation_key": new.attestation_key,
        "seen_at": to_micros(new.seen_at),
        "station": new.station,
        "chip_state": new.chip_state,
        "detail": json.dumps(dict(new.detail), sort_keys=True),
    }
    connection.execute(insert(endorsement).values(row))
    return True


def _endorsement(row: Row[Any]) -> Endorsement:
    return Endorsement(
        row.kind,
        row.element_serial,
        row.attestation_key,
        from_micros(row.seen_at),
        row.station,
        row.chip_state,
        json.loads(row.detail),
    )


def _evidence(row: Row[Any]) -> EvidenceRecord:
    return EvidenceRecord(
        row.id,
        row.device_id,
        row.element_serial,
        row.kind,
        row.cose,
        row.challenge,
        row.verifier,
        from_micros(row.created_at),
        json.loads(row.verdict),
        row.public_key,
        row.csr_sha256,
    )
