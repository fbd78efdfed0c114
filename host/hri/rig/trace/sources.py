"""Where transactions come from: a file, a file that grows, a bus that is served, an analyser's export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from hri.rig.bus_control_client import RemoteControl
from hri.rig.trace.analyser import CsvExport, SigrokExport, is_csv, is_sigrok
from hri.rig.trace.file import MAX_LINE, TraceReader, from_dict, header_from_dict, open_text
from hri.rig.trace.model import Header, TraceError, Transaction

POLL_S = 0.2
"""How long those who follow wait before they look again."""
Wait = Callable[[float], bool]
"""Waits so many seconds; True says that it is time to stop."""


@dataclass(slots=True)
class Batch:
    """What came since the last look; ``lost`` transactions before it were not kept for us."""

    transactions: list[Transaction]
    lost: int = 0


@dataclass(slots=True)
class Source:
    """A trace that is read while it is iterated. ``torn`` tells, afterwards, how many lines were left out."""

    header: Header
    transactions: Iterator[Transaction]
    torn: Callable[[], int]


@contextmanager
def opened(path: Path, *, sample_rate: float | None = None) -> Iterator[Source]:
    """Open a trace, or the I2C export of a logic analyser; raises TraceError and OSError.

    ``sample_rate`` (Hz) is that of a sigrok export, whose times are numbers of samples.
    """
    with open_text(path) as file:
        first = file.readline(MAX_LINE)
        file.seek(0)
        if is_csv(first):
            csv_export = CsvExport(file)
            yield Source(_imported(path), csv_export.transactions(), lambda: csv_export.torn)
        elif is_sigrok(first):
            sigrok_export = SigrokExport(file, sample_rate)
            yield Source(_imported(path), sigrok_export.transactions(), lambda: sigrok_export.torn)
        else:
            reader = TraceReader(file)
            yield Source(reader.header, reader.all(), lambda: reader.torn)


def following(path: Path, file: TextIO, reader: TraceReader, wait: Wait) -> Iterator[Batch]:
    """Yield what is appended to a trace until ``wait`` says to stop.

    Raises TraceError when the file is begun anew.
    """
    while True:
        yield Batch(list(reader.new()))
        if wait(POLL_S):
            yield Batch(list(reader.new()))
            return
        if path.stat().st_size < file.tell():
            raise TraceError("the trace was begun anew; follow it again")


def watching(remote: RemoteControl, wait: Wait) -> Iterator[Batch]:
    """Yield what goes over a served bus from now on until ``wait`` says to stop."""
    following_number = remote.trace()["next"]
    while True:
        reply = remote.trace(following_number)
        following_number = reply["next"]
        transactions = [from_dict(document) for document in reply["transactions"]]
        yield Batch(transactions, reply["lost"])
        # Where something came there may be more.
        if wait(0.0 if transactions else POLL_S):
            return


def header_of(remote: RemoteControl) -> Header:
    """Return what a served bus says of itself."""
    return header_from_dict(remote.trace()["trace"])


def _imported(path: Path) -> Header:
    return Header(clock="analyser", source=path.name)
