"""CircuitPython's busio.I2C over the rig's bus server: it must be locked, and says OSError 19."""

import os
import socket

_ENODEV = 19


class I2C:
    """An I2C controller for the life of this object at one frequency, as CircuitPython's is."""

    def __init__(self, scl, sda, *, frequency=100_000, timeout=255):
        if (scl, sda) != ("GP1", "GP0") or frequency > 100_000 or timeout < 1:
            raise ValueError("the chip of this board is on GP1 and GP0, and wakes at 100 kHz")
        host, _, port = os.environ["BOARD_I2C"].rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._locked = False

    def try_lock(self):
        """Take the bus, and return whether it was free."""
        free, self._locked = not self._locked, True
        return free

    def unlock(self):
        """Give the bus back."""
        if not self._locked:
            raise ValueError("the bus is not locked")
        self._locked = False

    def writeto(self, address, buffer, *, start=0, end=None):
        """Write to `address`."""
        data = bytes(buffer)[start:end]
        self._transfer(b"W", address, len(data), data)

    def readfrom_into(self, address, buffer, *, start=0, end=None):
        """Read from `address`."""
        end = len(buffer) if end is None else end
        memoryview(buffer)[start:end] = self._transfer(b"R", address, end - start, b"")

    def _transfer(self, operation, address, length, payload):
        if not self._locked:
            raise RuntimeError("Function requires lock")
        self._socket.sendall(operation + bytes((address, length >> 8, length & 0xFF)) + payload)
        status, high, low = self._receive(3)
        reply = self._receive(high << 8 | low)
        if status:
            raise OSError(_ENODEV, "No such device")
        return reply

    def _receive(self, size):
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise SystemExit("the bus server has gone")
            data += part
        return data
