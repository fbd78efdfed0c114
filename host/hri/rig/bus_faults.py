"""A target with faults: on its wires, in its supply and in itself, repeatable from a seed."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from hri.rig.bus import Bus, Clock, Target
from hri.rig.bus_line import CLOCKS_A_BYTE, BusLine
from hri.rig.fault_schedule import Due, FaultSchedule
from hri.rig.faults import (
    AnyFault,
    Campaign,
    Device,
    Fault,
    Health,
    Hit,
    Line,
    Plan,
    Positioned,
    Slow,
    Stuck,
    TornWrite,
    placed_at,
)
from hri.rig.register_file import RegisterFile
from hri.rig.slow_clock import SlowClock

_MAX_LOG = 100_000

__all__ = ("Fault", "FaultyTarget", "Plan")


class FaultyTarget:
    """A target with faults: passes everything on to ``target`` but for those that were armed.

    Positions are those of :mod:`hri.rig.faults`; the same traffic meets the same faults. ``bytes_seen`` and
    ``transfers_seen`` tell how far the count has come, ``struck`` how often a fault struck, ``hits`` which,
    and :attr:`log` where, exactly: the first 100,000 of them. ``slow_clock`` is the clock that the target
    lives by, needed by :class:`~hri.rig.faults.Slow`.

    Stuck lines, traffic and devices concern the whole bus and act on the one the target is on.
    """

    def __init__(
        self,
        target: Target,
        clock: Clock,
        plans: Iterable[AnyFault] = (),
        *,
        seed: int = 0,
        slow_clock: SlowClock | None = None,
    ) -> None:
        self.target = target
        self.seed = seed
        self.bytes_seen = 0
        self.transfers_seen = 0
        self.struck = 0
        self.log: list[Hit] = []
        self._clock = clock
        self._slow_clock = slow_clock
        self._bus: Bus | None = None
        self._random = random.Random()  # noqa: S311 - seeded by arm; faults are to be repeatable
        self._faults: tuple[AnyFault, ...] = ()
        self._schedule: FaultSchedule | None = None
        self._devices: list[RegisterFile] = []
        self._unhealthy = False
        self._byte = 0
        self._cut: int | None = None
        self._stuck: Stuck | None = None
        self._passing = False
        self._late_until = 0
        self._dark_until = 0
        self.arm(plans)

    # What a test, a command line or a control connection asks.

    def check(self, faults: Iterable[AnyFault]) -> None:
        """Raise ValueError, saying what is missing, when ``faults`` cannot be armed here."""
        for fault in faults:
            kinds = fault.kinds if isinstance(fault, Campaign) else ()
            if isinstance(fault, Health):
                self._method("fail_self_test", "health")
            elif isinstance(fault, TornWrite) or "torn-write" in kinds:
                self._method("tear_next_write", "torn-write")
            elif isinstance(fault, Slow) and self._slow_clock is None:
                raise ValueError(
                    "slow needs a chip that takes time: --timing typical or max on the command line; in "
                    "Python a chip with a timing and clock=SlowClock(...), the same given as slow_clock"
                )

    def arm(self, plans: Iterable[AnyFault], *, seed: int | None = None) -> None:
        """Forget all faults, count from zero and wait for ``plans``; raises ValueError with nothing changed.

        Self-tests that were made to fail are mended, and the chip has its speed back. What already happened
        stays: a stuck line, or a tear that the chip waits for. ``seed`` replaces the one given before.
        """
        faults = tuple(plans)
        self.check(faults)
        with contextlib.nullcontext() if self._bus is None else self._bus.exclusive:
            self._arm(faults, seed)

    def _arm(self, faults: tuple[AnyFault, ...], seed: int | None) -> None:
        if seed is not None:
            self.seed = seed
        self._random.seed(self.seed)
        self._mend()
        self.bytes_seen = self.transfers_seen = self._byte = 0
        self.log = []
        self.struck = 0
        self._faults = faults
        self._schedule = FaultSchedule(faults, self._random) if faults else None
        for fault in faults:
            if isinstance(fault, Slow) and self._slow_clock is not None:
                self._slow_clock.factor = fault.factor
            elif isinstance(fault, Health | TornWrite) and fault.at is None:
                self._strike(Due(fault, fault), fault)
        self._plug_devices()

    @property
    def faults(self) -> tuple[AnyFault, ...]:
        """What was armed."""
        return self._faults

    @property
    def hits(self) -> list[AnyFault]:
        """Those of the armed faults that struck, once for each time."""
        return [hit.armed for hit in list(self.log)]

    @property
    def commands(self) -> dict[int, int]:
        """What the target itself counted."""
        return dict(getattr(self.target, "commands", {}))

    # What the bus does.

    def connected(self, bus: Bus) -> None:
        """Remember the bus this target was put on."""
        self._bus = bus
        BusLine.of(bus).before_start.append(self._before_start)
        self._plug_devices()

    def wake_pulse(self, low_us: float) -> None:
        if self._clock.now_us() >= self._dark_until:
            self.target.wake_pulse(low_us)

    def start(self, address: int, read: bool) -> bool:
        self._cut = self._stuck = None
        self._passing = self._bus is not None and BusLine.of(self._bus).intruding
        now = self._clock.now_us()
        if now < self._late_until or now < self._dark_until:
            return False
        if not self.target.start(address, read):
            return False
        if self._passing:
            return True
        self._byte = 0
        if self._refused():
            # The target took the address for its own; the controller, told otherwise, ends the transaction.
            self.target.stop()
            return False
        self.transfers_seen += 1
        return True

    def write_byte(self, value: int) -> bool:
        if self._passing:
            return self.target.write_byte(value)
        plans = self._next_byte()
        if self._cut is not None:
            return self._stuck is None or self._stuck.line is Line.ZEROS
        for plan in plans:
            if plan.fault is Fault.DROP:
                return True
            if plan.fault is Fault.NACK:
                return False
            if plan.fault is Fault.FLIP:
                value ^= 1 << (plan.bit or 0)
        return self.target.write_byte(value)

    def read_byte(self) -> int:
        if self._passing:
            return self.target.read_byte()
        plans = self._next_byte()
        if self._cut is not None:
            return self._cut
        value = self.target.read_byte()
        for plan in plans:
            if plan.fault is Fault.DROP:
                value = self.target.read_byte()
            elif plan.fault is Fault.FLIP:
                value ^= 1 << (plan.bit or 0)
        return value

    def stop(self) -> None:
        self.target.stop()

    def power_cycle(self) -> None:
        self._cut = self._stuck = None
        self._late_until = self._dark_until = 0
        self.target.power_cycle()

    # Faults.

    def _next_byte(self) -> Sequence[Plan]:
        """Count one data byte; return the wire faults that hit it, having done what has no direction."""
        self.bytes_seen += 1
        self._byte += 1
        if self._stuck is not None:
            self._line().clocked(CLOCKS_A_BYTE)
        if self._schedule is None:
            return ()
        position = self.bytes_seen
        plans = []
        for due in self._schedule.at_byte(position, self.transfers_seen, self._byte):
            exact = self._strike(due, placed_at(due.fault, position, None))
            if isinstance(exact, Plan):
                plans.append(exact)
        return plans

    def _refused(self) -> bool:
        """Return whether the address is refused, by a fault at it or at the byte that would follow."""
        if self._schedule is None:
            return False
        transfer = self.transfers_seen + 1
        refused = False
        for due in self._schedule.at_address(transfer):
            exact = self._strike(due, placed_at(due.fault, 0, transfer))
            refused |= isinstance(exact, Plan) or (isinstance(exact, Stuck) and exact.line is not Line.ZEROS)
        if not refused and self._schedule.refuses(self.bytes_seen + 1):
            self._next_byte()
            refused = True
        return refused

    def _strike(self, due: Due, exact: Positioned) -> Positioned:
        """Do what a fault does whatever the direction, and log it; ``exact`` says where it strikes."""
        now = self._clock.now_us()
        if isinstance(exact, Plan):
            if exact.fault is Fault.FLIP and exact.bit is None:
                exact = replace(exact, bit=self._random.randrange(8))
            self._strike_wires(exact, now)
        elif isinstance(exact, Stuck):
            self._stuck = exact
            self._cut = 0xFF if exact.line is Line.ONES else 0x00
            self._line().hold(exact)
        elif isinstance(exact, TornWrite):
            if exact.seed is None:
                exact = replace(exact, seed=self._random.getrandbits(32))
            self._method("tear_next_write", "torn-write")(exact.after, seed=exact.seed)
        elif isinstance(exact, Health):
            self._unhealthy = True
            self._method("fail_self_test", "health")(int(exact.tests))
        self._note(now, self._byte, exact, due.armed)
        return exact

    def _note(self, now: int, byte: int, exact: Positioned, armed: AnyFault) -> None:
        self.struck += 1
        if len(self.log) < _MAX_LOG:
            self.log.append(Hit(now, self.transfers_seen, byte, exact, armed))

    def _strike_wires(self, plan: Plan, now: int) -> None:
        if plan.fault is Fault.TRUNCATE:
            self._cut = 0xFF
        elif plan.fault is Fault.POWER_CUT:
            self.target.power_cycle()
            self._cut = 0xFF
            self._dark_until = now + plan.delay_us
        elif plan.fault is Fault.DELAY:
            self._late_until = now + plan.delay_us

    def _before_start(self) -> bool:
        """Let the other controller have the bus where that is due; return whether it won against ours."""
        if self._schedule is None or self._bus is None:
            return False
        transfer, lost = self.transfers_seen + 1, False
        for traffic in self._schedule.before(self.bytes_seen + 1, transfer):
            exact = placed_at(traffic, 0, transfer)
            self._note(self._clock.now_us(), 0, exact, traffic)
            if traffic.payload:
                self._bus.write(traffic.address, traffic.payload)
            if traffic.read:
                self._bus.read(traffic.address, traffic.read)
            lost |= traffic.wins
        return lost

    def _mend(self) -> None:
        if self._unhealthy:
            self._method("fail_self_test", "health")(0)
            self._unhealthy = False
        if self._slow_clock is not None and any(isinstance(fault, Slow) for fault in self._faults):
            self._slow_clock.factor = 1.0

    def _plug_devices(self) -> None:
        if self._bus is None:
            return
        for device in self._devices:
            self._bus.targets.remove(device)
        self._devices = [RegisterFile(fault.address) for fault in self._faults if isinstance(fault, Device)]
        self._bus.targets.extend(self._devices)

    def _line(self) -> BusLine:
        if self._bus is None:
            raise RuntimeError("a stuck line needs a bus: put the target on one, as Bus([target])")
        return BusLine.of(self._bus)

    def _method(self, name: str, fault: str) -> Callable[..., object]:
        method = getattr(self.target, name, None)
        if method is None:
            raise ValueError(
                f"{fault} needs a chip with {name}(), which {type(self.target).__name__} has not"
            )
        found: Callable[..., object] = method
        return found
