"""CircuitPython: busio.I2C, USB serial, the clock, the reset cause."""

import time

from .. import const

try:
    from supervisor import ticks_ms as _supervisor_ticks_ms
except ImportError:
    _supervisor_ticks_ms = None  # type: ignore[assignment]

# supervisor.ticks_ms wraps at 2 ** 29.
_TICKS_MASK = const(0x1FFFFFFF)
_TICKS_HALF = const(0x10000000)
_LOCK_MS = const(100)
_ETIMEDOUT = const(110)


def sleep_us(n):
    """Wait `n` microseconds."""
    time.sleep(n / 1_000_000)


def ticks_ms():
    """Return a count of milliseconds that only ticks_diff can compare."""
    if _supervisor_ticks_ms is not None:
        return _supervisor_ticks_ms()
    return int(time.monotonic() * 1000) & _TICKS_MASK


def ticks_diff(a, b):
    """Return the milliseconds from `b` to `a`, both of ticks_ms, less than 2 ** 28 apart."""
    return ((a - b + _TICKS_HALF) & _TICKS_MASK) - _TICKS_HALF


class I2CBus:
    """The bus of `i2c`, shaped as busio.I2C, which must run at 100 kHz or less.

    A busio.I2C keeps one frequency for life, and the wake pulse is the address byte 0, which lasts the needed
    60 us only at that speed (508A datasheet, tWLO).
    """

    def __init__(self, i2c):
        self._i2c = i2c

    def _lock(self):
        start = ticks_ms()
        while not self._i2c.try_lock():
            if ticks_diff(ticks_ms(), start) > _LOCK_MS:
                raise OSError(_ETIMEDOUT, "the I2C bus stays locked by somebody else")

    def write(self, address, buf):
        """Write `buf` to `address`; raises OSError where it is not acknowledged."""
        self._lock()
        try:
            self._i2c.writeto(address, buf)
        finally:
            self._i2c.unlock()

    def read_into(self, address, buf):
        """Fill `buf` from `address`; raises OSError where it is not acknowledged."""
        self._lock()
        try:
            self._i2c.readfrom_into(address, buf)
        finally:
            self._i2c.unlock()

    def wake(self):
        """Hold SDA low for at least 60 us, by writing to address 0."""
        try:
            self.write(0, b"\0")
        except OSError:
            pass  # Nobody acknowledges address 0.

    sleep_us = staticmethod(sleep_us)
    ticks_ms = staticmethod(ticks_ms)
    ticks_diff = staticmethod(ticks_diff)


class UsbSerial:
    """The byte stream of the serial link over `port`, shaped as usb_cdc.Serial."""

    def __init__(self, port):
        self._port = port
        port.timeout = 0

    def wait(self, ms):
        """Return whether there is something to read, waiting for it at most `ms` milliseconds."""
        start = ticks_ms()
        while not self._port.in_waiting:
            if ticks_diff(ticks_ms(), start) >= ms:
                return False
            sleep_us(1000)
        return True

    def read_into(self, buf):
        """Read what is there into `buf` and return how many bytes that was."""
        return self._port.readinto(buf) or 0

    def write(self, data):
        """Write all of `data`."""
        self._port.write(data)

    def kbd_intr(self, on):
        """Do nothing: usb_cdc.data has no Ctrl-C, and that of the console cannot be turned off."""


def serial_stream():
    """Return the byte stream of the serial link: usb_cdc.data where boot.py enables it, else the console.

    On the console a byte 03 inside a frame interrupts the service, so boot.py should enable data.
    """
    import usb_cdc

    return UsbSerial(usb_cdc.data or usb_cdc.console)


def reset_cause():
    """Return why the board last started, in a word or two."""
    import microcontroller

    return str(microcontroller.cpu.reset_reason).split(".")[-1].lower().replace("_", " ")


def nvm():
    """Return the bytes that code may keep without a file system, b"" where this board has none."""
    import microcontroller

    return microcontroller.nvm or b""
