"""Where each step of a trace goes in a picture: one line of time, wrapped, its quiet parts shortened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from hri.rig.trace.steps import Elsewhere, Exchange, PowerLoss, Step, Stray, Unanswered, Waking, Word

PX_A_MS = 3.2
WIDTH = 820.0
"""Pixels of a row that bars may take."""
_LEAST_BAR, _MOST_BAR = 2.0, 400.0
_TO_SCALE_US = 4_000
_SHORT_GAP, _LABEL_FROM_US = 14.0, 10_000
_BETWEEN_MARKS = 10.0
_CHARACTER = 0.57


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is in a sans-serif face, in pixels."""
    return len(text) * size * _CHARACTER


def title_of(step: Step) -> str:
    """Return the word for a step's bar, empty where it has none."""
    if isinstance(step, Exchange):
        return step.command.name
    if isinstance(step, PowerLoss):
        return "power"
    if isinstance(step, Elsewhere):
        return "other"
    return "?" if isinstance(step, Stray | Unanswered) else ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment with a name: what the host was at from then on."""

    time_us: float
    name: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A step at its place: pixels from the left of its row."""

    x: float
    width: float
    step: Step


@dataclass(frozen=True, slots=True)
class Gap:
    """A quiet part that is not drawn to scale."""

    x: float
    width: float
    spent_us: float


@dataclass(frozen=True, slots=True)
class State:
    """A stretch in which the chip was awake, or idle."""

    x: float
    width: float
    idle: bool


@dataclass(frozen=True, slots=True)
class Heading:
    """A mark at its place, how long what it names took, and how many bytes it put on the bus."""

    x: float
    name: str
    spent_us: float
    bus_bytes: int

    @property
    def details(self) -> str:
        """Time and bytes in words."""
        return f"{gap_text(self.spent_us)}, {self.bus_bytes:,} B"


@dataclass(slots=True)
class Line:
    """One row: what is on it, and when it begins."""

    start_us: float
    bars: list[Bar] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)


class Layout:
    """Places steps one after another; two that overlap in time stand side by side."""

    def __init__(self, heading_size: float) -> None:
        self.lines: list[Line] = []
        self._heading_size = heading_size
        self._x = 0.0
        self._until_us = 0.0
        self._state_from: float | None = None
        self._idle = False
        self._least_x = 0.0

    def section(self, mark: Mark | None, steps: Sequence[Step]) -> None:
        """Place what happened from ``mark`` on; it begins no later than its first step."""
        if mark is not None:
            self._head(mark, steps)
        for waking in _wakings(steps):
            self._keep_together(waking)
            for step in waking:
                self._place(step)

    def finish(self) -> list[Line]:
        """Return the rows."""
        self._end_state()
        return self.lines

    def _head(self, mark: Mark, steps: Sequence[Step]) -> None:
        first, last = steps[0], steps[-1]
        heading = Heading(0.0, mark.name, last.end_us - first.start_us, sum(step.bus_bytes for step in steps))
        words = f"{heading.name}  {heading.details}"
        needed = text_width(words, self._heading_size) + _BETWEEN_MARKS
        gap = self._gap_width(first.start_us)
        self._x = max(self._x, self._least_x - gap)
        if self.lines and self._x + gap + needed > WIDTH:
            self._wrap(first.start_us)
        self._keep_together(next(_wakings(steps)))
        self._gap(first)
        self._line.headings.append(replace(heading, x=self._x))
        self._least_x = self._x + needed

    @property
    def _line(self) -> Line:
        return self.lines[-1]

    def _keep_together(self, steps: Sequence[Step]) -> None:
        """Begin a new row where the rest of this one is too short for steps that a whole row has room for."""
        if not self.lines or not self._line.bars:
            return
        width = sum(_bar_width(step) for step in steps)
        quiet = sum(max(0.0, after.start_us - before.end_us) for before, after in pairwise(steps))
        width += quiet / 1000 * PX_A_MS
        if self._x + self._gap_width(steps[0].start_us) + width > WIDTH >= width:
            self._wrap(steps[0].start_us)

    def _place(self, step: Step) -> None:
        width = _bar_width(step)
        if not self.lines or self._x + self._gap_width(step.start_us) + width > WIDTH:
            self._wrap(step.start_us)
        self._gap(step)
        if isinstance(step, Waking) and (step.reply is not None or step.low_us >= 60):
            self._begin_state(idle=False)
        self._line.bars.append(Bar(self._x, width, step))
        self._x += width
        self._until_us = max(self._until_us, step.end_us)
        if isinstance(step, PowerLoss) or (isinstance(step, Word) and step.word != "reset"):
            self._end_state()
            if isinstance(step, Word) and step.word == "idle":
                self._begin_state(idle=True)

    def _gap_width(self, start_us: float) -> float:
        spent = max(0.0, start_us - self._until_us)
        if not self.lines or not self._line.bars:
            return 0.0
        if spent <= _TO_SCALE_US:
            return spent / 1000 * PX_A_MS
        if spent < _LABEL_FROM_US:
            return _SHORT_GAP
        return text_width(gap_text(spent), 9) + 8

    def _gap(self, step: Step) -> None:
        if not self.lines:
            self._wrap(step.start_us)
        width, spent = self._gap_width(step.start_us), step.start_us - self._until_us
        if spent > _TO_SCALE_US and width:
            self._line.gaps.append(Gap(self._x, width, spent))
        self._x += width
        self._until_us = max(self._until_us, step.start_us)

    def _wrap(self, start_us: float) -> None:
        """Begin a new row; a chip that is awake stays so."""
        kept = self._state_from is not None
        if kept:
            self._end_state()
        self.lines.append(Line(start_us))
        self._x = self._least_x = 0.0
        self._until_us = start_us
        if kept:
            self._begin_state(idle=self._idle)

    def _begin_state(self, *, idle: bool) -> None:
        self._end_state()
        self._state_from, self._idle = self._x, idle

    def _end_state(self) -> None:
        if self._state_from is not None and self.lines:
            begin, self._state_from = self._state_from, None
            self._line.states.append(State(begin, max(self._x - begin, 1.0), self._idle))


def _bar_width(step: Step) -> float:
    return min(max(step.duration_us / 1000 * PX_A_MS, _LEAST_BAR), _MOST_BAR)


def _wakings(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Yield the steps from each waking to the next."""
    together: list[Step] = []
    for step in steps:
        if isinstance(step, Waking) and together:
            yield together
            together = []
        together.append(step)
    if together:
        yield together


def place(steps: Iterable[Step], marks: Sequence[Mark], *, heading_size: float) -> list[Line]:
    """Return the rows for ``steps``, with a heading where each of ``marks`` (in order) begins."""
    layout = Layout(heading_size)
    left = list(marks)
    mark: Mark | None = None
    section: list[Step] = []
    for step in steps:
        if left and step.start_us >= left[0].time_us:
            if section:
                layout.section(mark, section)
            section = []
            while left and step.start_us >= left[0].time_us:
                mark = left.pop(0)
        section.append(step)
    if section:
        layout.section(mark, section)
    return layout.finish()


def gap_text(spent_us: float) -> str:
    """Return how long it was quiet."""
    return f"{spent_us / 1e6:.2f} s" if spent_us >= 1e6 else f"{spent_us / 1000:.0f} ms"
