"""One run at a time on a real port: pyserial's own lock ends whenever a test lets the port go."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path

from hri.link.errors import PortBusy


class PortLock:
    """A claim on a port by its device, whichever link names it; the kernel drops it with this process."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._descriptor: int | None = None

    @property
    def path(self) -> Path:
        """The lock file: one per device and user."""
        device = os.path.realpath(self._port)
        name = hashlib.sha256(device.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir(), f"hri-port-{os.getuid()}-{name}.lock")

    def take(self) -> None:
        """Claim the port for this process; raises PortBusy where another run has it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise PortBusy(
                "port-busy",
                f"another test run (process {holder or 'unknown'}) has {self._port}",
                "wait for it or end it, and run this again",
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the port go; releasing twice does no harm."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
