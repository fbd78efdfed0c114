"""The steps of a use case: named, timed, told to whoever watches, and stopped by one deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from hri.errors import DeviceError

Phase = Literal["begun", "done", "failed"]


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step began or ended; `milliseconds` is its duration where it ended."""

    name: str
    phase: Phase
    milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StepTime:
    """A step that was completed, and how many milliseconds it took."""

    name: str
    milliseconds: float


OnStep = Callable[[StepEvent], None]


class Steps:
    """Times the steps of one run; no step begins after `timeout` seconds (None: no limit)."""

    def __init__(
        self, on_step: OnStep, monotonic: Callable[[], float], *, timeout: float | None = None
    ) -> None:
        self._on_step = on_step
        self._monotonic = monotonic
        self._timeout = timeout
        self._end = None if timeout is None else monotonic() + timeout
        self._renew: Callable[[], object] | None = None
        self.done: list[StepTime] = []

    @contextmanager
    def renewing(self, renew: Callable[[], object]) -> Iterator[None]:
        """Call `renew` before every step in the block; what it raises keeps the step from beginning."""
        self._renew = renew
        try:
            yield
        finally:
            self._renew = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Run one step; raises DeviceError at its beginning when the time for all of them is up."""
        begun = self._monotonic()
        if self._end is not None and begun > self._end:
            raise DeviceError(
                "enrollment-timeout",
                f"the {self._timeout:g} s of provisioning.enrollment_timeout were over before `{name}`",
                "run the same command again: it goes on where this one stopped",
            )
        if self._renew is not None:
            self._renew()
        self._on_step(StepEvent(name, "begun"))
        phase: Phase = "failed"
        try:
            yield
            phase = "done"
        finally:
            milliseconds = (self._monotonic() - begun) * 1000
            if phase == "done":
                self.done.append(StepTime(name, milliseconds))
            self._on_step(StepEvent(name, phase, milliseconds))
