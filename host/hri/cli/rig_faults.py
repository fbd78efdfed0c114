"""The fault options of `hri rig`: what stands between a served bus and its chip."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from hri.cli.output import Output

if TYPE_CHECKING:
    from hri.rig.bus import Bus, Clock, Target
    from hri.rig.bus_control import Request
    from hri.rig.bus_faults import FaultyTarget
    from hri.rig.faults import AnyFault
    from hri.rig.slow_clock import SlowClock
    from hri.rig.trace import Header

FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FAULT",
        help="A fault on the bus or in the chip, such as flip@17, power@3.4 or random:0.001; repeatable.",
    ),
]
SeedOption = Annotated[
    int | None, typer.Option(min=0, help="Repeats a run with faults (default: drawn, and printed).")
]
ControlOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="Where to take orders (`hri rig tell`) while it runs; port 0 is any."
    ),
]
_SEED_BITS = 32


@dataclass
class Wired:
    """A bus with its chip, faults armed."""

    bus: Bus
    wires: FaultyTarget | None = None
    said: dict[str, object] = field(default_factory=dict)

    @contextmanager
    def control(
        self,
        listens: tuple[str, int] | None,
        also: Mapping[str, Request] = MappingProxyType({}),
        header: Header | None = None,
    ) -> Iterator[None]:
        """Listen at ``listens``, None for nowhere, for what is to happen while the bus is served."""
        from hri.rig.bus_control import BusControl

        if listens is None or self.wires is None:
            yield
            return
        with BusControl(self.bus, self.wires, *listens, also=also, header=header) as server:
            self.said["control"] = f"{server.address[0]}:{server.address[1]}"
            yield

    def note(self, output: Output) -> None:
        """Tell a person which faults wait and how to repeat the run."""
        if self._texts:
            again = "".join(f" --fault {text}" for text in self._texts)
            output.note(f"faults:{again} --fault-seed {self.said['fault_seed']}")
        if "control" in self.said:
            output.note(f"control: {self.said['control']}")

    def note_hits(self, output: Output) -> None:
        """Tell a person how often faults struck."""
        if self.wires is not None and self.wires.struck:
            output.note(f"faults struck {self.wires.struck} times")

    @property
    def _texts(self) -> list[str]:
        texts = self.said.get("faults")
        return texts if isinstance(texts, list) else []


class Wiring:
    """The faults asked for, and the clock that the chip is to live by; made before the chip is."""

    def __init__(
        self, clock: Clock, faults: tuple[AnyFault, ...], seed: int, slow_clock: SlowClock | None
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._seed = seed
        self._slow_clock = slow_clock

    @classmethod
    def of(cls, clock: Clock, texts: list[str] | None, *, seed: int | None, timing: str | float) -> Wiring:
        """Return the wiring for ``texts``; raises ValueError where one is no fault."""
        from hri.rig.fault_script import parse_all
        from hri.rig.slow_clock import SlowClock

        # A chip that takes no time cannot be slow.
        slow_clock = None if timing in ("none", 0) else SlowClock(clock)
        drawn = secrets.randbits(_SEED_BITS) if seed is None else seed
        return cls(clock, parse_all(texts or ()), drawn, slow_clock)

    @property
    def chip_clock(self) -> Clock:
        """The clock to open the chip with."""
        return self._clock if self._slow_clock is None else self._slow_clock

    def connect(self, chip: Target, *, controlled: bool) -> Wired:
        """Put ``chip`` on a bus; with ``controlled`` also where nothing is to go wrong from the start."""
        from hri.rig.bus import Bus
        from hri.rig.bus_faults import FaultyTarget
        from hri.rig.fault_script import render

        if not controlled and not self._faults:
            return Wired(Bus([chip], clock=self._clock))
        wires = FaultyTarget(chip, self._clock, self._faults, seed=self._seed, slow_clock=self._slow_clock)
        said = {"faults": [render(fault) for fault in self._faults], "fault_seed": self._seed}
        return Wired(Bus([wires], clock=self._clock), wires, said)
