"""From transactions to commands: the state of each chip's conversation, one transaction at a time.

Sources: ATECC508A data sheet DS20005927A, "I2C Interface", "Wake", "Watchdog Failsafe"; the 608 variant
pages. Nothing on a bus raises here: what fits no rule is shown as the bytes it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hri.rig.bus import WAKE_LOW_US
from hri.rig.trace.building import Exchanging, Pulsing, Tally, Wandering
from hri.rig.trace.model import Power, Transaction, Transfer, Wake
from hri.rig.trace.packets import (
    COMMAND,
    IDLE,
    RESET,
    SLEEP,
    WAKE_REPLY,
    WORD_ADDRESSES,
    Command,
    Reply,
)
from hri.rig.trace.steps import PowerLoss, Step, Stray, Word

USUAL_ADDRESSES = (0x60, 0x35, 0x36)
"""As delivered, TNGTLS, TrustFLEX."""
_GENERAL_CALL = 0x00
_LEAST_WRITTEN = 8


def decode(
    transactions: Iterable[Transaction], *, addresses: Iterable[int] = USUAL_ADDRESSES
) -> Iterator[Step]:
    """Yield what ``transactions`` mean, each step when it has ended.

    ``addresses`` are those of chips; any other that speaks as an ATECC does is taken for one from then on.
    Holds the steps under way and nothing else, so a trace may be of any length.
    """
    decoder = Decoder(addresses)
    for transaction in transactions:
        yield from decoder.feed(transaction)
    yield from decoder.finish()


class _Track:
    """One chip's conversation."""

    def __init__(self, address: int, woken_us: float | None) -> None:
        self.address = address
        self.woken_us = woken_us
        self.exchange: Exchanging | None = None
        self.failed: bytes | None = None
        self.attempt = 1


