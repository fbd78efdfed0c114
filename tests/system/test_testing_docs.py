"""docs/testing.md: its example runs, and its tables name what there is."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()


def test_the_example_passes(pytester: pytest.Pytester) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    pytester.makepyfile(code)
    pytester.runpytest_subprocess("--hri-board", "unix", timeout=120).assert_outcomes(passed=2)


def test_every_fixture_has_a_row_and_a_docstring(pytester: pytest.Pytester) -> None:
    said = pytester.runpytest_subprocess("--fixtures", "-v", timeout=60).stdout.str()
    defined = re.findall(r"^(hri_\w+)[^\n]*\n +(\S.*)", said, re.MULTILINE)
    assert {name for name, _ in defined} >= {"hri_board", "hri_bus"}
    assert not [name for name, text in defined if "no docstring" in text]
    rows = re.findall(r"^\| (`hri_.*?) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(hri_\w+)`", row)}
    assert {name for name, _ in defined} <= named


def test_every_option_has_a_row(pytestconfig: pytest.Config) -> None:
    defined = {
        option
        for group in pytestconfig._parser._groups
        for opt in group.options
        for option in opt.names()
        if option.startswith("--hri-")
    }
    assert defined == set(re.findall(r"^\| `(--hri-[a-z-]+)", PAGE, re.MULTILINE))
    for name in re.findall(r"\| `(hri_\w+)` \|", PAGE.partition("## Options")[2]):
        pytestconfig.getini(name)
