"""A board's own time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hri.rig.boards import Link
from hri.rig.bus import Clock


class Elapsed:
    """The board's time that a block took, so far while it runs."""

    def __init__(self, clock: HriClock) -> None:
        self._clock = clock
        self._begun = clock.now_us(), clock.answering_us
        self._ended: tuple[int, int] | None = None

    def stop(self) -> None:
        """Measure no further."""
        self._ended = self._clock.now_us(), self._clock.answering_us

    @property
    def us(self) -> int:
        """Microseconds, those in which the board waited for its host included."""
        return (self._clock.now_us() if self._ended is None else self._ended[0]) - self._begun[0]

    @property
    def answering_us(self) -> int:
        """Microseconds from the last byte that the board heard to the first that it said, each time.

        Of an emulated chip these depend on no machine: the same work takes the same time.
        """
        return (self._clock.answering_us if self._ended is None else self._ended[1]) - self._begun[1]

    @property
    def ms(self) -> float:
        """Milliseconds."""
        return self.us / 1000


class HriClock:
    """Microseconds of a virtual board's time: an emulated chip's own, the wall's for the unix board."""

    def __init__(self, clock: Clock, link: Link) -> None:
        self._clock = clock
        self._link = link

    def now_us(self) -> int:
        """Return the time; it never runs backwards, and stands still while the board has no power."""
        return self._clock.now_us()

    @property
    def answering_us(self) -> int:
        """How long the board has taken to answer so far: waits for its host do not count."""
        return self._link.answering_us

    @contextmanager
    def measured(self) -> Iterator[Elapsed]:
        """Yield what knows, after the block, how much of the board's time it took."""
        elapsed = Elapsed(self)
        try:
            yield elapsed
        finally:
            elapsed.stop()
