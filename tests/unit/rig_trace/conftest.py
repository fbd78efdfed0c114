"""A chip on a bus that is recorded, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hri.rig.atecc import open_chip
from hri.rig.atecc.packet import group
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_faults import FaultyTarget
from hri.rig.fault_script import parse_all
from hri.rig.trace import Header, Step, Trace, collecting, decode

ADDRESS = 0x60


def packet(opcode: int, param1: int = 0, param2: int = 0, data: bytes = b"") -> bytes:
    """A command with its word address."""
    return b"\x03" + group(bytes((opcode, param1)) + param2.to_bytes(2, "little") + data)


INFO = packet(0x30)


@dataclass
class Recorded:
    bus: Bus
    wires: FaultyTarget
    clock: ManualClock
    trace: Callable[[], Trace]

    @property
    def steps(self) -> list[Step]:
        return list(decode(self.trace().transactions))

    def wake(self) -> None:
        self.bus.wake_pulse(80)
        self.clock.advance_us(1500)
        self.bus.read(ADDRESS, 4)

    def command(self, written: bytes, size: int, *, poll_us: int = 1000, most: int = 1000) -> bytes:
        """Send a command and read the reply, polling; b"" where none came."""
        self.bus.write(ADDRESS, written)
        for _ in range(most):
            outcome, data = self.bus.read(ADDRESS, size)
            if outcome == 0:
                return data
            self.clock.advance_us(poll_us)
        return b""


@pytest.fixture
def record() -> Iterator[Callable[..., Recorded]]:
    with ExitStack() as stack:

        def make(*faults: str, timing: str = "typical", seed: int = 1) -> Recorded:
            clock = ManualClock()
            wires = FaultyTarget(
                open_chip("atecc608b", clock=clock, timing=timing), clock, parse_all(faults), seed=seed
            )
            bus = Bus([wires], clock=clock)
            trace = stack.enter_context(collecting(bus, Header("atecc608b"), wires=wires))
            return Recorded(bus, wires, clock, trace)

        yield make


@pytest.fixture
def rig(record: Callable[..., Recorded]) -> Recorded:
    """Asleep, nothing armed."""
    return record()
