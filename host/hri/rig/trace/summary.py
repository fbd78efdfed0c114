"""A trace in one table: what was sent how often, what it took, what went wrong."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from hri.rig.trace.steps import Elsewhere, Exchange, PowerLoss, Step, Stray, Unanswered, Waking, Word

_REMEMBERED = 64
BETWEEN = "between"
"""The row of the time in which the bus was quiet and no command ran: the host thinks, the chip sleeps."""


@dataclass(slots=True)
class Totals:
    """What steps of one kind add up to; times in microseconds."""

    count: int = 0
    failed: int = 0
    bus_bytes: int = 0
    time_us: float = 0.0
    busy_us: float = 0.0
    polls: int = 0


class _Covered:
    """How much time steps take together, where they overlap or come a little out of order."""

    def __init__(self) -> None:
        self.total_us = 0.0
        self._latest: deque[tuple[float, float]] = deque()

    def add(self, start_us: float, end_us: float) -> None:
        """Add a stretch of time; of those before it the latest few are remembered."""
        latest = self._latest
        while latest and latest[-1][1] >= start_us:
            before = latest.pop()
            self.total_us -= before[1] - before[0]
            start_us, end_us = min(start_us, before[0]), max(end_us, before[1])
        self.total_us += end_us - start_us
        latest.append((start_us, end_us))
        if len(latest) > _REMEMBERED:
            latest.popleft()


@dataclass(slots=True)
class Summary:
    """Totals by command name (and by ``wake``, ``sleep``, …), in the order they were first seen."""

    rows: dict[str, Totals] = field(default_factory=dict)
    wakes: int = 0
    nacks: int = 0
    polls: int = 0
    crc_errors: int = 0
    retries: int = 0
    power_losses: int = 0
    bus_bytes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    most_awake_us: float = 0.0
    start_us: float | None = None
    end_us: float = 0.0
    _covered: _Covered = field(default_factory=lambda: _Covered())

    def add(self, step: Step) -> None:
        """Count one more step."""
        if self.start_us is None:
            self.start_us = step.start_us
        self.start_us = min(self.start_us, step.start_us)
        self._covered.add(step.start_us, step.end_us)
        self.end_us = max(self.end_us, step.end_us)
        self.nacks += step.nacks
        self.bus_bytes += step.bus_bytes
        self.faults.update(fault.partition("@")[0] for fault in step.faults)
        totals = self.rows.setdefault(_row_of(step), Totals())
        totals.count += 1
        totals.bus_bytes += step.bus_bytes
        totals.time_us += step.duration_us
        if isinstance(step, Exchange):
            self._exchange(step, totals)
        elif isinstance(step, Waking):
            self.wakes += step.pulses
            totals.polls += step.polls
            self.polls += step.polls
        elif isinstance(step, PowerLoss):
            self.power_losses += 1

    def _exchange(self, step: Exchange, totals: Totals) -> None:
        totals.failed += not step.succeeded
        totals.busy_us += step.busy_us or 0.0
        totals.polls += step.polls
        self.wakes += step.pulses
        self.polls += step.polls
        self.retries += step.attempt > 1
        self.crc_errors += step.rewinds
        self.crc_errors += step.command.fault is not None
        self.crc_errors += step.reply is not None and step.reply.fault is not None
        self.most_awake_us = max(self.most_awake_us, step.awake_us or 0.0)

    @property
    def span_us(self) -> float:
        """From the first step to the end of the last."""
        return self.end_us - (self.start_us or 0.0)

    def share(self, name: str) -> float:
        """Return which part of the whole time went to a row, 0 to 1; of :data:`BETWEEN` too."""
        if not self.span_us:
            return 0.0
        spent = self.between_us if name == BETWEEN else self.rows[name].time_us
        return spent / self.span_us

    @property
    def between_us(self) -> float:
        """The time in which nothing was going on."""
        return max(0.0, self.span_us - self._covered.total_us)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON."""
        rows = {name: {**asdict(totals), "share": self.share(name)} for name, totals in self.rows.items()}
        return {
            "rows": rows,
            "span_us": self.span_us,
            "between_us": self.between_us,
            "bytes": self.bus_bytes,
            "wake_pulses": self.wakes,
            "nacks": self.nacks,
            "busy_polls": self.polls,
            "crc_errors": self.crc_errors,
            "retries": self.retries,
            "power_losses": self.power_losses,
            "longest_awake_us": self.most_awake_us,
            "faults": dict(self.faults),
        }


def summarise(steps: Iterable[Step]) -> Summary:
    """Return the totals of ``steps``."""
    summary = Summary()
    for step in steps:
        summary.add(step)
    return summary


def _row_of(step: Step) -> str:
    if isinstance(step, Exchange):
        return step.command.name
    if isinstance(step, Waking):
        return "wake"
    if isinstance(step, Word):
        return step.word
    if isinstance(step, Unanswered):
        return "not acknowledged"
    if isinstance(step, Stray):
        return "stray bytes"
    if isinstance(step, Elsewhere):
        return "other traffic"
    return "power"
