"""What a driver must do, and what it is answered, to follow a trace: its transactions without their chance.

Chance is what another run of the same driver does otherwise: how often a chip that is busy, asleep or about
to wake was asked, how many pulses it took to wake it, and traffic with others. Nothing is left out that
reached the chip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from hri.rig.bus import WAKE_LOW_US
from hri.rig.trace.model import TraceError, Transaction, Transfer, Wake
from hri.rig.trace.packets import COMMAND, IDLE, WAKE_REPLY, WORD_ADDRESSES, Command


@dataclass(frozen=True, slots=True)
class Pulse:
    """A wake pulse, or several."""

    @property
    def words(self) -> str:
        """The item in words."""
        return "a wake pulse"


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that the chip took; ``nacked`` are the indexes of those that it refused."""

    data: bytes
    nacked: frozenset[int] = frozenset()

    @property
    def words(self) -> str:
        """The item in words."""
        return written_words(self.data)


@dataclass(frozen=True, slots=True)
class Read:
    """Bytes that the chip gave, however many reads they took."""

    data: bytes

    @property
    def words(self) -> str:
        """The item in words."""
        return "a read of the wake reply" if self.data[:4] == WAKE_REPLY else "a read of the reply"


Item: TypeAlias = Pulse | Write | Read


@dataclass(slots=True)
class Script:
    """The items in order; ``refused`` are the numbers of those before which writes were not acknowledged."""

    address: int
    items: list[Item] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)

    @property
    def commands(self) -> int:
        """How many commands there are."""
        return sum(is_command(item) for item in self.items)


def is_command(item: Item) -> bool:
    """Return whether an item is a command packet."""
    return isinstance(item, Write) and item.data[:1] == bytes((COMMAND,))


def is_idle(item: Item | None) -> bool:
    """Return whether an item puts the chip into idle."""
    return isinstance(item, Write) and item.data == bytes((IDLE,))


def written_words(data: bytes) -> str:
    """Return what written bytes mean: a command, a word address, or the bytes."""
    if data[:1] == bytes((COMMAND,)) and len(data) > 1:
        command = Command(data[1:])
        return f"{command.words} ({command.fault})" if command.fault else command.words
    if len(data) == 1 and data[0] in WORD_ADDRESSES:
        return WORD_ADDRESSES[data[0]]
    return f"bytes {data.hex()}" if data else "an empty write"


def script_of(transactions: Iterable[Transaction], address: int | None = None) -> Script:
    """Return the script of the chip at ``address``; None takes the one that most was said to.

    Raises TraceError where no chip is spoken to.
    """
    kept = list(transactions)
    script = Script(_busiest(kept) if address is None else address)
    for transaction in kept:
        if isinstance(transaction, Wake):
            if transaction.low_us >= WAKE_LOW_US and transaction.held is None:
                _pulse(script)
        elif isinstance(transaction, Transfer) and _concerns(script, transaction):
            _transfer(script, transaction)
    while script.items and isinstance(script.items[-1], Pulse):
        # Nobody answered it: the recording ended there.
        script.items.pop()
    if not script.items:
        raise TraceError(f"nothing was said to a chip at {script.address:02x}")
    return script


def _busiest(transactions: Iterable[Transaction]) -> int:
    counts = Counter(
        transfer.address
        for transfer in transactions
        if isinstance(transfer, Transfer)
        and transfer.acknowledged
        and not transfer.other
        and (transfer.data[: len(WAKE_REPLY)] == WAKE_REPLY or transfer.data[:1] == bytes((COMMAND,)))
    )
    if not counts:
        raise TraceError("the trace has no conversation with an ATECC")
    return counts.most_common(1)[0][0]


def _concerns(script: Script, transfer: Transfer) -> bool:
    return transfer.address == script.address and not transfer.other


def _pulse(script: Script) -> None:
    if not script.items or not isinstance(script.items[-1], Pulse):
        script.items.append(Pulse())


def _transfer(script: Script, transfer: Transfer) -> None:
    items = script.items
    if not transfer.acknowledged:
        if not transfer.read:
            script.refused.add(len(items))
        return
    if not transfer.read:
        items.append(Write(transfer.data, frozenset(transfer.nacked)))
        return
    last = items[-1] if items else None
    if isinstance(last, Read):
        items[-1] = Read(last.data + transfer.data)
        return
    if transfer.data[: len(WAKE_REPLY)] == WAKE_REPLY and not isinstance(last, Pulse):
        # An analyser's decoder may pass over a pulse; without one there is no such reply.
        items.append(Pulse())
    items.append(Read(transfer.data))
