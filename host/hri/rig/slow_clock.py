"""A clock for one chip, whose oscillator is slower than the rest of the world."""

from __future__ import annotations

from hri.rig.bus import Clock


class SlowClock:
    """The time of ``clock``, passing :attr:`factor` times slower.

    A chip that lives by it takes ``factor`` times as long for commands and for waking, and its watchdog waits
    as much longer: one oscillator times them all (A).
    """

    def __init__(self, clock: Clock, factor: float = 1.0) -> None:
        self._clock = clock
        self._base = self._origin = clock.now_us()
        self._factor = factor

    @property
    def factor(self) -> float:
        """How much slower; a change counts from now on."""
        return self._factor

    @factor.setter
    def factor(self, factor: float) -> None:
        if not factor > 0:
            raise ValueError("a clock goes on; its factor is above 0")
        now = self._clock.now_us()
        self._base, self._origin = self._at(now), now
        self._factor = factor

    def _at(self, now: int) -> int:
        elapsed = now - self._origin
        # A clock at full speed loses nothing, however long it runs.
        return self._base + (elapsed if self._factor == 1 else int(elapsed / self._factor))

    def now_us(self) -> int:
        return self._at(self._clock.now_us())
