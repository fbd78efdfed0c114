"""Hooks that put boards on record: properties in the JUnit file, and the run's report.

Each process notes what its tests did to its boards and hangs that onto their reports, which pytest-xdist
carries to the one that writes.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hri.testing.stash import RUN

if TYPE_CHECKING:
    from hri.testing.board import Usage
    from hri.testing.report.signature import ReportKey
    from hri.testing.run import Opened

_MEMBER = "hri"
"""The member of a teardown's TestReport that carries what boards did."""


def install(config: pytest.Config) -> None:
    """Register what this process needs: the recorder, and where reports are written the collector.

    Raises UsageError for a folder or a key that cannot be used, before any test runs.
    """
    config.pluginmanager.register(Recorder(), "hri_recorder")
    folder = config.getoption("hri_report")
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(_Workers(), "hri_workers")
    if folder:
        config.pluginmanager.register(
            Collector(config, Path(folder), _key(config, Path(folder))), "hri_report"
        )


def _key(config: pytest.Config, folder: Path) -> ReportKey | None:
    from hri.errors import HriError
    from hri.testing.report.folder import check_writable
    from hri.testing.report.signature import ReportKey

    try:
        check_writable(folder)
        return ReportKey.given(config.getoption("hri_report_key"), os.environ)
    except HriError as error:
        raise pytest.UsageError(f"--hri-report: {error.message}: {error.hint}") from error


class _Workers:
    """Tells pytest-xdist's workers that there is somebody to report to."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["hri_reported"] = True


class Recorder:
    """Notes, test by test, which boards were used and what went over their buses."""

    def __init__(self) -> None:
        self._before: dict[str, Usage] = {}
        self._known: set[str] = set()
        self._open: set[str] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        run = item.config.stash.get(RUN, None)
        self._before = run.usage() if run else {}
        self._known = {opened.id for opened in run.opened} if run else set()
        self._open = {opened.id for opened in run.opened if opened.open} if run else set()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        told = self._told(item) if call.when == "teardown" else []
        for board in told:
            item.user_properties.extend(_properties(board))
        report = yield
        if told:
            setattr(report, _MEMBER, told)
        return report

    def _told(self, item: pytest.Item) -> list[dict[str, Any]]:
        run = item.config.stash.get(RUN, None)
        if run is None:
            return []
        return [self._use(opened) for opened in run.opened if self._used(opened, item)]

    def _used(self, opened: Opened, item: pytest.Item) -> bool:
        if opened.facts is None:
            return False
        if opened.id not in self._known:
            return True
        usage, before = opened.board.usage(), self._before.get(opened.id)
        moved = usage is not None and before is not None and usage.bus != before.bus
        return moved or (opened.id in self._open and "hri_board" in getattr(item, "fixturenames", ()))

    def _use(self, opened: Opened) -> dict[str, Any]:
        opened.look()
        use: dict[str, Any] = {"board": opened.as_dict()}
        usage = opened.board.usage()
        if usage is None:
            return use
        before = self._before.get(opened.id)
        struck = usage.faults[len(before.faults) :] if before else usage.faults
        return use | {
            "bus": asdict(usage.bus - before.bus if before else usage.bus),
            "board_ms": (usage.answering_us - (before.answering_us if before else 0)) / 1000,
            "faults": list(struck),
        }


def _properties(use: dict[str, Any]) -> list[tuple[str, object]]:
    """Return the properties of a test case in the JUnit file."""
    board = use["board"]
    chip, runtime = board["chip"] or {}, board["runtime"] or {}
    found: list[tuple[str, object]] = [
        ("hri.board", board["name"]),
        ("hri.runtime", f"{runtime.get('name', '')} {runtime.get('version', '')}".strip()),
        ("hri.chip.type", chip.get("type", "")),
        ("hri.chip.revision", chip.get("revision", "")),
        ("hri.chip.serial_number", chip.get("serial_number", "")),
        ("hri.package.sha256", board["package"] or ""),
    ]
    found += [(f"hri.bus.{name}", count) for name, count in use.get("bus", {}).items()]
    return found


class Collector:
    """Collects what every process tells, and writes the report when all is over."""

    def __init__(self, config: pytest.Config, folder: Path, key: ReportKey | None) -> None:
        from hri.testing.report.tally import Tally

        self._config = config
        self._folder = folder
        self._key = key
        self._begun = datetime.now(UTC)
        self._tally = Tally()
        self._said: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tally.add(report, getattr(report, _MEMBER, []))

    # The innermost wrapper: after junitxml and pytest-embedded have written, before the terminal sums up.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        from hri.errors import HriError

        result = yield
        try:
            self._write(session)
        except HriError as error:
            self._said = [f"no report: {error.message}: {error.hint}"]
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("hri report")
        for line in self._said:
            terminalreporter.line(line)

    def _write(self, session: pytest.Session) -> None:
        from hri.testing.report.document import PAGE, document
        from hri.testing.report.folder import write_report

        ending = pytest.ExitCode(session.exitstatus).name.lower().replace("_", " ")
        report = document(
            begun=self._begun,
            ended=datetime.now(UTC),
            folder=self._config.rootpath,
            command=self._config.invocation_params.args,
            ending=ending,
            boards=self._tally.boards(),
            tests=self._tally.tests(),
        )
        write_report(self._folder, report, self._junit(), self._key)
        signed = "signed" if self._key else "NOT signed: give --hri-report-key"
        self._said = [f"{self._folder / PAGE}: {signed}"]

    def _junit(self) -> bytes | None:
        from hri.ca.files import disk_errors

        named = getattr(self._config.option, "xmlpath", None)
        if not named or not Path(named).is_file():
            return None
        with disk_errors(Path(named)):
            return Path(named).read_bytes()
