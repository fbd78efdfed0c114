"""The board's own time, for the chips on its bus."""

from __future__ import annotations

import time
from collections.abc import Callable


def monotonic_us() -> int:
    """Return the host's monotonic time in microseconds."""
    return time.monotonic_ns() // 1000


class BoardClock:
    """Microseconds of a board's time, from the moment a board takes it over.

    A chip is made before the board it sits on, so the clock is too: it stands still until a board binds it
    and never runs backwards after.
    """

    def __init__(self) -> None:
        self._source: Callable[[], int] | None = None
        self._offset = 0

    def bind(self, source: Callable[[], int]) -> None:
        """Go on from the present reading with ``source``, which counts microseconds."""
        self._offset = self.now_us() - source()
        self._source = source

    def now_us(self) -> int:
        """Return the board's time in microseconds."""
        return self._offset + self._source() if self._source else self._offset
