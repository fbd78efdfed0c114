"""A chip behind wires that fail on command, on a bus where time stands still."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hri.rig.atecc import Chip, open_chip
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_faults import FaultyTarget
from hri.rig.fault_script import parse_all
from hri.rig.slow_clock import SlowClock

ADDRESS = 0x60
WAKE_REPLY = bytes.fromhex("04 11 33 43")
# Info, mode 0, with its word address; the answer of an ATECC608B.
INFO = bytes.fromhex("03 07 30 00 00 00 03 5d")
REVISION = bytes.fromhex("07 00 00 60 03 83 bb")


@dataclass
class Rig:
    chip: Chip
    wires: FaultyTarget
    bus: Bus
    clock: ManualClock

    def arm(self, *texts: str, seed: int = 1) -> None:
        self.wires.arm(parse_all(texts), seed=seed)

    def info(self) -> tuple[int, int, bytes]:
        """Outcome of the command, outcome of reading the answer, the answer."""
        return self.bus.write(ADDRESS, INFO), *self.bus.read(ADDRESS, 7)

    def wake(self) -> None:
        self.bus.wake_pulse(80)


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    def make(*texts: str, timing: str = "none", seed: int = 1) -> Rig:
        clock = ManualClock()
        chip_clock = SlowClock(clock)
        chip = open_chip(clock=chip_clock, timing=timing)
        wires = FaultyTarget(chip, clock, parse_all(texts), seed=seed, slow_clock=chip_clock)
        return Rig(chip, wires, Bus([wires], clock=clock), clock)

    return make


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """Awake, nothing armed."""
    made = make_rig()
    made.wake()
    return made
