"""A registry that was set back is brought up to what its own log had become: rows, places, head, acts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from hri.audit.entry import Act
from hri.audit.recorder import Recorder
from hri.checkpoint import Checkpoint
from hri.errors import PolicyRefusal
from hri.registry.audit_log import Recorded, append_acts
from hri.registry.bulk import insert_rows
from hri.registry.certificates import COMPROMISED, LIVE
from hri.registry.database import Database, to_micros
from hri.registry.device_life import HOLD
from hri.registry.log_head import CERTIFICATES, LogHead, damaged, read_heads, write_heads
from hri.registry.log_tiles import read_edge, read_tiles, reader, root, write_tiles
from hri.registry.records import RevokedEntry
from hri.registry.schema import certificate, counter, crl, device
from hri.transparency.leaf import Leaf
from hri.transparency.merkle import leaf_hash
from hri.transparency.tiles import grown, root_of

CRL_NUMBERS_LEFT_OUT = 1_000_000
"""So many lists of one name may have been published since the backup: the next number is behind them all."""

# What a device is whose certificate is on a list for this, as far as a list tells; for the rest, revoked.
_ENDED = {"cessationOfOperation": "decommissioned", "affiliationChanged": "transferred", HOLD: "suspended"}


@dataclass(frozen=True, slots=True)
class ReplayedEntry:
    """An entry of the log and what its certificate says: serial number and hashes in hex, times in µs."""

    leaf: Leaf
    serial_number: str
    device_id: str
    public_key_sha256: str
    not_before: int
    not_after: int
    issuer: str | None


@dataclass(slots=True)
class Replayed:
    """What a replay did: the log's size before and now, and what was put on record again."""

    since: int
    size: int
    certificates: int = 0
    devices: int = 0
    revocations: int = 0
    acts: list[Act] = field(default_factory=list)


class LogReplay(Database):
    """Certificates that were issued after a backup, put on record again."""

    def replay_log(
        self,
        note: str,
        checkpoints: Sequence[Checkpoint],
        entries: Sequence[ReplayedEntry],
        revoked: Iterable[RevokedEntry],
        crl_number: int,
        now: datetime,
        *,
        since: int,
        recorder: Recorder,
    ) -> Replayed:
        """Continue the log from `since` with `entries` to its last signed checkpoint, in one transaction.

        `note` is the first of `checkpoints` as it was signed; the log has to agree with all of them.
        `revoked` is what lists say that were published since, and `crl_number` the largest number among them.
        Doing it again changes nothing but that.

        Raises PolicyRefusal where the registry is no beginning of that log, and StorageError.
        """
        with self._write() as connection:
            head = read_heads(connection, CERTIFICATES, lock=True)[CERTIFICATES]
            if head.size != since:
                raise PolicyRefusal("log-moved", "somebody else added to the log", "run the command again")
            done = Replayed(head.size, head.size + len(entries))
            if entries:
                head = _grown(connection, head, note, entries)
            for checkpoint in checkpoints:
                _agree(connection, head.size, checkpoint)
            if entries:
                write_heads(connection, {CERTIFICATES: head})
                _record(connection, entries, since, to_micros(now), done)
            for entry in revoked:
                _revoke(connection, entry, done)
            number = _leave_out_numbers(connection, crl_number)
            told = {
                "since": done.since,
                "size": done.size,
                "certificates": done.certificates,
                "revocations": done.revocations,
                "crl_number": number,
            }
            done.acts.append(Act("replay-log", details=told))
            append_acts(connection, Recorded(recorder, tuple(done.acts)), now)
            return done


def _grown(connection: Connection, head: LogHead, note: str, entries: Sequence[ReplayedEntry]) -> LogHead:
    """Put the entries behind the tree and return its new end, which is still to be held against `note`."""
    edge = read_edge(connection, head.size)
    if root(head.size, edge) != head.digest:
        raise damaged(CERTIFICATES, "its tiles do not lead to its tree head")
    hashes = [leaf_hash(entry.leaf.to_bytes()) for entry in entries]
    changed = grown(head.size, hashes, reader(edge))
    write_tiles(connection, head.size, changed)
    size = head.size + len(entries)
    return LogHead(size, root(size, {**edge, **changed}), note)


def _agree(connection: Connection, size: int, checkpoint: Checkpoint) -> None:
    """Raise PolicyRefusal unless the tiles lead to what was signed."""

    def read(level: int, index: int) -> bytes:
        return read_tiles(connection, [(level, index)]).get((level, index), b"")

    if checkpoint.size > size or root_of(checkpoint.size, read) != checkpoint.digest:
        raise PolicyRefusal(
            "log-forked",
            f"this registry and the checkpoint of {checkpoint.size} entries are not of one log",
            "issue nothing from it: restore a backup of the same registry, from before the export",
        )