class Decoder:
    """Takes transactions in order and gives steps back as they end."""

    def __init__(self, addresses: Iterable[int] = USUAL_ADDRESSES) -> None:
        self._tracks = {address: _Track(address, None) for address in addresses}
        self._pulse: Pulsing | None = None
        self._pulse_us: float | None = None
        self._pulsed: list[Tally] = []
        self._wandering: Wandering | None = None
        self._ended: list[Step] = []

    def feed(self, transaction: Transaction) -> list[Step]:
        """Take one transaction and return the steps that it ends."""
        if isinstance(transaction, Wake):
            self._wake(transaction)
        elif isinstance(transaction, Power):
            self._close_all()
            self._pulsed = []
            for track in self._tracks.values():
                track.woken_us = None
            self._ended.append(
                PowerLoss(start_us=transaction.time_us, end_us=transaction.time_us, faults=transaction.faults)
            )
        else:
            self._transfer(transaction)
        ended, self._ended = self._ended, []
        return ended

    def finish(self) -> list[Step]:
        """Return what was still under way."""
        self._close_all()
        ended, self._ended = self._ended, []
        return ended

    # What is on the bus.

    def _wake(self, pulse: Wake) -> None:
        self._settle()
        if pulse.low_us >= WAKE_LOW_US and pulse.held is None:
            self._pulse_us = pulse.time_us
            for track in self._tracks.values():
                if track.woken_us is None:
                    track.woken_us = pulse.time_us
        waiting = [track.exchange for track in self._tracks.values() if track.exchange is not None]
        for exchange in waiting:
            exchange.pulse(pulse)
        self._pulsed = [exchange.tally for exchange in waiting[:1]]
        if waiting:
            return
        if self._pulse is None:
            self._pulse = Pulsing(pulse.time_us)
        self._pulse.pulse(pulse)
        self._pulsed = [self._pulse.tally]

    def _transfer(self, transfer: Transfer) -> None:
        pulsed, self._pulsed = self._pulsed, []
        if transfer.address == _GENERAL_CALL and not transfer.acknowledged and pulsed:
            # The address byte was the low pulse.
            pulsed[0].add(transfer, refused=False)
            return
        track = None if transfer.other else self._track(transfer)
        if track is None:
            self._elsewhere(transfer)
        elif not transfer.acknowledged:
            self._refused(track, transfer)
        elif transfer.read:
            self._settle()
            self._read(track, transfer)
        else:
            self._settle()
            self._written(track, transfer)

    def _track(self, transfer: Transfer) -> _Track | None:
        track = self._tracks.get(transfer.address)
        if track is None and _speaks(transfer):
            track = self._tracks[transfer.address] = _Track(transfer.address, self._pulse_us)
        return track

    def _refused(self, track: _Track, transfer: Transfer) -> None:
        if track.exchange is not None:
            self._settle()
            track.exchange.poll(transfer)
        elif transfer.read and self._pulse is not None:
            self._settle()
            self._pulse.poll(transfer)
        else:
            self._close_pulse()
            self._wander(transfer, key=("refused", transfer.address, transfer.read))

    def _elsewhere(self, transfer: Transfer) -> None:
        if not transfer.acknowledged and transfer.read and self._pulse is not None and not transfer.other:
            # A driver that does not know the chip's address tries several.
            self._pulse.poll(transfer)
            return
        address = transfer.address if transfer.acknowledged else None
        self._wander(transfer, key=("elsewhere", address, transfer.other))

    def _read(self, track: _Track, transfer: Transfer) -> None:
        exchange = track.exchange
        woken = transfer.data[: len(WAKE_REPLY)] == WAKE_REPLY
        if exchange is not None and exchange.pulses and woken and not exchange.read_any:
            # It had fallen asleep over the command.
            self._pulse = exchange.give_up_pulses()
            self._close(track)
            exchange = None
        if exchange is not None:
            exchange.read(transfer)
            if exchange.reply is not None and exchange.reply.crc_good:
                self._close(track)
        elif self._pulse is not None or woken:
            pulse, self._pulse = self._pulse or Pulsing(transfer.time_us), None
            if pulse.pulses:
                track.woken_us = pulse.first_us
            pulse.tally.add(transfer)
            self._ended.append(pulse.step(track.address, Reply.of(transfer.data)))
        else:
            self._stray(track, transfer)

    def _written(self, track: _Track, transfer: Transfer) -> None:
        self._close_pulse()
        word = transfer.data[0] if transfer.data and 0 not in transfer.nacked else None
        if word == COMMAND:
            self._close(track)
            self._command(track, transfer)
        elif word == RESET and len(transfer.data) == 1 and track.exchange is not None:
            track.exchange.rewind(transfer)
        elif word in (RESET, SLEEP, IDLE):
            self._close(track)
            if word != RESET:
                track.woken_us = None
            tally = Tally(transfer.time_us)
            tally.add(transfer)
            self._ended.append(Word(word=WORD_ADDRESSES[word], **tally.common(track.address)))
        else:
            self._close(track)
            self._stray(track, transfer)

    def _command(self, track: _Track, transfer: Transfer) -> None:
        packet = bytes(
            value for index, value in enumerate(transfer.data) if index and index not in transfer.nacked
        )
        again = track.failed is not None and packet.startswith(track.failed)
        track.attempt = track.attempt + 1 if again else 1
        track.exchange = Exchanging(Command(packet), transfer, track.attempt)

    def _stray(self, track: _Track, transfer: Transfer) -> None:
        tally = Tally(transfer.time_us)
        tally.add(transfer)
        self._ended.append(Stray(read=transfer.read, data=transfer.data, **tally.common(track.address)))

    # What comes to an end.

    def _wander(self, transfer: Transfer, key: tuple[object, ...]) -> None:
        if self._wandering is not None and self._wandering.key != key:
            self._settle()
        if self._wandering is None:
            self._wandering = Wandering(key, transfer.time_us)
        self._wandering.add(transfer)

    def _settle(self) -> None:
        """End a row of transfers with nobody or with others."""
        if self._wandering is not None:
            wandering, self._wandering = self._wandering, None
            self._ended.append(wandering.step())

    def _close_pulse(self) -> None:
        if self._pulse is not None:
            pulse, self._pulse = self._pulse, None
            self._ended.append(pulse.step(None, None))

    def _close(self, track: _Track) -> None:
        exchange, track.exchange = track.exchange, None
        if exchange is None:
            return
        step = exchange.step(track.address, track.woken_us)
        track.failed = None if step.succeeded else step.command.raw or None
        self._ended.append(step)

    def _close_all(self) -> None:
        self._settle()
        self._close_pulse()
        for track in self._tracks.values():
            self._close(track)


def _speaks(transfer: Transfer) -> bool:
    """Return whether only an ATECC's conversation has such a transfer: a good packet, or the wake reply."""
    data = transfer.data
    if not transfer.acknowledged:
        return False
    if transfer.read:
        return data[: len(WAKE_REPLY)] == WAKE_REPLY
    return len(data) >= _LEAST_WRITTEN and data[0] == COMMAND and Command(data[1:]).crc_good
