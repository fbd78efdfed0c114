"""From the events of a bus to transactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hri.rig.bus import Bus, Event
from hri.rig.bus_faults import FaultyTarget
from hri.rig.bus_line import BusLine
from hri.rig.fault_script import render
from hri.rig.trace.model import Power, Transaction, Transfer, Wake

MAX_BYTES = 1 << 16
"""More bytes of one transfer than these are counted, not kept."""
_NO_SUPPLY = "no supply"
_START_BITS = 10  # The start condition and the nine clocks of the address.


@dataclass(slots=True)
class _Open:
    """A transfer that has begun."""

    time_us: float
    address: int
    read: bool
    acknowledged: bool
    scl_hz: int
    repeated: bool
    other: bool
    held: str | None
    data: bytearray = field(default_factory=bytearray)
    nacked: list[int] = field(default_factory=list)
    more: int = 0


class Grouping:
    """Takes the events of ``bus`` and hands each finished transaction to ``done``.

    ``wires`` is the target whose faults are to be marked. ``timed`` says that bits take their SCL period, as
    on an emulated board: then a transfer is dated back from the acknowledge of its address to its start.
    Holds one transfer, of which it keeps :data:`MAX_BYTES`.
    """

    def __init__(
        self,
        bus: Bus,
        done: Callable[[Transaction], None],
        *,
        wires: FaultyTarget | None = None,
        timed: bool = False,
    ) -> None:
        self._bus = bus
        self._done = done
        self._wires = wires
        self._timed = timed
        self._open: _Open | None = None
        self._log = wires.log if wires is not None else []
        self._seen = len(self._log)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if event.kind == "start":
            self._start(event)
        elif event.kind in ("write", "read"):
            self._byte(event)
        elif event.kind == "stop":
            self._close(event.time_us, stopped=True)
        elif event.kind == "wake":
            self._done(Wake(event.time_us, event.value, self._struck(), self._held()))
        elif event.kind == "power":
            self._close(event.time_us, stopped=False)
            self._done(Power(event.time_us, self._struck()))

    def finish(self) -> None:
        """Hand over a transfer that is still open."""
        if self._open is not None:
            self._close(self._open.time_us, stopped=False)

    def _start(self, event: Event) -> None:
        repeated = self._open is not None
        hz = self._bus.scl_hz
        begun = event.time_us - _START_BITS * 1e6 / hz if self._timed else event.time_us
        self._close(begun, stopped=False)
        self._open = _Open(
            round(begun, 3),
            event.value >> 1,
            bool(event.value & 1),
            event.ok,
            hz,
            repeated,
            isinstance(self._bus.disturbance, BusLine) and self._bus.disturbance.intruding,
            self._held(),
        )

    def _byte(self, event: Event) -> None:
        opened = self._open
        if opened is None:
            return  # Whoever began to look in the middle of a transfer has not seen whose it is.
        if len(opened.data) >= MAX_BYTES:
            opened.more += 1
            return
        if not event.ok:
            opened.nacked.append(len(opened.data))
        opened.data.append(event.value)

    def _close(self, time_us: float, *, stopped: bool) -> None:
        opened, self._open = self._open, None
        if opened is None:
            return
        self._done(
            Transfer(
                opened.time_us,
                round(max(time_us, opened.time_us), 3),
                opened.address,
                opened.read,
                opened.acknowledged,
                bytes(opened.data),
                tuple(opened.nacked),
                opened.more,
                opened.scl_hz,
                opened.repeated,
                stopped,
                opened.other,
                self._struck(),
                opened.held,
            )
        )

    def _struck(self) -> tuple[str, ...]:
        """Return the faults that struck since the last look, in exact form."""
        if self._wires is None:
            return ()
        log = self._wires.log
        if log is not self._log:
            # Arming begins a new log.
            self._log, self._seen = log, 0
        hits = log[self._seen :]
        if not hits:
            return ()
        self._seen += len(hits)
        return tuple(render(hit.fault) for hit in hits)

    def _held(self) -> str | None:
        line = self._bus.disturbance
        if not isinstance(line, BusLine):
            return None
        if not line.powered:
            return _NO_SUPPLY
        held = line.held
        return None if held is None else render(held)
