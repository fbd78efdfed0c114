"""What can go wrong on a bus and in a chip, as values; :mod:`hri.rig.fault_script` has their text form.

A position is a data byte, counted from 1 over the bytes both ways; address bytes are left out, and so are
transfers whose address is not acknowledged, so that polling a busy chip moves no position. ``transfer`` None
counts over all bytes since the faults were armed; a number from 1 up counts within that transfer, where byte
0 is its address; ``EVERY`` is any transfer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, IntFlag
from typing import ClassVar, TypeAlias

EVERY = 0
"""As ``transfer``: in every transfer."""


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
    POWER_CUT = "power"
    """The supply fails before this byte, for ``delay_us``; the rest of the transaction is lost."""


class Line(Enum):
    """What the controller finds on a stuck bus."""

    NACK = "nack"
    """SDA low, a controller that notices: arbitration is lost, told as an address not acknowledged."""
    ZEROS = "zeros"
    """SDA low, a controller that does not notice: everything is acknowledged, and reads are 0x00."""
    ONES = "ones"
    """SDA cannot go low: nothing is acknowledged, and reads are 0xFF."""


class SelfTest(IntFlag):
    """The tests of the SelfTest command, as in its mode and in its answer (O)."""

    RNG = 1 << 0
    ECDSA = 1 << 2
    ECDH = 1 << 3
    AES = 1 << 4
    SHA = 1 << 5


def _check_position(at: int, transfer: int | None, count: int, *, address: bool) -> None:
    least = 1 if transfer is None or not address else 0
    if at < least or count < 1 or (transfer is not None and transfer < 0):
        raise ValueError(
            "a fault begins at byte 1 or later (byte 0 is the address of a numbered transfer, which can be "
            "refused but not dropped, flipped or cut short) and hits at least once"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """One fault on the wires of one target: what, and at which byte.

    ``count`` bytes in a row are hit by DROP, FLIP and NACK; at an address (``at`` 0) it counts attempts.
    ``bit`` is the one that FLIP inverts, None to let the seed choose.
    """

    fault: Fault
    at: int
    count: int = 1
    delay_us: int = 0
    transfer: int | None = None
    bit: int | None = None

    def __post_init__(self) -> None:
        refusable = self.fault in (Fault.NACK, Fault.DELAY, Fault.POWER_CUT)
        _check_position(self.at, self.transfer, self.count, address=refusable)
        if self.count != 1 and self.fault not in (Fault.DROP, Fault.FLIP, Fault.NACK):
            raise ValueError(f"a fault of kind {self.fault.value} hits once; arm it again for each time")
        if self.delay_us < (self.fault is Fault.DELAY):
            raise ValueError("a fault takes no time back, and a delay takes some")
        if self.delay_us and self.fault not in (Fault.DELAY, Fault.POWER_CUT):
            raise ValueError(f"a fault of kind {self.fault.value} takes no time")
        if self.bit is not None and (self.fault is not Fault.FLIP or not 0 <= self.bit <= 7):
            raise ValueError("only a flip has a bit, from 0 to 7")


@dataclass(frozen=True, slots=True)
class Stuck:
    """The bus stands still from this byte on, for every device on it.

    Ends after ``for_us``, or once the controller has clocked ``clocks`` SCL pulses (nine a byte it attempts,
    or :meth:`hri.rig.bus.Bus.clock_pulses`), whichever comes first; None for never. A power cycle always
    ends it.
    """

    at: int
    transfer: int | None = None
    for_us: int | None = None
    clocks: int | None = None
    line: Line = Line.NACK
    count: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_position(self.at, self.transfer, self.count, address=True)
        if (self.for_us is not None and self.for_us < 1) or (self.clocks is not None and self.clocks < 1):
            raise ValueError("a bus is stuck for at least a microsecond and at least one clock pulse")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Another controller's transaction with ``address``, just before ours: a write, a read, or both.

    It comes before the first transaction of ours at or after the position, and before ``count`` in all.
    With ``wins`` ours is lost to it by arbitration, and not acknowledged.
    """

    at: int
    transfer: int | None = None
    count: int = 1
    address: int = 0x50
    payload: bytes = b"\x00"
    read: int = 0
    wins: bool = False

    def __post_init__(self) -> None:
        _check_position(self.at, self.transfer, self.count, address=True)
        if self.transfer is not None and self.at:
            raise ValueError("another controller gets the bus between transfers only: write byte 0")
        if not 1 <= self.address <= 0x7F or self.read < 0 or not (self.payload or self.read):
            raise ValueError("traffic has an address from 0x01 to 0x7f, and writes or reads something")


