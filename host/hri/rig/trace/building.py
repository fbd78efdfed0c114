"""Steps while they are under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hri.rig.trace.model import Transfer, Wake
from hri.rig.trace.packets import Command, Reply
from hri.rig.trace.steps import Elsewhere, Exchange, Unanswered, Waking

_KEPT = 16
_MOST_REPLY = 512


@dataclass(slots=True)
class Tally:
    """What every step counts."""

    start_us: float
    end_us: float = 0.0
    bus_bytes: int = 0
    nacks: int = 0
    faults: list[str] = field(default_factory=list)
    held: str | None = None

    def add(self, transfer: Transfer, *, refused: bool = True) -> None:
        """Count a transfer; not ``refused`` where its missing acknowledge is as it should be."""
        self.end_us = max(self.end_us, transfer.end_us)
        self.bus_bytes += transfer.bus_bytes
        self.nacks += (refused and not transfer.acknowledged) + len(transfer.nacked)
        self.faults += transfer.faults
        self.held = self.held or transfer.held

    def common(self, address: int | None) -> dict[str, Any]:
        """Return the members that every step has."""
        return {
            "start_us": self.start_us,
            "end_us": max(self.end_us, self.start_us),
            "address": address,
            "bus_bytes": self.bus_bytes,
            "nacks": self.nacks,
            "faults": tuple(self.faults),
            "held": self.held,
        }


class Pulsing:
    """Wake pulses that wait for an answer."""

    def __init__(self, start_us: float) -> None:
        self.tally = Tally(start_us)
        self.first_us = start_us
        self.pulses = 0
        self._low_us = 0.0
        self._polls = 0

    def pulse(self, pulse: Wake) -> None:
        """Add one more pulse."""
        self.pulses += 1
        self._low_us = max(self._low_us, pulse.low_us)
        self.tally.end_us = max(self.tally.end_us, pulse.time_us)
        self.tally.faults += pulse.faults
        self.tally.held = self.tally.held or pulse.held

    def poll(self, transfer: Transfer) -> None:
        """Add a read that nobody acknowledged."""
        self._polls += 1
        self.tally.add(transfer)

    def step(self, address: int | None, reply: Reply | None) -> Waking:
        """Return the waking, of the chip at ``address`` where one answered."""
        return Waking(
            pulses=self.pulses,
            low_us=self._low_us,
            polls=self._polls,
            reply=reply,
            **self.tally.common(address),
        )


class Exchanging:
    """A command that waits for its reply."""

    def __init__(self, command: Command, transfer: Transfer, attempt: int) -> None:
        self.tally = Tally(transfer.time_us)
        self.tally.add(transfer)
        self.reply: Reply | None = None
        self.read_any = False
        self._command = command
        self._attempt = attempt
        self._sent_us = transfer.end_us
        self._busy_us: float | None = None
        self._read = b""
        self._polls = 0
        self._rewinds = 0
        self._pulses: Pulsing | None = None

    @property
    def pulses(self) -> int:
        """How many wake pulses came meanwhile."""
        return 0 if self._pulses is None else self._pulses.pulses

    def pulse(self, pulse: Wake) -> None:
        """Add a wake pulse."""
        if self._pulses is None:
            self._pulses = Pulsing(pulse.time_us)
        self._pulses.pulse(pulse)
        self.tally.faults += pulse.faults
        self.tally.held = self.tally.held or pulse.held

    def give_up_pulses(self) -> Pulsing | None:
        """Return the pulses, which were the beginning of something else."""
        pulses, self._pulses = self._pulses, None
        return pulses

    def poll(self, transfer: Transfer) -> None:
        """Add a transfer that the busy chip did not acknowledge."""
        self._polls += 1
        self.tally.add(transfer)

    def read(self, transfer: Transfer) -> None:
        """Add bytes of the reply, which may come in several reads."""
        self._acknowledged(transfer)
        self.read_any = True
        if len(self._read) < _MOST_REPLY:
            self._read += transfer.data[:_MOST_REPLY]
        self.reply = Reply.of(self._read)

    def rewind(self, transfer: Transfer) -> None:
        """Begin the reply again: the output buffer was rewound."""
        self._acknowledged(transfer)
        self._rewinds += 1
        self._read = b""

    def step(self, address: int, woken_us: float | None) -> Exchange:
        """Return the exchange as far as it came."""
        awake_us = None if woken_us is None else max(0.0, self.tally.end_us - woken_us)
        return Exchange(
            command=self._command,
            reply=self.reply,
            polls=self._polls,
            busy_us=self._busy_us,
            rewinds=self._rewinds,
            pulses=self.pulses,
            attempt=self._attempt,
            awake_us=awake_us,
            **self.tally.common(address),
        )

    def _acknowledged(self, transfer: Transfer) -> None:
        self.tally.add(transfer)
        if self._busy_us is None:
            self._busy_us = max(0.0, transfer.time_us - self._sent_us)


class Wandering:
    """Transfers in a row that nobody acknowledged, or that are with something else."""

    def __init__(self, key: tuple[object, ...], start_us: float) -> None:
        self.key = key
        self._tally = Tally(start_us)
        self._transfers = 0
        self._written = 0
        self._read = 0
        self._data = b""
        self._addresses: set[int] = set()

    def add(self, transfer: Transfer) -> None:
        """Add one."""
        self._tally.add(transfer)
        self._transfers += 1
        self._addresses.add(transfer.address)
        size = len(transfer.data) + transfer.more
        if transfer.read:
            self._read += size
        else:
            self._written += size
        if len(self._data) < _KEPT:
            self._data = (self._data + transfer.data)[:_KEPT]

    def step(self) -> Unanswered | Elsewhere:
        """Return the row."""
        address = next(iter(self._addresses)) if len(self._addresses) == 1 else None
        common = self._tally.common(address)
        kind, _, mark = self.key
        if kind == "refused":
            return Unanswered(read=bool(mark), count=self._transfers, **common)
        return Elsewhere(
            transfers=self._transfers,
            written=self._written,
            read=self._read,
            data=self._data,
            other=bool(mark),
            **common,
        )
