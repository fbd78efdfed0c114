"""The pty on which a board is served, under a path that stays when the pty is replaced."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import termios
import tty
from collections import deque
from pathlib import Path

from hri.rig.boards.link import Link

_READ_SIZE = 512
# What a host that does not read can have waiting; older bytes are lost first, as in a driver's ring.
_PENDING_LIMIT = 64 * 1024


def open_raw_pty() -> tuple[int, int]:
    """Return the master, which never blocks, and the slave of a new pty that passes every byte unchanged."""
    master, slave = os.openpty()
    tty.setraw(slave, termios.TCSANOW)
    os.set_blocking(master, False)
    return master, slave


class Port:
    """A serial port for clients: ``path`` is a symbolic link to the pty's slave.

    Everything but ``path`` belongs to the board's own thread.
    """

    def __init__(self, link: Link) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hri-board-"))
        self.path = self._folder / "tty"
        self._link = link
        self._pending: deque[bytes] = deque()
        self._pending_size = 0
        self._master = -1
        # Held open so that a client that closes the port does not hang up the master.
        self._slave = -1
        self.connect()

    def fileno(self) -> int:
        """Return the master's descriptor, or -1 while the port is hung up."""
        return self._master

    @property
    def wants_write(self) -> bool:
        """Return whether bytes wait for the host to read."""
        return bool(self._pending) and self._master >= 0

    def connect(self) -> None:
        """Offer the port on ``path``; does nothing while it is offered."""
        if self._master >= 0:
            return
        self._master, self._slave = open_raw_pty()
        fresh = self.path.with_suffix(".new")
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.path)

    def hang_up(self) -> None:
        """Take the port away: clients get an error and the path is gone."""
        if self._master < 0:
            return
        self.path.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1
        self._pending.clear()
        self._pending_size = 0

    def close(self) -> None:
        """Take the port away for good."""
        self.hang_up()
        shutil.rmtree(self._folder, ignore_errors=True)

    def read(self) -> bytes:
        """Return what the host has sent, past the faults of the link; empty when there is nothing."""
        if self._master < 0:
            return b""
        try:
            return self._link.incoming(os.read(self._master, _READ_SIZE))
        except (BlockingIOError, InterruptedError):
            return b""

    def write(self, data: bytes) -> None:
        """Send ``data`` to the host, past the faults of the link, without ever waiting."""
        data = self._link.outgoing(data)
        if not data or self._master < 0:
            return
        self._pending.append(data)
        self._pending_size += len(data)
        while self._pending_size > _PENDING_LIMIT:
            self._pending_size -= len(self._pending.popleft())
        self.flush()

    def flush(self) -> None:
        """Hand over as much of what waits as the pty takes."""
        while self._pending and self._master >= 0:
            data = self._pending.popleft()
            sent = 0
            with contextlib.suppress(BlockingIOError, InterruptedError):
                sent = os.write(self._master, data)
            self._pending_size -= sent
            if sent < len(data):
                self._pending.appendleft(data[sent:])
                return
