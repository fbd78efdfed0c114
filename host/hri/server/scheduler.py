"""The upkeep of the authority beside the requests: one thread, which no failing step ends."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from hri.context import Context
from hri.errors import HriError
from hri.log import get_logger
from hri.server.metrics import Metrics
from hri.upkeep import Step

_GRACE_S = 2.0
"""So long the end waits for a step under way, which need not finish: each may be killed at any moment."""
_log = get_logger(__name__)


class Scheduler:
    """Takes turns with other processes at the steps of upkeep, the first at once, then in every interval."""

    def __init__(
        self, context: Context, steps: Sequence[Step], interval: timedelta | None, metrics: Metrics
    ) -> None:
        """Take what is to be done; with no interval nothing is, which is for those who have timers."""
        self._context = context
        self._steps = tuple(steps)
        self._interval = interval
        self._metrics = metrics
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._interval is not None:
            self._thread = threading.Thread(
                target=self._run, args=(self._interval,), name="upkeep", daemon=True
            )
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_GRACE_S)

    def _run(self, interval: timedelta) -> None:
        while not self._stopping.is_set():
            for step in self._steps:
                if self._stopping.is_set():
                    return
                self._take(step, interval)
            self._stopping.wait(interval.total_seconds())

    def _take(self, step: Step, interval: timedelta) -> None:
        try:
            ours = step.is_ours(self._context, interval)
            if ours:
                step.work()
        except HriError as error:
            if not self._stopping.is_set():
                _log.error("upkeep failed", step=step.name, code=error.code, error=error.message)
            outcome = "failed"
        except Exception as error:  # noqa: BLE001 - logged with its traceback, counted
            # A fault of ours in one step is no reason to leave the others undone, or to end the server.
            _log.error("upkeep failed", step=step.name, exc_info=error)
            outcome = "failed"
        else:
            outcome = "done" if ours else "elsewhere"
        self._metrics.upkeep.labels(step.name, outcome).inc()
