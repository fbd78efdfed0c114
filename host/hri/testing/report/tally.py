"""Puts pytest's three reports of a test together, and the boards that all tests used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from hri.testing.report.document import Test

# A board may print for hours; a report is read by people.
_MOST = 20_000


class Tally:
    """The tests in the order in which they ended, and each board once."""

    def __init__(self) -> None:
        self._tests: dict[str, Test] = {}
        self._boards: dict[str, dict[str, Any]] = {}

    def add(self, report: pytest.TestReport, used: Iterable[dict[str, Any]]) -> None:
        """Take the report of one phase, and with the last one what boards did in the test."""
        test = self._tests.setdefault(report.nodeid, Test(report.nodeid))
        test.duration_s += getattr(report, "duration", 0.0)
        _judge(test, report)
        for use in used:
            self._use(test, use)

    def tests(self) -> list[Test]:
        """Return every test."""
        for test in self._tests.values():
            test.duration_s = round(test.duration_s, 6)
        return list(self._tests.values())

    def boards(self) -> list[dict[str, Any]]:
        """Return every board, with its chip's locks as they were last."""
        return list(self._boards.values())

    def _use(self, test: Test, use: dict[str, Any]) -> None:
        board = use["board"]
        # Of processes on several machines two may have the same number, not the same name.
        self._boards[board["id"]] = board
        test.boards.append(board["id"])
        for name, count in use.get("bus", {}).items():
            test.bus[name] = test.bus.get(name, 0) + count
        if "board_ms" in use:
            test.board_ms = (test.board_ms or 0.0) + use["board_ms"]
        test.faults += use.get("faults", [])


def _judge(test: Test, report: pytest.TestReport) -> None:
    expected = hasattr(report, "wasxfail")
    if report.failed:
        # pytest-xdist tells of a worker that died in a phase of its own.
        test.outcome = "failed" if report.when not in ("setup", "teardown") else "error"
        test.failure = _clipped("\n".join(filter(None, (test.failure, report.longreprtext))))
        test.output = _clipped("\n".join(text for _, text in report.sections)) or None
    elif report.skipped:
        test.outcome = "xfailed" if expected else "skipped"
        test.reason = report.wasxfail if expected else _reason(report.longrepr)
    elif expected and report.when == "call":
        test.outcome, test.reason = "xpassed", report.wasxfail


def _reason(longrepr: object) -> str:
    text = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
    return _clipped(text.removeprefix("Skipped: "))


def _clipped(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]}\n... {len(text) - _MOST} more characters"
