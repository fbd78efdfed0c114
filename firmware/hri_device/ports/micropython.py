"""MicroPython on a microcontroller: machine.I2C, the console, the clock, the reset cause."""

import sys
from time import sleep_us, ticks_diff, ticks_ms

import machine
import micropython
from micropython import const

from . import console, reset_words

# At 100 kHz the eight low bits of an address byte of zero last 80 us, and at 400 kHz 20; the chip wakes after
# 60 (508A datasheet, tWLO).
_PULSE_HZ = const(100_000)
_CTRL_C = const(3)
_EIO = const(5)


class I2CBus:
    """The hardware I2C bus `id` on the pins numbered `scl` and `sda`, at `freq` hertz."""

    def __init__(self, id=0, scl=1, sda=0, freq=400_000):
        self._id = id
        self._scl = machine.Pin(scl)
        self._sda = machine.Pin(sda)
        self._freq = freq
        self._open(freq)

    def _open(self, freq):
        self._i2c = machine.I2C(self._id, scl=self._scl, sda=self._sda, freq=freq)

    def write(self, address, buf):
        """Write `buf` to `address`; raises OSError where it is not acknowledged."""
        # The rp2 port raises nothing for a data byte that is refused: it returns how many were acknowledged.
        if self._i2c.writeto(address, buf) != len(buf):
            raise OSError(_EIO)

    def read_into(self, address, buf):
        """Fill `buf` from `address`; raises OSError where it is not acknowledged."""
        self._i2c.readfrom_into(address, buf)

    def wake(self):
        """Hold SDA low for at least 60 us, by writing to address 0 at 100 kHz or less."""
        slow = self._freq > _PULSE_HZ
        if slow:
            self._open(_PULSE_HZ)
        try:
            # One byte, since the rp2 port cannot write none (its controller has no such transfer).
            self._i2c.writeto(0, b"\0")
        except OSError:
            pass  # Nobody acknowledges address 0.
        finally:
            if slow:
                self._open(self._freq)

    sleep_us = staticmethod(sleep_us)
    ticks_ms = staticmethod(ticks_ms)
    ticks_diff = staticmethod(ticks_diff)


class _Console(console.Console):
    def kbd_intr(self, on):
        micropython.kbd_intr(_CTRL_C if on else -1)


def serial_stream():
    """Return the byte stream of the serial link: the console."""
    return _Console(sys.stdin.buffer, sys.stdout.buffer, sys.stdin)


def reset_cause():
    """Return why the board last started, in a word or two."""
    return reset_words(machine)
