"""The I2C bus of a virtual board, as tests use it: counts, and faults on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hri.rig.bus import Bus
from hri.rig.bus_faults import FaultyTarget
from hri.rig.bus_line import BusLine
from hri.rig.fault_script import parse_all, render
from hri.rig.faults import AnyFault


@dataclass(frozen=True, slots=True)
class BusCounts:
    """What went over the bus: wake pulses, commands that the chip ran, bytes with address bytes included."""

    wakes: int = 0
    commands: int = 0
    bytes: int = 0

    def __sub__(self, earlier: BusCounts) -> BusCounts:
        return BusCounts(
            self.wakes - earlier.wakes, self.commands - earlier.commands, self.bytes - earlier.bytes
        )

    def __add__(self, other: BusCounts) -> BusCounts:
        return BusCounts(self.wakes + other.wakes, self.commands + other.commands, self.bytes + other.bytes)


class HriBus:
    """Faults and counts; a fault is a text like ``flip@17`` (docs/rig-faults.md) or of `hri.rig.faults`."""

    def __init__(self, bus: Bus, wires: FaultyTarget) -> None:
        self._bus = bus
        self._wires = wires
        self._struck: list[str] = []

    @property
    def rig(self) -> Bus:
        """The rig's own bus, whose every event can be observed."""
        return self._bus

    @property
    def wires(self) -> FaultyTarget:
        """The rig's own target with faults, between the bus and the chip."""
        return self._wires

    def arm(self, *faults: str | AnyFault, seed: int | None = None) -> None:
        """Forget the faults before, count positions from here and wait for these; raises ValueError."""
        self._keep_hits()
        texts = [fault if isinstance(fault, str) else render(fault) for fault in faults]
        self._wires.arm(parse_all(texts), seed=seed)

    def clear(self) -> None:
        """Forget the faults, and let go of a line that is stuck."""
        self._keep_hits()
        self._wires.arm(())
        BusLine.of(self._bus).release()

    @contextmanager
    def armed(self, *faults: str | AnyFault, seed: int | None = None) -> Iterator[HriBus]:
        """Arm faults for the block, and clear them after it."""
        self.arm(*faults, seed=seed)
        try:
            yield self
        finally:
            self.clear()

    @property
    def hits(self) -> list[str]:
        """The faults that struck since they were armed, exactly where, as texts that can be armed again."""
        return [render(hit.fault) for hit in list(self._wires.log)]

    @property
    def struck(self) -> list[str]:
        """Every fault that ever struck on this bus, as texts."""
        return [*self._struck, *self.hits]

    @property
    def counters(self) -> BusCounts:
        """Counts since the board was made."""
        counters = self._bus.counters
        return BusCounts(counters.wakes, sum(self._wires.commands.values()), counters.bytes)

    @contextmanager
    def counted(self) -> Iterator[Counted]:
        """Yield what knows, after the block, how much went over the bus in it."""
        counted = Counted(self)
        try:
            yield counted
        finally:
            counted.stop()

    def _keep_hits(self) -> None:
        self._struck += self.hits


class Counted:
    """The bus counts of a block: `wakes`, `commands` and `bytes`, so far while it runs."""

    def __init__(self, bus: HriBus) -> None:
        self._bus = bus
        self._before = bus.counters
        self._after: BusCounts | None = None

    def stop(self) -> None:
        """Count no further."""
        self._after = self._bus.counters

    @property
    def counts(self) -> BusCounts:
        """All three."""
        return (self._after or self._bus.counters) - self._before

    @property
    def wakes(self) -> int:
        """Wake pulses."""
        return self.counts.wakes

    @property
    def commands(self) -> int:
        """Commands that the chip ran."""
        return self.counts.commands

    @property
    def bytes(self) -> int:
        """Bytes, address bytes included."""
        return self.counts.bytes