@dataclass(frozen=True, slots=True)
class TornWrite:
    """The supply fails within an EEPROM change, once ``after`` of its changed bytes are written.

    It is the next change after the position, or after arming where ``at`` is None. ``seed`` decides what the
    byte being written becomes; None takes it from the seed of the run.
    """

    after: int
    at: int | None = None
    transfer: int | None = None
    seed: int | None = None
    count: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.at is not None:
            _check_position(self.at, self.transfer, self.count, address=True)
        if self.after < 0 or (self.seed is not None and self.seed < 0):
            raise ValueError("a write is torn after zero or more bytes, with a seed from 0 up")


@dataclass(frozen=True, slots=True)
class Slow:
    """The chip's oscillator runs ``factor`` times slower: commands, waking and the watchdog (A)."""

    factor: float

    def __post_init__(self) -> None:
        if not 1 <= self.factor <= 10_000:
            raise ValueError("a slow chip takes 1 to 10000 times as long")


@dataclass(frozen=True, slots=True)
class Health:
    """The self-tests ``tests`` fail from the position on, or from arming where ``at`` is None."""

    tests: SelfTest
    at: int | None = None
    transfer: int | None = None
    count: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.at is not None:
            _check_position(self.at, self.transfer, self.count, address=True)
        if not self.tests:
            raise ValueError("name at least one self-test that fails")


@dataclass(frozen=True, slots=True)
class Device:
    """A second device with its own ``address``: 256 registers behind a pointer."""

    address: int

    def __post_init__(self) -> None:
        if not 1 <= self.address <= 0x7F:
            raise ValueError("a device has an address from 0x01 to 0x7f")


WIRE_KINDS = tuple(fault.value for fault in Fault)
CAMPAIGN_KINDS = (*WIRE_KINDS, "stuck", "torn-write")


@dataclass(frozen=True, slots=True)
class Campaign:
    """Every byte is hit with ``probability``, by one of ``kinds`` (names of faults) as the seed decides."""

    probability: float
    kinds: tuple[str, ...] = WIRE_KINDS

    def __post_init__(self) -> None:
        if not 1e-9 <= self.probability <= 1:
            raise ValueError("a random campaign has a probability from 1e-9 to 1")
        if not self.kinds or any(kind not in CAMPAIGN_KINDS for kind in self.kinds):
            raise ValueError(f"a random campaign draws from {', '.join(CAMPAIGN_KINDS)}")


# What is armed at a byte or an address; the others have no position.
Positioned: TypeAlias = Plan | Stuck | Traffic | TornWrite | Health
AnyFault: TypeAlias = Positioned | Slow | Device | Campaign


def placed_at(fault: Positioned, at: int, transfer: int | None) -> Positioned:
    """Return ``fault`` for just this one position."""
    if isinstance(fault, Plan | Traffic):
        return replace(fault, at=at, transfer=transfer, count=1)
    return replace(fault, at=at, transfer=transfer)


@dataclass(frozen=True, slots=True)
class Hit:
    """One fault that struck.

    ``fault`` is exact (a position, the bit, the seed), so that arming the faults of all hits repeats a run;
    ``armed`` is the one it came from.
    """

    time_us: int
    transfer: int
    byte: int
    fault: Positioned
    armed: AnyFault
