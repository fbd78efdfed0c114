"""I2C that a logic analyser decoded on real wires, as transactions.

Two text formats: the table of Saleae Logic 2's I2C analyser (its page "I2C - Frame Format"), columns ``name,
type,start_time,duration,ack,address,read,data``; and the annotations of sigrok's i2c decoder, as ``sigrok-cli
-P i2c -A i2c --protocol-decoder-samplenum`` and PulseView's export print them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TextIO

from hri.rig.trace.grouping import MAX_BYTES
from hri.rig.trace.model import TraceError, Transaction, Transfer, Wake

_COLUMNS = ("type", "start_time", "duration", "ack", "address", "read", "data")
# Sample numbers, the decoder, in PulseView's export the row, and what it says.
_ANNOTATION = re.compile(r"(?:(\d+)-(\d+) +)?[^:]+: (?:[^:]+: )??((?:(?:Address|Data) \w+: )?[^:]+)")
_BYTE = re.compile(r"(Address|Data) (read|write): ([0-9A-Fa-f]{1,2})")
_DATA_BITS, _BYTE_BITS = 8, 9
_WAKE_LOW_US = 60.0
_USUAL_HZ = 100_000


def is_csv(first: str) -> bool:
    """Return whether a first line is that of a Logic 2 table."""
    return {"type", "start_time", "address"} <= set(_fields(first))


def is_sigrok(first: str) -> bool:
    """Return whether a first line is an annotation of sigrok's."""
    return not first.startswith("{") and _ANNOTATION.fullmatch(first.strip()) is not None


@dataclass(slots=True)
class _Wire:
    """What is between a start and a stop, from whatever format; times in microseconds."""

    start_us: float | None = None
    repeated: bool = False
    address: int | None = None
    read: bool = False
    acknowledged: bool = False
    data: bytearray = field(default_factory=bytearray)
    nacked: list[int] = field(default_factory=list)
    more: int = 0
    byte_us: float = 0.0

    def start(self, time_us: float) -> Iterator[Transaction]:
        """A start condition, repeated where none stopped the one before."""
        repeated = self.start_us is not None
        yield from self._end(time_us, stopped=False)
        self.start_us, self.repeated = time_us, repeated

    def stop(self, time_us: float) -> Iterator[Transaction]:
        """A stop condition. A start and a stop with nothing between is a low pulse of SDA."""
        yield from self._end(time_us, stopped=True)

    def address_byte(self, address: int, *, read: bool, acknowledged: bool, duration_us: float) -> None:
        """The first byte after a start."""
        self.address, self.read, self.acknowledged = address & 0x7F, read, acknowledged
        self.byte_us = duration_us

    def data_byte(self, value: int, *, acknowledged: bool, duration_us: float) -> None:
        """A byte after the address; that a controller refuses the last one it reads is as it should be."""
        if len(self.data) >= MAX_BYTES:
            self.more += 1
            return
        if not acknowledged and not self.read:
            self.nacked.append(len(self.data))
        self.data.append(value & 0xFF)
        if duration_us > 0:
            self.byte_us = min(self.byte_us, duration_us) if self.byte_us else duration_us

    def _end(self, time_us: float, *, stopped: bool) -> Iterator[Transaction]:
        begun, address = self.start_us, self.address
        self.start_us = self.address = None
        data, nacked, more = bytes(self.data), tuple(self.nacked), self.more
        self.data.clear()
        self.nacked.clear()
        self.more = 0
        if begun is None:
            return
        end_us = max(time_us, begun)
        if address is None:
            if stopped and not self.repeated:
                yield Wake(end_us, round(end_us - begun, 3))
            return
        hz = min(max(round(_BYTE_BITS * 1e6 / self.byte_us), 1), 10_000_000) if self.byte_us else _USUAL_HZ
        low_us = _DATA_BITS * 1e6 / hz
        if address == 0 and not self.read and not self.acknowledged and low_us >= _WAKE_LOW_US:
            # The address byte 00 held SDA low long enough.
            yield Wake(begun + low_us, round(low_us, 3))
        yield Transfer(
            begun,
            end_us,
            address,
            self.read,
            self.acknowledged,
            data,
            nacked,
            more,
            hz,
            self.repeated,
            stopped,
        )


