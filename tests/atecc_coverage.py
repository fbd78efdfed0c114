"""Which commands and modes of the ATECC608 the tests of this run have covered, and from which side.

A test says what it covers with `@pytest.mark.covers("AES", "ECB encrypt, slot key")`; the names are those of
`host/hri/rig/atecc/modes.toml`. Only a test that ran and passed counts. `tools/atecc_coverage.py` makes
`docs/atecc-coverage.md` of what this writes.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

_MODES = Path(__file__).parents[1] / "host" / "hri" / "rig" / "atecc" / "modes.toml"
# The side is told by the folder of the test.
SIDES = {
    "unit/rig_atecc": "chip",
    "unit/firmware_atecc": "driver",
    "conformance": "both",
}


def known_modes() -> Iterator[tuple[str, str]]:
    """Yield every (command, mode) there is, in the order of the table."""
    for command in tomllib.loads(_MODES.read_text())["command"]:
        for mode in command["modes"]:
            yield command["name"], mode["mode"]


def side_of(path: str) -> str:
    """Return which side a test file looks at; raises KeyError for a folder that may not claim coverage."""
    return next(side for folder, side in SIDES.items() if f"tests/{folder}/" in path)


class Coverage:
    """The plugin: collects on the controller what the workers' passed tests cover."""

    def __init__(self, output: Path | None) -> None:
        self._output = output
        self._covered: dict[tuple[str, str], dict[str, list[str]]] = {}

    @pytest.hookimpl
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        marked = [(item, mark) for item in items for mark in item.iter_markers("covers")]
        known = set(known_modes()) if marked else set()
        for item, mark in marked:
            if mark.args not in known:
                raise pytest.UsageError(f"{item.nodeid} covers {mark.args}, which modes.toml does not know")
            item.user_properties.append(("covers", [*mark.args, side_of(item.path.as_posix())]))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or not report.passed:
            return
        for name, value in report.user_properties:
            if name == "covers":
                command, mode, side = value
                tests = self._covered.setdefault((command, mode), {}).setdefault(side, [])
                tests.append(report.nodeid.split("[")[0])

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # Only the controller hears of every test.
        if self._output is None or hasattr(session.config, "workerinput"):
            return
        rows = [
            {"command": command, "mode": mode, **{side: sorted(set(tests)) for side, tests in sides.items()}}
            for (command, mode), sides in sorted(self._covered.items())
        ]
        self._output.parent.mkdir(parents=True, exist_ok=True)
        self._output.write_text(json.dumps(rows, indent=1) + "\n")
