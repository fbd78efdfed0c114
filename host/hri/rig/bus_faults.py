"""Faults on the wire between a controller and one target, repeatable from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from hri.rig.bus import Clock, Target


class Fault(Enum):
    """What goes wrong at a byte."""

    DROP = "drop"
    """The byte is lost: written, it is acknowledged but never arrives; read, the next one comes instead."""
    FLIP = "flip"
    """One bit, chosen by the seed, arrives inverted."""
    TRUNCATE = "truncate"
    """The rest of the transaction is lost: written bytes never arrive, read bytes are 0xFF."""
    NACK = "nack"
    """A written byte is refused; a transaction that starts at this point is not acknowledged."""
    DELAY = "delay"
    """After this byte the target does not acknowledge its address for ``delay_us``."""
    POWER_CUT = "power-cut"
    """The supply fails before this byte; the rest of the transaction is lost."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One fault: what, and at which byte.

    ``at`` counts from 1 over the bytes both ways since the plan was armed, address bytes left out.
    ``count`` bytes in a row are hit by DROP, FLIP and NACK.
    """

    fault: Fault
    at: int
    count: int = 1
    delay_us: int = 0

    def __post_init__(self) -> None:
        if self.at < 1 or self.count < 1 or self.delay_us < 0:
            raise ValueError(
                "a fault begins at byte 1 or later, hits at least one byte and takes no time back"
            )


class FaultyTarget:
    """A target with bad wires: passes everything on to ``target`` but for the planned faults.

    Byte positions count over every byte to or from this target, so the same traffic meets the same fault;
    ``bytes_seen`` tells how many there were, ``hits`` which plans struck.
    """

    def __init__(self, target: Target, clock: Clock, plans: Iterable[Plan] = (), *, seed: int = 0) -> None:
        self.target = target
        self.bytes_seen = 0
        self.hits: list[Plan] = []
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - faults are to be repeatable, not secret
        self._plans: list[Plan] = []
        self._cut = False
        self._late_until = 0
        self.arm(plans)

    def arm(self, plans: Iterable[Plan]) -> None:
        """Forget all plans, count from zero and wait for ``plans``."""
        self._plans = list(plans)
        self.bytes_seen = 0
        self.hits = []

    @property
    def commands(self) -> dict[int, int]:
        """What the target itself counted."""
        return dict(getattr(self.target, "commands", {}))

    def _next(self, position: int) -> Plan | None:
        for plan in self._plans:
            if plan.at <= position < plan.at + plan.count:
                return plan
        return None

    def _strike(self) -> Plan | None:
        """Count one byte; return the plan that hits it, having done what does not depend on direction."""
        self.bytes_seen += 1
        plan = self._next(self.bytes_seen)
        if plan is None:
            return None
        self.hits.append(plan)
        if plan.fault is Fault.TRUNCATE:
            self._cut = True
        elif plan.fault is Fault.POWER_CUT:
            self.target.power_cycle()
            self._cut = True
        elif plan.fault is Fault.DELAY:
            self._late_until = self._clock.now_us() + plan.delay_us
        return plan

    def wake_pulse(self, low_us: float) -> None:
        self.target.wake_pulse(low_us)

    def start(self, address: int, read: bool) -> bool:
        self._cut = False
        if self._clock.now_us() < self._late_until:
            return False
        plan = self._next(self.bytes_seen + 1)
        if plan is not None and plan.fault is Fault.NACK:
            self._strike()
            return False
        return self.target.start(address, read)

    def write_byte(self, value: int) -> bool:
        plan = self._strike()
        if self._cut:
            return True
        if plan is not None:
            if plan.fault is Fault.DROP:
                return True
            if plan.fault is Fault.NACK:
                return False
            if plan.fault is Fault.FLIP:
                value ^= 1 << self._random.randrange(8)
        return self.target.write_byte(value)

    def read_byte(self) -> int:
        plan = self._strike()
        if self._cut:
            return 0xFF
        value = self.target.read_byte()
        if plan is not None:
            if plan.fault is Fault.DROP:
                value = self.target.read_byte()
            elif plan.fault is Fault.FLIP:
                value ^= 1 << self._random.randrange(8)
        return value

    def stop(self) -> None:
        self.target.stop()

    def power_cycle(self) -> None:
        self._cut = False
        self.target.power_cycle()