class CsvExport:
    """A table of Logic 2; ``torn`` counts rows that make no sense."""

    def __init__(self, file: TextIO) -> None:
        self._rows = csv.reader(_bounded(file))
        self.torn = 0
        try:
            names = [name.strip().lower() for name in next(self._rows)]
        except (StopIteration, csv.Error) as error:
            raise TraceError("the table has no headings") from error
        missing = [name for name in _COLUMNS if name not in names]
        if missing:
            raise TraceError(f"the table has no column {missing[0]!r}; export the I2C analyser's own table")
        self._at = {name: names.index(name) for name in _COLUMNS}

    def transactions(self) -> Iterator[Transaction]:
        """Yield what the rows mean."""
        wire, last_us = _Wire(), 0.0
        while True:
            try:
                cells = next(self._rows)
            except StopIteration:
                break
            except csv.Error:
                self.torn += 1
                continue
            try:
                kind, time_us, duration_us, ack, address, read, data = self._row(cells)
            except (IndexError, ValueError, OverflowError):
                self.torn += 1
                continue
            last_us = max(last_us, time_us + duration_us)
            if kind == "start":
                yield from wire.start(time_us)
            elif kind == "stop":
                yield from wire.stop(time_us)
            elif kind == "address":
                wire.address_byte(address, read=read, acknowledged=ack, duration_us=duration_us)
            elif kind == "data":
                wire.data_byte(data, acknowledged=ack, duration_us=duration_us)
            else:
                self.torn += 1
        yield from wire.start(last_us)

    def _row(self, cells: list[str]) -> tuple[str, float, float, bool, int, bool, int]:
        def cell(name: str) -> str:
            return cells[self._at[name]].strip()

        kind = cell("type").lower()
        time_us, duration_us = float(cell("start_time")) * 1e6, float(cell("duration") or 0) * 1e6
        if not -1e15 < time_us < 1e15 or not 0 <= duration_us < 1e15:
            raise ValueError("out of range")
        # 1 ns is finer than any analyser's clock.
        times = (round(time_us, 3), round(duration_us, 3))
        address = int(cell("address"), 16) if kind == "address" else 0
        data = int(cell("data"), 16) if kind == "data" else 0
        return kind, *times, cell("ack").lower() == "true", address, cell("read").lower() == "true", data


class SigrokExport:
    """Annotations of sigrok's i2c decoder; ``torn`` counts lines that are none.

    Raises TraceError where the lines have sample numbers and no ``sample_rate`` (Hz) says what they mean.
    Without numbers nothing is known of times: every byte is given those of 100 kHz.
    """

    def __init__(self, file: TextIO, sample_rate: float | None) -> None:
        self._file = file
        self._rate = sample_rate
        self.torn = 0

    def transactions(self) -> Iterator[Transaction]:
        """Yield what the annotations mean."""
        wire, now_us = _Wire(), 0.0
        pending: tuple[str, str, int, float] | None = None
        for text in _bounded(self._file):
            found = _ANNOTATION.fullmatch(text.strip())
            if found is None:
                self.torn += bool(text.strip())
                continue
            begin_us, end_us = self._times(found, now_us)
            now_us, what = end_us, found[3]
            byte = _BYTE.fullmatch(what)
            if byte is not None:
                # The annotation is of seven bits of address, or of the eight of a byte.
                length_us = (end_us - begin_us) * _BYTE_BITS / (_DATA_BITS - (byte[1] == "Address"))
                pending = (byte[1], byte[2], int(byte[3], 16), length_us)
            elif what in ("ACK", "NACK") and pending is not None:
                _take(wire, pending, acknowledged=what == "ACK")
                pending = None
            elif what in ("Start", "Start repeat"):
                yield from wire.start(begin_us)
            elif what == "Stop":
                yield from wire.stop(end_us)
        yield from wire.start(now_us)

    def _times(self, found: re.Match[str], now_us: float) -> tuple[float, float]:
        if found[1] is None:
            spent = 1e6 / _USUAL_HZ
            return now_us, now_us + (_DATA_BITS * spent if _BYTE.fullmatch(found[3]) else spent)
        if self._rate is None or self._rate <= 0:
            raise TraceError("the lines have sample numbers: say how many samples a second (--sample-rate)")
        return round(int(found[1]) * 1e6 / self._rate, 3), round(int(found[2]) * 1e6 / self._rate, 3)


def _take(wire: _Wire, byte: tuple[str, str, int, float], *, acknowledged: bool) -> None:
    kind, direction, value, duration_us = byte
    if kind == "Address":
        read = direction == "read"
        wire.address_byte(value, read=read, acknowledged=acknowledged, duration_us=duration_us)
    else:
        wire.data_byte(value, acknowledged=acknowledged, duration_us=duration_us)


def _bounded(file: TextIO) -> Iterator[str]:
    """Yield lines, of an endless one only its beginning."""
    whole = True
    while text := file.readline(1 << 16):
        if whole:
            yield text
        whole = text.endswith("\n")


def _fields(first: str) -> Iterable[str]:
    return (name.strip().strip('"').lower() for name in first.split(","))
