"""Leases: who is at work on a chip or a device right now."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, insert, select, update
from sqlalchemy import exc as sa_exc

from hri.errors import PolicyRefusal, StorageError
from hri.log import get_logger
from hri.registry.database import Database, from_micros, to_micros
from hri.registry.schema import lease

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on `name`; gone once it is given back or `expires_at` has passed."""

    name: str
    token: str
    expires_at: datetime


class Leases(Database):
    """The table of leases."""

    @contextmanager
    def lease(self, name: str, owner: str, ttl: timedelta, now: datetime) -> Iterator[Lease]:
        """Hold a lease while the block runs; a second holder is refused at once, never kept waiting.

        A lease that expired is taken over, and so is one whose process on this machine is gone.

        Raises PolicyRefusal `lease-held`, which names the holder.
        """
        held = self._take(name, owner, ttl, now)
        try:
            yield held
        finally:
            self._give_back(held)

    def renew_lease(self, held: Lease, ttl: timedelta, now: datetime) -> Lease:
        """Extend a lease that is still ours.

        Raises PolicyRefusal `lease-lost` where it expired and somebody else took it.
        """
        expires_at = now + ttl
        mine = (lease.c.name == held.name) & (lease.c.token == held.token)
        with self._write() as connection:
            statement = update(lease).where(mine).values(expires_at=to_micros(expires_at))
            if connection.execute(statement).rowcount != 1:
                raise PolicyRefusal(
                    "lease-lost", f"{held.name} was taken over by another process", "run the command again"
                )
        return Lease(held.name, held.token, expires_at)

    def _take(self, name: str, owner: str, ttl: timedelta, now: datetime) -> Lease:
        held = Lease(name, secrets.token_hex(16), now + ttl)
        row = {
            "name": name,
            "token": held.token,
            "owner": owner,
            "host": _this_host(),
            "process": _process(os.getpid()),
            "expires_at": to_micros(held.expires_at),
        }
        try:
            with self._write() as connection:
                other = connection.execute(
                    select(lease).where(lease.c.name == name).with_for_update()
                ).first()
                if other is not None:
                    if other.expires_at > to_micros(now) and not _gone(other.host, other.process):
                        raise _held(name, other.owner, from_micros(other.expires_at))
                    _log.warning("lease taken over", name=name, owner=other.owner)
                    connection.execute(delete(lease).where(lease.c.name == name))
                connection.execute(insert(lease).values(row))
        except sa_exc.IntegrityError as error:
            raise _held(name, "another process", held.expires_at) from error
        return held

    def _give_back(self, held: Lease) -> None:
        try:
            with self._write() as connection:
                mine = (lease.c.name == held.name) & (lease.c.token == held.token)
                connection.execute(delete(lease).where(mine))
        except StorageError as error:
            # The work is done, or its own error is on the way; the lease ends by itself.
            _log.warning("lease not given back", name=held.name, error=error.message)


def _held(name: str, owner: str, until: datetime) -> PolicyRefusal:
    return PolicyRefusal(
        "lease-held",
        f"{owner} is at work on {name} (until {until:%H:%M:%S} UTC at most)",
        "wait until it is done, then run the command again",
    )


def _this_host() -> str:
    """Name this machine and its boot: process numbers of another boot mean nothing."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()}/{boot}"


def _process(pid: int) -> str:
    """Name a process so that another one with the same number is told apart (proc(5), starttime)."""
    try:
        # The second field, the name in brackets, may contain anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return f"{pid}/{fields[19]}"
    except (OSError, IndexError):
        return f"{pid}/"


def _gone(host: str, process: str) -> bool:
    if host != _this_host():
        return False
    number, _, start = process.partition("/")
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return bool(start) and _process(int(number)) != process