def _record(
    connection: Connection, entries: Sequence[ReplayedEntry], begin: int, now: int, done: Replayed
) -> None:
    for index, entry in enumerate(entries, begin):
        known = certificate.c.serial_number == entry.serial_number
        row = connection.execute(select(certificate.c.der).where(known)).first()
        if row is not None:
            # It waited for its place when the backup was made.
            if bytes(row.der) != entry.leaf.certificate:
                raise damaged(CERTIFICATES, f"certificate {entry.serial_number} is not the one in the log")
            connection.execute(update(certificate).where(known).values(log_index=index))
            continue
        values = _certificate(entry, index)
        values.update(_standing(connection, entry.device_id, now, done))
        insert_rows(connection, certificate, [values])
        details = {
            "certificate": entry.serial_number,
            "sha256": hashlib.sha256(entry.leaf.certificate).digest(),
            "issued_at": values["issued_at"],
        }
        done.acts.append(Act("replay", entry.device_id, reason="in the exported log", details=details))
        done.certificates += 1


def _standing(connection: Connection, device_id: str, now: int, done: Replayed) -> dict[str, Any]:
    """Make room for a device's newer certificate, and return what is to be its state.

    It waits for the device to answer with it, as after any issue; until then the active one stays in force.
    What waited before is superseded: a device holds one that is not confirmed at most.
    """
    status = connection.execute(select(device.c.status).where(device.c.device_id == device_id)).scalar()
    if status is None:
        insert_rows(connection, device, [_device(device_id, now)])
        done.devices += 1
    mine = certificate.c.device_id == device_id
    gone = {"state": "superseded", "revoked_at": now, "reason": "superseded"}
    connection.execute(update(certificate).where(mine, certificate.c.state == "issued").values(gone))
    active = select(certificate.c.serial_number).where(mine, certificate.c.state == "active")
    values = {"state": "issued", "replaces": connection.execute(active).scalar()}
    if status == "suspended":
        return {**values, "revoked_at": now, "reason": HOLD}
    if status in ("transferred", "revoked", "decommissioned"):
        return {**values, "state": "revoked", "revoked_at": now, "reason": "unspecified"}
    return values


def _device(device_id: str, now: int) -> dict[str, Any]:
    return {
        "device_id": device_id,
        "element_type": "unknown",
        "element_serial": None,
        "status": "provisioning",
        "slot": None,
        "created_at": now,
        "last_authenticated_at": None,
        "label": "from the exported log",
        "owner": None,
    }


def _certificate(entry: ReplayedEntry, index: int) -> dict[str, Any]:
    return {
        "serial_number": entry.serial_number,
        "device_id": entry.device_id,
        "der": entry.leaf.certificate,
        "public_key_sha256": entry.public_key_sha256,
        "state": "issued",
        "issued_at": entry.leaf.timestamp * 1000,
        "not_before": entry.not_before,
        "not_after": entry.not_after,
        "slot": None,
        "revoked_at": None,
        "reason": None,
        "replaces": None,
        "evidence": "",
        "unattested": "from the exported log: its evidence was lost",
        "log_index": index,
        "before_log": entry.leaf.before_log,
        "issuer": entry.issuer,
    }


def _revoke(connection: Connection, entry: RevokedEntry, done: Replayed) -> None:
    """Take over what a list says of a certificate; where it was in use its device ends with it."""
    serial = f"{entry.serial_number:040x}"
    this = certificate.c.serial_number == serial
    row = connection.execute(select(certificate).where(this)).first()
    if row is None or not _says_more(entry.reason, row):
        return
    values: dict[str, Any] = {"revoked_at": to_micros(entry.revoked_at), "reason": entry.reason}
    if entry.reason != HOLD:
        values["state"] = "superseded" if entry.reason == "superseded" else "revoked"
    connection.execute(update(certificate).where(this).values(values))
    if row.state in LIVE and entry.reason != "superseded":
        mine = device.c.device_id == row.device_id
        over = device.c.status.in_(("revoked", "decommissioned"))
        ended = _ENDED.get(entry.reason, "revoked")
        connection.execute(update(device).where(mine, ~over).values(status=ended))
    told = "revoke" if values.get("state") == "revoked" else "replay"
    details = {"certificates": [serial]} if told == "revoke" else {"listed": serial}
    done.acts.append(Act(told, row.device_id, reason=entry.reason, details=details))
    done.revocations += 1


def _says_more(reason: str, row: Any) -> bool:
    """Say whether a list's reason adds to what is on record: final beats hold, a compromise everything."""
    if row.reason == reason:
        return False
    if row.revoked_at is None or reason in COMPROMISED:
        return True
    return reason != HOLD and row.reason == HOLD


def _leave_out_numbers(connection: Connection, published: int) -> int:
    """Number the next lists behind all that may have been published since the backup; return the last one.

    RFC 5280 section 5.2.3: the number of a later list is greater. A list whose name is new begins there too.
    """
    kept = connection.execute(select(func.max(crl.c.number))).scalar() or 0
    counted = connection.execute(select(counter.c.value).where(counter.c.name == "crl")).scalar()
    number = max(published, kept, counted or 0) + CRL_NUMBERS_LEFT_OUT
    if counted is None:
        connection.execute(counter.insert().values(name="crl", value=number))
    connection.execute(update(counter).where(counter.c.name == "crl").values(value=number))
    # No list says what is on record now: each is due.
    connection.execute(update(crl).values(number=number, content_sha256=""))
    return int(number)
