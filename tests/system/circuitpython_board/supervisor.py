"""CircuitPython's supervisor: the clock, which starts near its wrap, as the real one does."""

import time

_START = time.monotonic()
# It begins 65 seconds before 2 ** 29, so that every program meets the wrap soon.
_OFFSET = (1 << 29) - 65_000


def ticks_ms():
    """Return milliseconds, modulo 2 ** 29."""
    return (int((time.monotonic() - _START) * 1000) + _OFFSET) % (1 << 29)
