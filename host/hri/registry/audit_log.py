"""The audit log's rows: acts are chained to what is there, in the transaction of what they tell of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from hri.audit.chain import StoredEntry
from hri.audit.entry import BEGINNING, Act, Entry, digest
from hri.audit.recorder import Recorder
from hri.checkpoint import Checkpoint
from hri.registry.bulk import insert_rows
from hri.registry.database import Database, to_micros
from hri.registry.log_head import (
    AUDIT,
    LogHead,
    checked_checkpoint,
    damaged,
    read_heads,
    signed_head,
    write_heads,
)
from hri.registry.schema import audit_entry
from hri.signed_note import NoteSigner

_COLUMNS = (
    audit_entry.c.number,
    audit_entry.c.at,
    audit_entry.c.act,
    audit_entry.c.subject,
    audit_entry.c.entry,
)
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Recorded:
    """Acts that go into the audit log together with the change that they tell of, or not at all."""

    recorder: Recorder
    acts: tuple[Act, ...]


class AuditLog(Database):
    """The table of acts; rows are added and never changed."""

    def record_acts(self, recorded: Recorded, now: datetime) -> None:
        """Record acts that change nothing else here; durable once this returns.

        Raises StorageError, also where the log was changed by somebody else.
        """
        with self._write() as connection:
            append_acts(connection, recorded, now)

    def audit_head(self) -> LogHead:
        """Return how long the audit log is, the hash of its last entry, and its last checkpoint."""
        with self._read() as connection:
            return read_heads(connection, AUDIT)[AUDIT]

    def audit_entries(
        self,
        *,
        since: datetime | None = None,
        subject: str | None = None,
        act: str | None = None,
        after: int | None = None,
    ) -> Iterator[StoredEntry]:
        """Return entries in their order, those behind number `after`, read a page at a time."""
        query = select(*_COLUMNS).order_by(audit_entry.c.number).limit(_PAGE)
        if since is not None:
            query = query.where(audit_entry.c.at >= to_micros(since))
        if subject is not None:
            query = query.where(audit_entry.c.subject == subject)
        if act is not None:
            query = query.where(audit_entry.c.act == act)
        while True:
            with self._read() as connection:
                behind = query if after is None else query.where(audit_entry.c.number > after)
                rows = connection.execute(behind).all()
            for row in rows:
                yield StoredEntry(*row)
            if len(rows) < _PAGE:
                return
            after = rows[-1].number

    def audit_end(self) -> int:
        """Return the number behind the largest that an entry has."""
        with self._read() as connection:
            last = connection.execute(select(func.max(audit_entry.c.number))).scalar()
        return 0 if last is None else int(last) + 1

    def last_configuration(self) -> StoredEntry | None:
        """Return the entry of the configuration that was seen last."""
        query = select(*_COLUMNS).where(audit_entry.c.act == "configuration")
        with self._read() as connection:
            row = connection.execute(query.order_by(audit_entry.c.number.desc()).limit(1)).first()
        return None if row is None else StoredEntry(*row)

    def sign_audit(self, signer: NoteSigner, *, anew: bool = False) -> LogHead:
        """Sign what was chained since the last checkpoint; `anew`, as if there never was one.

        Raises StorageError where it does not follow it.
        """
        with self._write() as connection:
            head = read_heads(connection, AUDIT, lock=True)[AUDIT]
            if anew:
                head = LogHead(head.size, head.digest, Checkpoint(signer.name, 0, BEGINNING).signed(signer))
            _check_unsigned(connection, head, signer)
            head = signed_head(head.size, head.digest, signer)
            write_heads(connection, {AUDIT: head})
        return head


def append_acts(connection: Connection, recorded: Recorded, now: datetime) -> None:
    """Chain acts to the log inside the caller's transaction, as its last step, and sign if the keys are open.

    The last step, because from here until the commit nobody else can append. Raises StorageError.
    """
    head = read_heads(connection, AUDIT, lock=True)[AUDIT]
    write_heads(connection, {AUDIT: chain_acts(connection, head, recorded, now)})


def chain_acts(connection: Connection, head: LogHead, recorded: Recorded, now: datetime) -> LogHead:
    """Chain acts behind a locked end, and return the new one. Raises StorageError."""
    keys, actor, moment = recorded.recorder.keys, recorded.recorder.actor, to_micros(now)
    if keys is not None:
        _check_unsigned(connection, head, keys.audit)
    number, before, rows = head.size, head.digest, []
    for act in recorded.acts:
        entry = Entry(number, before, moment, actor, act).to_bytes()
        rows.append({"number": number, "at": moment, "act": act.act, "subject": act.subject, "entry": entry})
        number, before = number + 1, digest(entry)
    insert_rows(connection, audit_entry, rows)
    if keys is None:
        return LogHead(number, before, head.checkpoint)
    return signed_head(number, before, keys.audit)


def _check_unsigned(connection: Connection, head: LogHead, signer: NoteSigner) -> None:
    """Raise StorageError unless what was chained without the key follows what the key has signed."""
    checkpoint = checked_checkpoint(AUDIT, head, signer)
    size, before = (0, BEGINNING) if checkpoint is None else (checkpoint.size, checkpoint.digest)
    if size < head.size:
        query = select(*_COLUMNS).where(audit_entry.c.number >= size).order_by(audit_entry.c.number)
        for row in connection.execute(query):
            try:
                entry = Entry.from_bytes(row.entry)
            except ValueError as error:
                raise damaged(AUDIT, f"entry {row.number} is malformed") from error
            if (entry.number, entry.before) != (size, before):
                raise damaged(AUDIT, f"entry {row.number} does not follow the one before it")
            size, before = size + 1, digest(row.entry)
    if (size, before) != (head.size, head.digest):
        raise damaged(AUDIT, "its end is not the recorded one")
