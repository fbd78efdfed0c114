"""What besides the controller decides the level of the two wires, and whether there is a supply.

Sources: UM10204 (I2C-bus specification), 3.1.8 arbitration, 3.1.16 bus clear (nine clock pulses); for the
wake-up, ATECC508A data sheet DS20005927A, "Wake" (SDA low for at least 60 us).
"""

from __future__ import annotations

from collections.abc import Callable

from hri.rig.bus import Bus, Target
from hri.rig.faults import Line, Stuck

CLOCKS_A_BYTE = 9


class _Seized:
    """Stands in for every device while the controller is not alone on the wires."""

    def __init__(self, value: int, acknowledges: bool, clocked: Callable[[int], None]) -> None:
        self._value = value
        self._acknowledges = acknowledges
        self._clocked = clocked

    def wake_pulse(self, low_us: float) -> None:
        """Nothing: it is no device."""

    def start(self, address: int, read: bool) -> bool:  # noqa: ARG002
        self._clocked(CLOCKS_A_BYTE)
        return self._acknowledges

    def write_byte(self, value: int) -> bool:  # noqa: ARG002
        self._clocked(CLOCKS_A_BYTE)
        return self._acknowledges

    def read_byte(self) -> int:
        self._clocked(CLOCKS_A_BYTE)
        return self._value

    def stop(self) -> None:
        """Nothing: no device sees it."""

    def power_cycle(self) -> None:
        """Nothing: it is no device."""


class BusLine:
    """A held line, a missing supply and other controllers, on one bus; :meth:`of` gives the bus its own.

    ``before_start`` are called before each transaction of the controller, repeated starts left out; True
    says that another controller won the bus.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._held: Stuck | None = None
        self._since_us = 0
        self._pulses = 0
        self._powered = True
        self._nested = False
        self.before_start: list[Callable[[], bool]] = []
        self._nobody = _Seized(0xFF, False, self.clocked)

    @classmethod
    def of(cls, bus: Bus) -> BusLine:
        """Return what disturbs ``bus``, made at the first call."""
        if not isinstance(bus.disturbance, cls):
            bus.disturbance = cls(bus)
        return bus.disturbance

    @property
    def held(self) -> Stuck | None:
        """How the bus is stuck; None when it is free."""
        self._let_go_in_time()
        return self._held

    @property
    def powered(self) -> bool:
        """Whether the devices have their supply."""
        return self._powered

    @property
    def intruding(self) -> bool:
        """Whether what goes on now is another controller's."""
        return self._nested

    def hold(self, how: Stuck) -> None:
        """Hold the bus from now on; ``how`` tells for how long and what the controller sees."""
        with self._bus.exclusive:
            self._held, self._since_us, self._pulses = how, self._bus.clock.now_us(), 0

    def release(self) -> None:
        """Let go of the bus. SDA that was low for 60 us wakes the chips, as any such pulse does."""
        with self._bus.exclusive:
            held, self._held = self._held, None
            if held is not None and held.line is not Line.ONES and self._powered:
                low_us = self._bus.clock.now_us() - self._since_us
                for target in self._bus.targets:
                    target.wake_pulse(low_us)

    def clocked(self, pulses: int) -> None:
        """The controller has clocked SCL."""
        if self._held is not None:
            self._pulses += pulses
            if self._held.clocks is not None and self._pulses >= self._held.clocks:
                self.release()

    def power_off(self) -> None:
        """Take the supply away from every device; nothing answers until :meth:`power_on`."""
        with self._bus.exclusive:
            self._bus.power_cycle()
            self._powered = False

    def power_on(self) -> None:
        """Give the supply back; nothing happens where it is there."""
        with self._bus.exclusive:
            self._powered = True

    # What the bus asks.

    def seize(self, repeated: bool) -> Target | None:
        """Return who answers a start in place of the devices, None where the bus is free."""
        self._let_go_in_time()
        if not self._powered:
            return self._nobody
        held = self._held
        if held is not None:
            value = 0xFF if held.line is Line.ONES else 0x00
            return _Seized(value, held.line is Line.ZEROS, self.clocked)
        if not repeated and not self._nested and self._lost():
            return self._nobody
        return None

    def lets_wake(self) -> bool:
        """Return whether a wake pulse of the controller is a pulse for the devices."""
        self._let_go_in_time()
        return self._powered and self._held is None

    def power_cycled(self) -> None:
        """The supply went and came back: nobody holds a line any more."""
        self._held = None
        self._powered = True

    def _lost(self) -> bool:
        self._nested = True
        try:
            # No short cut: each may have traffic of its own.
            return sum(before() for before in self.before_start) > 0
        finally:
            self._nested = False

    def _let_go_in_time(self) -> None:
        held = self._held
        if held is None or held.for_us is None:
            return
        if self._bus.clock.now_us() - self._since_us >= held.for_us:
            self.release()
