"""CPython and the unix port of MicroPython: an I2C bus over TCP, the terminal, the clock."""

import os
import socket
import sys

try:
    import termios
except ImportError:
    termios = None

try:
    from time import sleep_us, ticks_diff, ticks_ms
except ImportError:
    import time

    def sleep_us(n):  # type: ignore[misc]
        """Wait `n` microseconds."""
        time.sleep(n / 1_000_000)

    def ticks_ms():  # type: ignore[misc]
        """Return a count of milliseconds."""
        return int(time.monotonic() * 1000)  # type: ignore[attr-defined]

    def ticks_diff(a, b):  # type: ignore[misc]
        """Return the milliseconds from `b` to `a`."""
        return a - b


from . import console, reset_words

_TIMEOUT_S = 5
_ENODEV = 19
_ECONNRESET = 104
_EINVAL = 22

# What of a terminal's mode (POSIX termios; MicroPython has the calls and not the names, whose Linux values
# these are) alters bytes on their way or makes signals of them.
_INPUT = 0x0100 | 0x0040 | 0x0080 | 0x0400  # ICRNL, INLCR, IGNCR, IXON
_OUTPUT = 0x0001  # OPOST
_LOCAL = 0x0001 | 0x0002 | 0x0008  # ISIG, ICANON, ECHO


class SocketBus:
    """The I2C bus that a program serves over TCP at `host`:`port` (docs: "I2C bus over TCP").

    A lost connection is an OSError, as a missing acknowledge is, and is made anew by the next transfer.
    """

    def __init__(self, host, port):
        self._address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][-1]
        self._socket = None

    def write(self, address, buf):
        """Write `buf` to `address`; raises OSError where it is not acknowledged."""
        self._transfer(b"W", address, len(buf), buf)

    def read_into(self, address, buf):
        """Fill `buf` from `address`; raises OSError where it is not acknowledged."""
        payload = self._transfer(b"R", address, len(buf), b"")
        if len(payload) != len(buf):
            self.close()
            raise OSError(_EINVAL, "the bus server answered with another length")
        buf[:] = payload

    def wake(self):
        """Hold SDA low for at least 60 us."""
        self._transfer(b"K", 0, 0, b"")

    def power_cycle(self):
        """Take the chip's power away and give it back: it loses what is not permanent."""
        self._transfer(b"P", 0, 0, b"")

    def close(self):
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    sleep_us = staticmethod(sleep_us)
    ticks_ms = staticmethod(ticks_ms)
    ticks_diff = staticmethod(ticks_diff)

    def _transfer(self, op, address, length, payload):
        try:
            connection = self._connect()
            _send(connection, op + bytes((address, length >> 8, length & 0xFF)) + payload)
            head = _receive(connection, 3)
            reply = _receive(connection, head[1] << 8 | head[2])
        except BaseException:
            # Half an exchange, interrupted or failed, would put every later one out of step.
            self.close()
            raise
        if head[0]:
            raise OSError(_ENODEV, "%s not acknowledged" % ("address" if head[0] == 1 else "data"))
        return reply

    def _connect(self):
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.settimeout(_TIMEOUT_S)
            self._socket.connect(self._address)
        return self._socket


def _send(connection, data):
    while data:
        data = data[connection.send(data) :]


def _receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError(_ECONNRESET, "the bus server closed the connection")
        data += part
    return data


def bus_from_environment():
    """Return the SocketBus at HRI_BUS, "host:port"; raises ValueError where that says no such thing."""
    host, _, port = (os.getenv("HRI_BUS") or "").rpartition(":")
    if not host:
        raise ValueError("set HRI_BUS to the host:port of an I2C bus, as `hri rig bus` serves one")
    return SocketBus(host, int(port))


class Terminal(console.Console):
    """Standard input and output; while Ctrl-C is off, the terminal passes every byte as it is."""

    def __init__(self):
        # CPython's own buffers, of which poll knows nothing, are left out; MicroPython has none.
        stdin = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        stdout = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        super().__init__(stdin, stdout, sys.stdin)
        self._mode = None

    def write(self, data):
        """Write all of `data`."""
        # A pipe or a terminal may take a part at a time.
        view = memoryview(data)
        while len(view):
            view = view[self._stdout.write(view) :]

    def kbd_intr(self, on):
        """Turn the terminal's Ctrl-C on or off; where there is no terminal there is none."""
        if on:
            if self._mode is not None:
                termios.tcsetattr(0, 0, self._mode)
                self._mode = None
        elif self._mode is None:
            mode = _terminal_mode()
            if mode is not None:
                self._mode = list(mode)
                mode[0] &= ~_INPUT
                mode[1] &= ~_OUTPUT
                mode[3] &= ~_LOCAL
                termios.tcsetattr(0, 0, mode)


def _terminal_mode():
    if termios is None:
        return None
    try:
        return termios.tcgetattr(0)
    except getattr(termios, "error", OSError):
        return None  # No terminal.


def serial_stream():
    """Return the byte stream of the serial link: the terminal, or whatever standard input and output are."""
    return Terminal()


def reset_cause():
    """Return why the board last started, where a supervisor knows; else "process": a program was started."""
    try:
        import machine
    except ImportError:
        return "process"
    return reset_words(machine) if hasattr(machine, "reset_cause") else "process"
