"""The Merkle log in the registry: certificates get their places, or wait for the sequencer to give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from hri.registry.database import Database
from hri.registry.log_head import (
    CERTIFICATES,
    LogHead,
    checked_checkpoint,
    damaged,
    read_heads,
    signed_head,
    write_heads,
)
from hri.registry.log_tiles import read_edge, read_tiles, reader, root, write_tiles
from hri.registry.schema import certificate, log_tile
from hri.signed_note import NoteSigner
from hri.transparency.leaf import Leaf
from hri.transparency.merkle import EMPTY_ROOT, leaf_hash
from hri.transparency.tiles import grown

# What one transaction gives their places at most; the rest takes the next.
_BATCH = 4096
_LOGGED = (
    certificate.c.log_index,
    certificate.c.serial_number,
    certificate.c.der,
    certificate.c.issued_at,
    certificate.c.before_log,
)
_WAITING = (
    select(*_LOGGED)
    .where(certificate.c.log_index.is_(None))
    .order_by(certificate.c.issued_at, certificate.c.serial_number)
)
# Rows that somebody else has locked wait for the next time: nobody waits for them while the log is locked.
_NEXT = _WAITING.limit(_BATCH).with_for_update(skip_locked=True)
_PLACE = (
    update(certificate)
    .where(certificate.c.serial_number == bindparam("of"))
    .values(log_index=bindparam("place"))
)


@dataclass(frozen=True, slots=True)
class LoggedCertificate:
    """A certificate (serial number, 40 hex digits) with its place in the log, None while it waits for one.

    `issued_at` is in µs since 1970.
    """

    index: int | None
    serial_number: str
    issued_at: int
    leaf: Leaf


class MerkleLog(Database):
    """The places of certificates, and the tiles; neither ever changes once it is there in full."""

    def log_head(self) -> LogHead:
        """Return the size of the tree, its root, and its checkpoint."""
        with self._read() as connection:
            return read_heads(connection, CERTIFICATES)[CERTIFICATES]

    def sequence(self, signer: NoteSigner) -> int:
        """Give every waiting certificate its place and sign the new tree head; returns how many there were.

        One at a time does it, under a lock in the database; a process killed at any moment leaves them
        waiting or placed. Raises StorageError, also where the log was changed by somebody else.
        """
        done = 0
        while True:
            with self._write() as connection:
                head = read_heads(connection, CERTIFICATES, lock=True)[CERTIFICATES]
                waiting = connection.execute(_NEXT).all()
                if waiting or head.checkpoint is None:
                    head = extend(connection, head, signer, waiting)
                    write_heads(connection, {CERTIFICATES: head})
            done += len(waiting)
            if len(waiting) < _BATCH:
                return done

    def sign_log_anew(self, signer: NoteSigner) -> LogHead:
        """Sign the tree head as if it never was. Raises StorageError where the tiles do not lead to it."""
        with self._write() as connection:
            head = read_heads(connection, CERTIFICATES, lock=True)[CERTIFICATES]
            if root(head.size, read_edge(connection, head.size)) != head.digest:
                raise damaged(CERTIFICATES, "its tiles do not lead to its tree head")
            head = signed_head(head.size, head.digest, signer)
            write_heads(connection, {CERTIFICATES: head})
        return head

    def log_tile(self, level: int, index: int) -> bytes:
        """Return the hashes of a tile as far as there are any."""
        with self._read() as connection:
            return read_tiles(connection, [(level, index)]).get((level, index), b"")

    def log_tiles(self) -> Iterator[tuple[int, int, bytes]]:
        """Return every tile that is kept: level, index, hashes."""
        query = select(log_tile).order_by(log_tile.c.level, log_tile.c.tile_index)
        with self._read() as connection:
            for row in connection.execute(query):
                yield row.level, row.tile_index, bytes(row.hashes)

    def log_entries(self, begin: int, end: int) -> list[LoggedCertificate]:
        """Return the entries with `begin` <= index < `end`, in order of index."""
        within = (certificate.c.log_index >= begin) & (certificate.c.log_index < end)
        with self._read() as connection:
            rows = connection.execute(select(*_LOGGED).where(within).order_by(certificate.c.log_index))
            return [_logged(row) for row in rows]

    def log_index_range(self) -> tuple[int, int]:
        """Return the smallest index that a certificate has, and the one behind the largest."""
        place = certificate.c.log_index
        with self._read() as connection:
            first, last = connection.execute(select(func.min(place), func.max(place))).one()
        return (0, 0) if first is None else (first, last + 1)

    def pending(self) -> list[LoggedCertificate]:
        """Return what waits for its place."""
        with self._read() as connection:
            return [_logged(row) for row in connection.execute(_WAITING)]

    def log_entry_of(self, serial_number: str) -> LoggedCertificate | None:
        """Return a certificate (serial number, 40 hex digits) with its place, None where there is none."""
        query = select(*_LOGGED).where(certificate.c.serial_number == serial_number)
        with self._read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _logged(row)


def place_new(
    connection: Connection, head: LogHead, signer: NoteSigner, rows: Sequence[dict[str, Any]]
) -> LogHead:
    """Give certificates that are about to be recorded their places, and return the new end.

    They come behind those that wait. `rows` are as the registry keeps them, and get their `log_index`.

    Raises StorageError where the log was changed by somebody else: nothing is issued on top of that.
    """
    waiting = connection.execute(_NEXT).all()
    # Behind a full batch there may be more: these take their turn in the queue.
    return extend(connection, head, signer, waiting, () if len(waiting) == _BATCH else rows)


def extend(
    connection: Connection,
    head: LogHead,
    signer: NoteSigner,
    waiting: Sequence[Any],
    new: Sequence[dict[str, Any]] = (),
) -> LogHead:
    """Place recorded and new certificates behind a locked end, and return the new one, signed."""
    checkpoint = checked_checkpoint(CERTIFICATES, head, signer)
    edge = read_edge(connection, head.size)
    signed = (0, EMPTY_ROOT) if checkpoint is None else (checkpoint.size, checkpoint.digest)
    if signed != (head.size, head.digest) or root(head.size, edge) != head.digest:
        # Every head of this log is signed; whatever else is there is not built upon.
        raise damaged(CERTIFICATES, "its tiles do not lead to its signed tree head")
    hashes = []
    for row in waiting:
        hashes.append(_hash(row.issued_at, row.der, row.before_log))
    for values in new:
        values["log_index"] = head.size + len(hashes)
        hashes.append(_hash(values["issued_at"], values["der"], False))
    if waiting:
        places = [{"of": row.serial_number, "place": index} for index, row in enumerate(waiting, head.size)]
        connection.execute(_PLACE, places)
    changed = grown(head.size, hashes, reader(edge))
    write_tiles(connection, head.size, changed)
    size = head.size + len(hashes)
    return signed_head(size, root(size, {**edge, **changed}), signer)


def _hash(issued_at: int, der: bytes, before_log: bool) -> bytes:
    return leaf_hash(Leaf(issued_at // 1000, der, before_log).to_bytes())


def _logged(row: Any) -> LoggedCertificate:
    leaf = Leaf(row.issued_at // 1000, bytes(row.der), row.before_log)
    return LoggedCertificate(row.log_index, row.serial_number, row.issued_at, leaf)
