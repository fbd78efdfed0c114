"""The ends of the logs: how long each is, its hash, and what was signed of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from hri.checkpoint import Checkpoint
from hri.errors import StorageError
from hri.registry.schema import log_head
from hri.signed_note import NoteError, NoteSigner

CERTIFICATES, AUDIT = "certificates", "audit"


@dataclass(frozen=True, slots=True)
class LogHead:
    """A log's number of entries, its hash (32 bytes), and its last checkpoint, maybe of an earlier end."""

    size: int
    digest: bytes
    checkpoint: str | None


_READ = (
    select(log_head.c.name, log_head.c.size, log_head.c.digest, log_head.c.checkpoint)
    .where(log_head.c.name.in_(bindparam("names", expanding=True)))
    # In one order, or two who want both could wait for each other.
    .order_by(log_head.c.name.desc())
)
_LOCK = _READ.with_for_update()
_WRITE = (
    update(log_head)
    .where(log_head.c.name == bindparam("of"))
    .values({name: bindparam(name) for name in ("size", "digest", "checkpoint")})
)


def read_heads(connection: Connection, *names: str, lock: bool = False) -> dict[str, LogHead]:
    """Return the logs' ends; with `lock` nobody else moves them before this transaction ends.

    Raises StorageError where a row is gone.
    """
    rows = connection.execute(_LOCK if lock else _READ, {"names": names})
    found = {name: LogHead(*values) for name, *values in rows}
    for name in names:
        if name not in found:
            raise damaged(name, "its end is not recorded")
    return found


def write_heads(connection: Connection, heads: Mapping[str, LogHead]) -> None:
    """Record the logs' new ends."""
    rows = [
        {"of": name, "size": head.size, "digest": head.digest, "checkpoint": head.checkpoint}
        for name, head in heads.items()
    ]
    connection.execute(_WRITE, rows)


def signed_head(size: int, digest: bytes, signer: NoteSigner) -> LogHead:
    """Return an end with a checkpoint of it."""
    return LogHead(size, digest, Checkpoint(signer.name, size, digest).signed(signer))


def checked_checkpoint(name: str, head: LogHead, signer: NoteSigner) -> Checkpoint | None:
    """Return what was last signed of a log, so that nothing else is ever signed on top of it; None at size 0.

    Raises StorageError where entries are there and this key signed none of them: they are not vouched for
    unawares.
    """
    if head.checkpoint is None:
        if head.size == 0:
            return None
        raise StorageError(
            "log-unsigned",
            f"the {name} log has {head.size} entries that this home's key never signed",
            "is the database new to this home? then `hri log begin` signs what is there; otherwise somebody "
            "changed it: restore it from a backup",
        )
    try:
        found = Checkpoint.opened(head.checkpoint, signer)
    except NoteError as error:
        raise damaged(name, f"its checkpoint does not hold: {error}") from error
    if found.size > head.size:
        raise damaged(name, f"{found.size} entries were signed, and it has {head.size}")
    return found


def damaged(name: str, what: str) -> StorageError:
    """Return what is said of a log that does not fit together."""
    return StorageError(
        "log-damaged",
        f"the {name} log was changed by somebody else: {what}",
        "look into it with `hri log verify` and `hri audit verify`; restore the registry from a backup",
    )
