"""A trace as a value change dump (IEEE 1364, 18): both wires bit by bit, and what the chip was asked.

Bytes, acknowledges and the SCL period are recorded; the edges within a bit are drawn from them as UM10204
wants them. Where the recording's clock gives bytes no time, each transfer takes what it would have taken at
its frequency, and what comes after is moved back by as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, TextIO

from vcd import VCDWriter

from hri.rig.trace.decoding import USUAL_ADDRESSES, Decoder
from hri.rig.trace.model import Header, Power, Transaction, Transfer, Wake
from hri.rig.trace.packets import COMMAND, WORD_ADDRESSES, Command, reply_words
from hri.rig.trace.steps import Exchange, Step, Waking, Word
from hri.rig.trace.telling import row

_NS_A_US = 1000
_POWER_NS = 1000
_IDLE_NS = 1300  # tBUF of fast mode: how long a bus is free between a stop and a start.


@dataclass(frozen=True, slots=True)
class _Wires:
    """The variables of the dump."""

    scl: Any
    sda: Any
    supply: Any
    busy: Any
    command: Any
    reply: Any
    fault: Any


class _Scope:
    """Draws wires; ``now`` is the next free moment, in nanoseconds."""

    def __init__(self, writer: VCDWriter) -> None:
        self.writer = writer
        self.now = _IDLE_NS
        self.wires = _Wires(
            writer.register_var("i2c", "scl", "wire", size=1, init=1),
            writer.register_var("i2c", "sda", "wire", size=1, init=1),
            writer.register_var("i2c", "supply", "wire", size=1, init=1),
            writer.register_var("chip", "busy", "wire", size=1, init=0),
            writer.register_var("chip", "command", "string", init=""),
            writer.register_var("chip", "reply", "string", init=""),
            writer.register_var("chip", "fault", "string", init=""),
        )

    def set(self, wire: Any, value: int | str, after_ns: int = 0) -> None:
        """Change a variable ``after_ns`` from now."""
        self.writer.change(wire, self.now + after_ns, value)

    def wait_until(self, time_ns: int) -> None:
        """Let time pass, where it has not passed yet."""
        self.now = max(self.now, time_ns)

    def start(self, period: int, *, repeated: bool) -> None:
        """A start condition, after which SCL is low; repeated, it begins with SCL low."""
        wires = self.wires
        if repeated:
            self.set(wires.sda, 1, period // 4)
            self.set(wires.scl, 1, period // 2)
            self.now += period
        self.set(wires.sda, 0)
        self.set(wires.scl, 0, period // 2)
        self.now += period

    def byte(self, value: int, period: int, *, acknowledged: bool) -> None:
        """Eight bits, the highest first, and the acknowledge."""
        wires = self.wires
        for bit in (*(value >> shift & 1 for shift in range(7, -1, -1)), not acknowledged):
            self.set(wires.sda, int(bit), period // 4)
            self.set(wires.scl, 1, period // 2)
            self.set(wires.scl, 0, period)
            self.now += period

    def stop(self, period: int) -> None:
        """A stop condition."""
        wires = self.wires
        self.set(wires.sda, 0, period // 4)
        self.set(wires.scl, 1, period // 2)
        self.set(wires.sda, 1, period)
        self.now += period

    def release(self, period: int) -> None:
        """Let go of both wires without a stop condition."""
        self.set(self.wires.sda, 1, period // 4)
        self.set(self.wires.scl, 1, period // 2)
        self.now += period

    def low(self, low_ns: int) -> None:
        """Hold SDA low."""
        self.set(self.wires.sda, 0)
        self.now += low_ns
        self.set(self.wires.sda, 1)
        self.now += _IDLE_NS


def write_vcd(
    out: TextIO,
    header: Header,
    transactions: Iterable[Transaction],
    *,
    addresses: Iterable[int] = USUAL_ADDRESSES,
) -> None:
    """Write ``transactions`` to ``out``; holds one of them at a time."""
    source = f"{header.source}: {header.chip}{f' on {header.board}' if header.board else ''}"
    with VCDWriter(
        out, timescale="1 ns", date="", version="hri rig trace", comment=_printable(source)
    ) as writer:
        _Drawing(_Scope(writer), header.clock == "board", addresses).draw(transactions)


class _Drawing:
    """Draws transactions, and beside them what they mean."""

    def __init__(self, scope: _Scope, timed: bool, addresses: Iterable[int]) -> None:
        self._scope = scope
        self._timed = timed
        self._decoder = Decoder(addresses)
        self._origin_us: float | None = None
        self._open = False

    def draw(self, transactions: Iterable[Transaction]) -> None:
        ending: list[Transaction | None] = [None]
        for transaction, following in pairwise(chain(transactions, ending)):
            if transaction is None:
                return
            ended = self._decoder.feed(transaction)
            self._show_fault(transaction)
            if isinstance(transaction, Wake):
                self._wake(transaction, following)
            elif isinstance(transaction, Power):
                self._power(transaction)
            else:
                self._transfer(transaction, following)
            self._show_ended(ended)
        self._show_ended(self._decoder.finish())

    def _at(self, time_us: float) -> int:
        if self._origin_us is None:
            self._origin_us = time_us
        return _IDLE_NS + max(0, round((time_us - self._origin_us) * _NS_A_US))

    def _wake(self, pulse: Wake, following: Transaction | None) -> None:
        scope, low_ns = self._scope, round(pulse.low_us * _NS_A_US)
        # The address byte 00 that follows is what held SDA low.
        by_address = isinstance(following, Transfer) and following.address == 0 and not following.acknowledged
        begun_us = following.time_us if following and by_address else pulse.time_us - pulse.low_us
        scope.wait_until(self._at(begun_us))
        scope.set(scope.wires.command, f"wake, {pulse.low_us:g} us")
        if not by_address and low_ns > 0 and not self._open:
            scope.low(low_ns)

    def _power(self, power: Power) -> None:
        scope = self._scope
        scope.wait_until(self._at(power.time_us))
        scope.set(scope.wires.supply, 0)
        scope.set(scope.wires.busy, 0)
        scope.now += _POWER_NS
        scope.set(scope.wires.supply, 1)

    def _transfer(self, transfer: Transfer, following: Transaction | None) -> None:
        scope, period = self._scope, max(8, round(1e9 / transfer.scl_hz))
        continues = transfer.repeated and self._open
        if not continues:
            scope.wait_until(self._at(transfer.time_us))
        self._show_begun(transfer)
        scope.start(period, repeated=continues)
        scope.byte(transfer.address << 1 | transfer.read, period, acknowledged=transfer.acknowledged)
        last = len(transfer.data) - 1
        for index, value in enumerate(transfer.data):
            # A controller refuses the last byte that it reads, which tells the target to let go of SDA.
            acknowledged = index != last if transfer.read else index not in transfer.nacked
            scope.byte(value, period, acknowledged=acknowledged)
        if not transfer.stopped and isinstance(following, Transfer) and following.repeated:
            self._open = True
            return
        self._open = False
        if self._timed or self._at(transfer.end_us) > scope.now + period:
            # SCL stays low as long as the transfer was held up.
            scope.wait_until(self._at(transfer.end_us) - period)
        (scope.stop if transfer.stopped else scope.release)(period)
        self._show_sent(transfer)
        scope.now += _IDLE_NS if not self._timed else 0

    # What is shown beside the wires.

    def _show_begun(self, transfer: Transfer) -> None:
        scope, wires = self._scope, self._scope.wires
        if transfer.acknowledged:
            scope.set(wires.busy, 0)
        if not transfer.acknowledged or transfer.read or not transfer.data or transfer.other:
            return
        word = transfer.data[0]
        if word == COMMAND and len(transfer.data) > 1:
            scope.set(wires.command, _printable(Command(transfer.data[1:]).words))
            scope.set(wires.reply, "")
        elif word in WORD_ADDRESSES and len(transfer.data) == 1:
            scope.set(wires.command, WORD_ADDRESSES[word])

    def _show_sent(self, transfer: Transfer) -> None:
        command = transfer.data[:1] == bytes((COMMAND,)) and not transfer.read and not transfer.other
        if transfer.acknowledged and command:
            self._scope.set(self._scope.wires.busy, 1)

    def _show_ended(self, ended: Iterable[Step]) -> None:
        scope, wires = self._scope, self._scope.wires
        for step in ended:
            if isinstance(step, Exchange) and step.reply is not None:
                scope.set(wires.reply, _printable(reply_words(step.reply, step.command)))
            elif isinstance(step, Waking | Word):
                scope.set(wires.reply, _printable(row(step).reply))
            else:
                continue
            scope.set(wires.command, "")

    def _show_fault(self, transaction: Transaction) -> None:
        faults = transaction.faults
        self._scope.set(self._scope.wires.fault, _printable(", ".join(faults)))


def _printable(text: str) -> str:
    """Return text of visible ASCII, which is all that a dump may have."""
    return "".join(_ascii(text))


def _ascii(text: str) -> Iterator[str]:
    for character in text.replace("µ", "u").replace("×", "x"):
        yield character if " " <= character <= "~" and character != "$" else "?"
