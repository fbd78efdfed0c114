"""Recording a bus: to a file that is whole at every moment, and to a window for those who look on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO

from hri.rig.bus import Bus, Event
from hri.rig.bus_faults import FaultyTarget
from hri.rig.trace.file import header_line, line
from hri.rig.trace.grouping import Grouping
from hri.rig.trace.model import Header, Trace, Transaction

WINDOW = 5_000
"""Transactions that :class:`LiveTrace` keeps for those who have not asked yet."""
_FORGOTTEN_AFTER_S = 60.0


class FileRecorder:
    """Appends each transaction to ``file``, flushed, as one whole line.

    ``failure`` is the OSError that ended the recording: a full disk must not stop the bus that is recorded.
    """

    def __init__(self, file: TextIO, header: Header) -> None:
        self._file = file
        self.failure: OSError | None = None
        self.count = 0
        self._append(header_line(header))

    def __call__(self, transaction: Transaction) -> None:
        self._append(line(transaction))
        self.count += 1

    def _append(self, text: str) -> None:
        if self.failure is not None:
            return
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            self.failure = error


@contextmanager
def recording(
    bus: Bus, path: Path, header: Header, *, wires: FaultyTarget | None = None
) -> Iterator[FileRecorder]:
    """Record ``bus`` to ``path``, which begins anew; raises OSError where it cannot be written."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        recorder = FileRecorder(file, header)
        grouping = Grouping(bus, recorder, wires=wires, timed=header.clock == "board")
        end = bus.observe(grouping)
        try:
            yield recorder
        finally:
            end()
            grouping.finish()


@contextmanager
def collecting(
    bus: Bus, header: Header, *, wires: FaultyTarget | None = None
) -> Iterator[Callable[[], Trace]]:
    """Record ``bus`` in memory; yields what returns the trace so far."""
    found: list[Transaction] = []
    grouping = Grouping(bus, found.append, wires=wires, timed=header.clock == "board")
    end = bus.observe(grouping)
    try:
        yield lambda: Trace(header, tuple(found))
    finally:
        end()
        grouping.finish()


class LiveTrace:
    """The last :data:`WINDOW` transactions of a bus, numbered from 0, for those who ask for news.

    It begins to look with the first :meth:`since`, and stops when nobody asked for a minute: a bus that
    nobody watches makes no events.
    """

    def __init__(
        self,
        bus: Bus,
        header: Header | None = None,
        *,
        wires: FaultyTarget | None = None,
        window: int = WINDOW,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self.header = Header() if header is None else header
        self._wires = wires
        self._now_s = now_s
        self._kept: deque[Transaction] = deque(maxlen=window)
        self._count = 0
        self._asked_s = 0.0
        self._end: Callable[[], None] | None = None
        self._grouping: Grouping | None = None

    def since(self, first: int | None, most: int) -> tuple[list[Transaction], int, int]:
        """Return ``most`` transactions or fewer from number ``first`` on, the next number, how many are lost.

        None asks from now on. Called while the bus is held (:attr:`hri.rig.bus.Bus.exclusive`).
        """
        self._asked_s = self._now_s()
        if self._end is None:
            timed = self.header.clock == "board"
            self._grouping = Grouping(self._bus, self._keep, wires=self._wires, timed=timed)
            self._end = self._bus.observe(self._take)
        oldest = self._count - len(self._kept)
        wanted = self._count if first is None else min(first, self._count)
        begin = max(wanted, oldest)
        found = list(islice(self._kept, begin - oldest, begin - oldest + most))
        return found, begin + len(found), begin - wanted

    def _take(self, event: Event) -> None:
        if self._grouping is None:
            return
        self._grouping(event)
        if event.kind == "stop" and self._now_s() - self._asked_s > _FORGOTTEN_AFTER_S:
            self._stop()

    def _keep(self, transaction: Transaction) -> None:
        self._kept.append(transaction)
        self._count += 1

    def _stop(self) -> None:
        end, self._end, self._grouping = self._end, None, None
        if end is not None:
            end()
