"""The trace file: a header and then one transaction a line, each a JSON object; docs/bus-trace.md.

Reading stops at nothing but a wrong header: a line cut short by a crash or a full disk is left out and
counted, since everything before it is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from hri.rig.trace.model import VERSION, Header, Power, Trace, TraceError, Transaction, Transfer, Wake

FORMAT = "hri-bus-trace"
MAX_LINE = 1 << 18
"""No line of ours is longer: 64 KiB of bytes in hexadecimal, and what stands around them."""
_POLL_CHARACTERS = 1 << 16


def header_line(header: Header) -> str:
    """Return the first line of a file."""
    return json.dumps(header_dict(header)) + "\n"


def header_dict(header: Header) -> dict[str, Any]:
    """Return the members of the first line."""
    said = {"board": header.board, "note": header.note}
    return {
        "format": FORMAT,
        "version": VERSION,
        "source": header.source,
        "chip": header.chip,
        "clock": header.clock,
        **{name: value for name, value in said.items() if value is not None},
    }


def line(transaction: Transaction) -> str:
    """Return the line for one transaction."""
    return json.dumps(as_dict(transaction), separators=(",", ":")) + "\n"


def as_dict(transaction: Transaction) -> dict[str, Any]:
    """Return the members of a line; those with their usual value are left out."""
    document: dict[str, Any] = {"t": _number(transaction.time_us)}
    if isinstance(transaction, Wake):
        document["wake"] = _number(transaction.low_us)
    elif isinstance(transaction, Power):
        document["power"] = True
    else:
        document |= {
            "end": _number(transaction.end_us),
            "read" if transaction.read else "write": f"{transaction.address:02x}",
            "ack": transaction.acknowledged,
            "data": transaction.data.hex(),
            "hz": transaction.scl_hz,
        }
        rare = {
            "nacked": list(transaction.nacked),
            "more": transaction.more,
            "repeated": transaction.repeated,
            "unstopped": not transaction.stopped,
            "other": transaction.other,
        }
        document |= {name: value for name, value in rare.items() if value}
    if transaction.faults:
        document["faults"] = list(transaction.faults)
    if not isinstance(transaction, Power) and transaction.held:
        document["held"] = transaction.held
    return document


def from_dict(document: dict[str, Any]) -> Transaction:
    """Return the transaction of a line; raises TraceError where it is none."""
    try:
        faults, held = _texts(document.get("faults", [])), _text(document.get("held"))
        time_us = _time(document["t"])
        if "wake" in document:
            return Wake(time_us, _time(document["wake"]), faults, held)
        if "power" in document:
            return Power(time_us, faults)
        read = "read" in document
        return Transfer(
            time_us,
            max(_time(document["end"]), time_us),
            int(document["read" if read else "write"], 16),
            read,
            bool(document["ack"]),
            bytes.fromhex(document["data"]),
            tuple(int(index) for index in document.get("nacked", [])),
            int(document.get("more", 0)),
            int(document["hz"]),
            bool(document.get("repeated", False)),
            not document.get("unstopped", False),
            bool(document.get("other", False)),
            faults,
            held,
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise TraceError(f"no transaction: {error!r}") from error


def read_header(text: str) -> Header:
    """Return the header of a first line; raises TraceError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TraceError("the first line is no header of a bus trace") from error
    return header_from_dict(document)


def header_from_dict(document: object) -> Header:
    """Return the header with these members; raises TraceError where they are none."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise TraceError(f'the first line is no header of a bus trace: it says no "format": "{FORMAT}"')
    if document.get("version") != VERSION:
        raise TraceError(f"the trace has version {document.get('version')!r}; this hri reads {VERSION}")
    try:
        return Header(
            _text(document.get("chip")) or "unknown",
            _text(document.get("board")),
            _text(document.get("clock")) or "",
            _text(document.get("source")) or "unknown",
            _text(document.get("note")),
        )
    except (TypeError, ValueError) as error:
        raise TraceError(f"the first line is no header of a bus trace: {error}") from error


@dataclass(slots=True)
class TraceReader:
    """Reads a trace file, as it is or as it grows, one line in memory at a time.

    ``torn`` counts the lines that were left out because they are not whole or no transaction.
    """

    file: TextIO
    header: Header = field(init=False)
    torn: int = 0
    _pending: str = ""
    _overlong: bool = False

    def __post_init__(self) -> None:
        first = self.file.readline(MAX_LINE)
        if not first.endswith("\n"):
            raise TraceError("the file is empty" if not first else "the first line is not whole")
        self.header = read_header(first)

    def new(self) -> Iterator[Transaction]:
        """Yield every whole transaction that is there and was not read before."""
        while chunk := self.file.readline(_POLL_CHARACTERS):
            self._pending += chunk
            if not self._pending.endswith("\n"):
                if len(self._pending) > MAX_LINE:
                    self._pending, self._overlong = "", True
                continue
            text, self._pending = self._pending, ""
            if self._overlong:
                self._overlong = False
                self.torn += 1
                continue
            found = self._parsed(text)
            if found is not None:
                yield found

    def all(self) -> Iterator[Transaction]:
        """Yield every transaction of a file that grows no more; a last line without its end is torn."""
        yield from self.new()
        if self._pending.strip() or self._overlong:
            self.torn += 1
            self._pending, self._overlong = "", False

    def _parsed(self, text: str) -> Transaction | None:
        if not text.strip():
            return None
        try:
            document = json.loads(text)
            if not isinstance(document, dict):
                raise TraceError("no JSON object")
            return from_dict(document)
        except (TraceError, ValueError, RecursionError):
            self.torn += 1
            return None


def open_text(path: Path) -> TextIO:
    """Open a trace for reading; bytes that are no text become marks, never an exception."""
    return path.open(encoding="utf-8", errors="replace", newline="\n")


def load(path: Path) -> Trace:
    """Return a whole trace; raises TraceError and OSError."""
    with open_text(path) as file:
        reader = TraceReader(file)
        return Trace(reader.header, tuple(reader.all()))


def _number(value: float) -> float | int:
    """Return a whole number as one."""
    return int(value) if value == int(value) else round(value, 3)


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a time is a number")
    if not -1e15 < value < 1e15:
        raise ValueError("a time is out of range")
    return float(value)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("a text was expected")


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise TypeError("a list of texts was expected")
    return tuple(value)
