"""The two monotonic counters, which only ever go up, to 2097151 (508A datasheet, "Counter").

Counter 0 also counts the uses of keys with LimitedUse. An increment whose reply was lost is never sent again:
it raises, and `read` tells whether it was carried out.
"""

from .. import const

_COUNTER = const(0x24)
_COUNTER_MS = const(25)
LIMIT = const(2097151)


def read(element, number):
    """Return the value of counter `number`, 0 or 1."""
    return _counter(element, 0, number)


def increment(element, number):
    """Add one to counter `number` and return its new value; CommandError where it is at its end."""
    return _counter(element, 1, number)


def _counter(element, mode, number):
    if number not in (0, 1):
        raise ValueError("counter 0 or 1")
    with element.session as session:
        return int.from_bytes(session.execute(_COUNTER, mode, number, b"", 4, _COUNTER_MS), "little")
