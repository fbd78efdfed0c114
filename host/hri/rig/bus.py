"""An I2C bus as targets see it: start, bytes, stop, and the low pulse that wakes a chip.

Sources: UM10204 (I2C-bus specification); for the wake pulse, ATECC508A data sheet DS20005927A,
section "Wake" (SDA low for at least 60 us).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

ACK, ADDRESS_NACK, DATA_NACK = 0, 1, 2
"""Outcome of :meth:`Bus.write` and :meth:`Bus.read`."""


class Clock(Protocol):
    """A monotonic clock."""

    def now_us(self) -> int:
        """Return the time in microseconds since some fixed moment."""


class MonotonicClock:
    """The time of the machine this runs on."""

    def now_us(self) -> int:
        return time.monotonic_ns() // 1000


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now_us: int = 0) -> None:
        self._now = now_us

    def now_us(self) -> int:
        return self._now

    def advance_us(self, microseconds: int) -> None:
        """Move on by ``microseconds``; raises ValueError when that would go back."""
        if microseconds < 0:
            raise ValueError("a clock cannot go back")
        self._now += microseconds


class Target(Protocol):
    """One device on the bus, seen byte by byte."""

    def wake_pulse(self, low_us: float) -> None:
        """SDA was low for ``low_us`` microseconds outside any transaction."""

    def start(self, address: int, read: bool) -> bool:
        """See a (repeated) start and a 7-bit address; True acknowledges it."""

    def write_byte(self, value: int) -> bool:
        """Receive one byte; True acknowledges it."""

    def read_byte(self) -> int:
        """Send one byte."""

    def stop(self) -> None:
        """See the stop condition."""

    def power_cycle(self) -> None:
        """Lose and regain the supply."""


class Disturbance(Protocol):
    """What may take the bus away from the controller; :class:`hri.rig.bus_line.BusLine` is the one."""

    def seize(self, repeated: bool) -> Target | None:
        """Return who answers a start in place of the targets, None where the bus is free."""

    def lets_wake(self) -> bool:
        """Return whether a wake pulse reaches the targets."""

    def clocked(self, pulses: int) -> None:
        """See SCL pulses outside any transaction."""

    def power_cycled(self) -> None:
        """See the supply go and come back."""


class Event(NamedTuple):
    """One thing that happened on the bus.

    ``kind`` is ``wake`` (value: low time, us), ``start`` (value: address << 1 | read), ``write``, ``read``
    (value: the byte), ``stop`` or ``power``; ``ok`` is whether the byte was acknowledged.
    """

    time_us: int
    kind: str
    value: int
    ok: bool


Observer = Callable[[Event], None]


class _Observers:
    """Several who look at one bus; never changed, so that one may come or go while events are told."""

    def __init__(self, each: tuple[Observer, ...] = ()) -> None:
        self._each = each

    def __call__(self, event: Event) -> None:
        for observer in self._each:
            observer(event)

    def and_also(self, observer: Observer) -> _Observers:
        return _Observers((*self._each, observer))

    def without(self, observer: Observer) -> _Observers | None:
        """Return the others, None where nobody is left: then the bus makes no events."""
        left = tuple(other for other in self._each if other is not observer)
        return _Observers(left) if left else None


@dataclass(slots=True)
class Counters:
    """Exact counts since the bus was made or :meth:`reset`.

    ``transfers`` counts addressed transactions, repeated starts included; ``bytes`` every byte that took
    bus time, address bytes included; ``wakes`` the pulses long enough to wake a chip.
    """

    transfers: int = 0
    bytes: int = 0
    wakes: int = 0

    def reset(self) -> None:
        """Start again from nothing."""
        self.transfers = self.bytes = self.wakes = 0


WAKE_LOW_US = 60.0
"""The shortest pulse that wakes an ATECC (DS20005927A, tWLO)."""


class Bus:
    """A controller's view of the bus, itself shaped like a :class:`Target`.

    ``scl_hz`` is set by the controller before a transaction; it decides only how long the byte 0x00 on the
    wire keeps SDA low. The bus takes no time of its own: whoever drives it delays by the SCL period where
    time is measured.

    One thread drives it; others may look, arm faults and cut the power while they hold ``exclusive``.
    ``observer`` is called with every event; :meth:`observe` lets several share it.
    """

    def __init__(self, targets: Iterable[Target] = (), *, clock: Clock | None = None) -> None:
        self.targets: list[Target] = []
        self.scl_hz = 100_000
        self.clock: Clock = clock if clock is not None else MonotonicClock()
        self.counters = Counters()
        self.observer: Observer | None = None
        self.disturbance: Disturbance | None = None
        self.exclusive = threading.RLock()
        self._active: list[Target] = []
        for target in targets:
            self.connect(target)

    def connect(self, target: Target) -> None:
        """Put one more target on the bus; one with a method ``connected`` is told which bus it is."""
        self.targets.append(target)
        connected = getattr(target, "connected", None)
        if connected is not None:
            connected(self)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Show ``observer`` every event from now on, beside whoever looks already; return what ends that.

        It is called on the thread that drives the bus, in the middle of a transaction, and must not raise.
        """
        with self.exclusive:
            shared = self.observer
            if not isinstance(shared, _Observers):
                shared = _Observers() if shared is None else _Observers((shared,))
            self.observer = shared.and_also(observer)

        def end() -> None:
            with self.exclusive:
                if isinstance(self.observer, _Observers):
                    self.observer = self.observer.without(observer)

        return end

    def _note(self, kind: str, value: int, ok: bool = True) -> None:
        if self.observer is not None:
            self.observer(Event(self.clock.now_us(), kind, value, ok))

    def commands(self) -> list[dict[int, int]]:
        """Return, for each target in order, how often each opcode ran (empty where it does not know)."""
        return [dict(getattr(target, "commands", {})) for target in self.targets]

    def wake_pulse(self, low_us: float) -> None:
        """Hold SDA low for ``low_us`` microseconds."""
        with self.exclusive:
            if low_us >= WAKE_LOW_US:
                self.counters.wakes += 1
            self._note("wake", int(low_us))
            if self.disturbance is None or self.disturbance.lets_wake():
                for target in self.targets:
                    target.wake_pulse(low_us)

    def clock_pulses(self, count: int = 9) -> None:
        """Clock SCL ``count`` times outside any transaction, to clear a stuck bus (UM10204, 3.1.16)."""
        with self.exclusive:
            if self.disturbance is not None:
                self.disturbance.clocked(count)

    def start(self, address: int, read: bool) -> bool:
        """Send a (repeated) start and a 7-bit address; return whether any target acknowledged.

        Writing to address 0x00 keeps SDA low for the eight bits of the address byte, which is the usual way
        to wake an ATECC; nobody acknowledges it. At 400 kHz that is 20 us and wakes nobody.
        """
        with self.exclusive:
            self.counters.transfers += 1
            self.counters.bytes += 1
            if self.disturbance is not None:
                seized = self.disturbance.seize(bool(self._active))
                if seized is not None:
                    self._active = [seized]
                    acknowledged = seized.start(address, read)
                    self._note("start", address << 1 | read, acknowledged)
                    return acknowledged
            if address == 0 and not read:
                self._active = []
                self._note("start", 0, False)
                self.wake_pulse(8_000_000 / self.scl_hz)
                return False
            self._active = [target for target in self.targets if target.start(address, read)]
            acknowledged = bool(self._active)
            if self.observer is not None:
                self._note("start", address << 1 | read, acknowledged)
            return acknowledged

    def write_byte(self, value: int) -> bool:
        """Send one byte; return whether any addressed target acknowledged it."""
        self.counters.bytes += 1
        acknowledged = False
        for target in self._active:
            # No short cut: every addressed target sees the byte.
            if target.write_byte(value):
                acknowledged = True
        if self.observer is not None:
            self._note("write", value, acknowledged)
        return acknowledged

    def read_byte(self) -> int:
        """Receive one byte: the wired-AND of what the addressed targets send, 0xFF when there is none."""
        self.counters.bytes += 1
        value = 0xFF
        for target in self._active:
            value &= target.read_byte()
        if self.observer is not None:
            self._note("read", value)
        return value

    def stop(self) -> None:
        """End the transaction. Targets that were not addressed do not see it."""
        with self.exclusive:
            active, self._active = self._active, []
            for target in active:
                target.stop()
            if self.observer is not None:
                self._note("stop", 0)

    def power_cycle(self) -> None:
        """Cut and restore the supply of every target."""
        with self.exclusive:
            self._active = []
            self._note("power", 0)
            if self.disturbance is not None:
                self.disturbance.power_cycled()
            for target in self.targets:
                target.power_cycle()

    def write(self, address: int, payload: bytes) -> int:
        """Write ``payload`` in one transaction; return ACK, ADDRESS_NACK or DATA_NACK."""
        if not self.start(address, False):
            self.stop()
            return ADDRESS_NACK
        send = self.write_byte
        for value in payload:
            if not send(value):
                self.stop()
                return DATA_NACK
        self.stop()
        return ACK

    def read(self, address: int, length: int) -> tuple[int, bytes]:
        """Read ``length`` bytes in one transaction; return the outcome and the bytes (none on a NACK)."""
        if not self.start(address, True):
            self.stop()
            return ADDRESS_NACK, b""
        receive = self.read_byte
        data = bytes([receive() for _ in range(length)])
        self.stop()
        return ACK, data
