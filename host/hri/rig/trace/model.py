"""What a bus trace is made of: wake pulses, transfers and losses of the supply, and the header before them.

Times are in microseconds since some fixed moment of the clock that the header names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

VERSION = 1
CLOCKS = ("board", "host", "analyser")
"""``board``: an emulated board's time, in which every bit takes its SCL period. ``host``: the time of the
machine that served the bus, where bytes take none. ``analyser``: times measured on wires."""


class TraceError(Exception):
    """A trace that cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Header:
    """Where a trace comes from; ``source`` is for people: ``virtual chip``, or an analyser's file."""

    chip: str = "unknown"
    board: str | None = None
    clock: str = "host"
    source: str = "virtual chip"
    note: str | None = None

    def __post_init__(self) -> None:
        if self.clock not in CLOCKS:
            raise ValueError(f"the clock of a trace is one of {', '.join(CLOCKS)}, not {self.clock!r}")


@dataclass(frozen=True, slots=True)
class Wake:
    """SDA was low for ``low_us``, outside any transfer, until ``time_us``."""

    time_us: float
    low_us: float
    faults: tuple[str, ...] = ()
    held: str | None = None


@dataclass(frozen=True, slots=True)
class Power:
    """The supply went; it came back at once, or with the first transfer that is not held."""

    time_us: float
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transfer:
    """One addressed transfer, from its (repeated) start to its stop or to the next repeated start.

    ``time_us`` is the start condition. ``nacked`` are the indexes in ``data`` of written bytes that nobody
    acknowledged; ``more`` how many bytes came after ``data`` and were not kept. ``stopped`` is False where a
    repeated start, or the end of the recording, ended it. ``other`` marks another controller's. ``faults``
    are those that struck meanwhile and ``held`` what kept the bus from working, in the words of
    :mod:`hri.rig.fault_script`.
    """

    time_us: float
    end_us: float
    address: int
    read: bool
    acknowledged: bool
    data: bytes = b""
    nacked: tuple[int, ...] = ()
    more: int = 0
    scl_hz: int = 100_000
    repeated: bool = False
    stopped: bool = True
    other: bool = False
    faults: tuple[str, ...] = ()
    held: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.address <= 0x7F or self.scl_hz < 1 or self.more < 0:
            raise ValueError("a transfer has an address from 0 to 7f and a frequency above 0")
        if any(not 0 <= index < len(self.data) for index in self.nacked):
            raise ValueError("only a byte that was sent can be refused")

    @property
    def bus_bytes(self) -> int:
        """How many bytes took the bus, the address included."""
        return 1 + len(self.data) + self.more


Transaction: TypeAlias = Wake | Power | Transfer


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole trace in memory."""

    header: Header
    transactions: tuple[Transaction, ...] = field(default=())
