"""What a trace decodes to: one value a waking, command, word address, or whatever else was on the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hri.rig.trace.packets import Command, Reply, succeeded

WATCHDOG_US = 1_300_000
"""How long an ATECC608 stays awake, typically, with the short watchdog (DS20005927A, tWATCHDOG)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What all have: when (microseconds), at which address, how much of the bus, and what went wrong.

    ``bus_bytes`` counts address bytes too; ``nacks`` transfers whose address was not acknowledged and bytes
    that were refused; ``faults`` those that the rig struck with; ``held`` what kept the bus from working.
    """

    start_us: float
    end_us: float
    address: int | None = None
    bus_bytes: int = 0
    nacks: int = 0
    faults: tuple[str, ...] = ()
    held: str | None = None

    @property
    def duration_us(self) -> float:
        """From the first start condition to the last stop."""
        return self.end_us - self.start_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Waking(_Step):
    """Wake pulses and what the chip answered: None where nobody did. ``low_us`` is the longest pulse.

    No pulse at all: a second chip that the same pulse woke, or one whose pulse was before the recording.
    """

    pulses: int
    low_us: float
    polls: int = 0
    reply: Reply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(_Step):
    """A command and its reply.

    ``polls`` are the attempts that the busy chip did not acknowledge; ``busy_us`` is from the end of the
    command to the first transfer it acknowledged, None where it never did. ``rewinds`` counts how often the
    output was rewound and read again; ``pulses`` the wake pulses meanwhile, which disturb nothing;
    ``attempt`` how often the very same packet was sent, from 1.
    ``awake_us`` is how long the chip has been awake at the end, None where its waking was not seen.
    """

    command: Command
    reply: Reply | None = None
    polls: int = 0
    busy_us: float | None = None
    rewinds: int = 0
    pulses: int = 0
    attempt: int = 1
    awake_us: float | None = None

    @property
    def succeeded(self) -> bool:
        """Whether an undamaged success came back."""
        return self.reply is not None and succeeded(self.reply, self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(_Step):
    """A word address alone: ``reset``, ``sleep`` or ``idle``."""

    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered(_Step):
    """``count`` transfers in a row that nobody acknowledged, writes or reads, while no command ran."""

    read: bool
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray(_Step):
    """Bytes at the chip's address that are no part of its protocol, or a read that nothing asked for."""

    read: bool
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere(_Step):
    """``transfers`` in a row with something that is no ATECC, or by another controller; the first bytes.

    Without an address they went to several, and nobody acknowledged: a scan.
    """

    transfers: int
    written: int
    read: int
    data: bytes
    other: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLoss(_Step):
    """The supply went."""


Step: TypeAlias = Waking | Exchange | Word | Unanswered | Stray | Elsewhere | PowerLoss
