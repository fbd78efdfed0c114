"""One serial port, opened for one program alone: bytes with deadlines, and errors in plain words."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import serial

from hri.link.errors import NoDevice, NoPermission, PortBusy

# The rate matters to real UARTs only; USB and pty ignore it.
_BAUD = 115200
_READ_SLICE = 0.2
_WRITE_DEADLINE = 10.0


class PortGone(Exception):
    """The port failed in use: the cable was pulled, or a USB board restarted."""


class Port:
    """A serial port by its name, such as /dev/ttyACM0, COM5 or the path of a pty."""

    def __init__(self, name: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._monotonic = monotonic
        self._serial: serial.Serial | None = None

    def open(self) -> None:
        """Open the port exclusively; raises NoDevice, PortBusy or NoPermission."""
        try:
            self._serial = serial.Serial(
                self.name, _BAUD, timeout=_READ_SLICE, write_timeout=_WRITE_DEADLINE, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise _explain(self.name, error) from error

    def reopen(self, seconds: float) -> None:
        """Wait until the port can be opened again, for at most `seconds`; raises what `open` raises."""
        self.close()
        deadline = self._monotonic() + seconds
        while True:
            try:
                self.open()
                return
            except (NoDevice, NoPermission, PortBusy):
                # A new USB device node belongs to root for a moment, until udev has set its group.
                if self._monotonic() >= deadline:
                    raise
                time.sleep(0.05)

    def read(self, seconds: float) -> bytes:
        """Return what arrives within `seconds`, as soon as something does, or nothing; raises PortGone."""
        port = self._present()
        try:
            port.timeout = max(0.0, min(seconds, _READ_SLICE))
            first: bytes = port.read(1)
            return first + port.read(port.in_waiting) if first else b""
        except (serial.SerialException, OSError, TypeError) as error:
            raise PortGone(str(error)) from error

    def write(self, data: bytes) -> None:
        """Send all of `data`; raises PortGone, also when the other side takes nothing for ten seconds."""
        port = self._present()
        try:
            port.write(data)
        except (serial.SerialException, OSError, TypeError) as error:
            raise PortGone(str(error)) from error

    def close(self) -> None:
        """Close the port; closing twice does no harm."""
        port, self._serial = self._serial, None
        if port is not None:
            unlock(port)
            with contextlib.suppress(OSError):
                port.close()

    def _present(self) -> serial.Serial:
        if self._serial is None:
            raise PortGone("the port is closed")
        return self._serial


def unlock(port: serial.Serial) -> None:
    """Give up an open port's lock, whatever has become of the board; to be called before the port is closed.

    A process that another thread starts holds a copy of every open file until it runs its program, and with
    it the lock (flock(2)): only unlocking frees the port at once for who opens it next.
    """
    with contextlib.suppress(OSError, ValueError):
        port.exclusive = False


def _explain(name: str, error: Exception) -> NoDevice | NoPermission | PortBusy:
    number = _number(error)
    if number in (errno.EACCES, errno.EPERM):
        return NoPermission(
            "no-permission",
            f"no permission to open {name}",
            "add yourself to the group that owns the port (often `dialout`), then log in again",
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        holder = _holder(name)
        who = f" by {holder}" if holder else ""
        return PortBusy(
            "port-busy", f"{name} is in use{who}", "close that program, then run the command again"
        )
    return NoDevice(
        "no-port",
        f"cannot open {name}: {_reason(error)}",
        "plug the board in and look for its port with `hri board list`",
    )


def _number(error: BaseException) -> int | None:
    """The system's error number, also of a termios.error, which is no OSError and which pyserial wraps."""
    for one in (error, error.__context__):
        if isinstance(one, OSError) and one.errno is not None:
            return one.errno
        if one is not None and one.args and isinstance(one.args[0], int):
            return one.args[0]
    return None


def _reason(error: Exception) -> str:
    number = _number(error)
    if number == errno.ENOENT:
        return "there is no such port"
    if number == errno.ENOTTY:
        return "it is no serial port"
    return os.strerror(number) if isinstance(number, int) else str(error)


def _holder(name: str) -> str | None:
    """Return name and process id of who has locked the port, where /proc/locks tells (Linux)."""
    try:
        port = os.stat(name)
        wanted = f"{os.major(port.st_dev):02x}:{os.minor(port.st_dev):02x}:{port.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted:
                return f"{Path('/proc', fields[4], 'comm').read_text().strip()} (process {fields[4]})"
    except OSError:
        return None
    return None
