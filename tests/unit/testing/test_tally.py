"""Three reports of pytest's make one test, and every board is there once."""

import pytest
from hri.testing.report.tally import Tally


def report(when: str, outcome: str = "passed", longrepr: object = None, **more: object) -> pytest.TestReport:
    return pytest.TestReport("t::it", ("t", 1, "it"), {}, outcome, longrepr, when, duration=0.5, **more)


def outcome(*reports: pytest.TestReport) -> str:
    tally = Tally()
    for each in reports:
        tally.add(each, [])
    (test,) = tally.tests()
    return test.outcome


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([report("setup"), report("call"), report("teardown")], "passed"),
        ([report("setup"), report("call", "failed", "E"), report("teardown")], "failed"),
        ([report("setup", "failed", "E"), report("teardown")], "error"),
        ([report("setup"), report("call"), report("teardown", "failed", "E")], "error"),
        ([report("setup", "skipped", ("f", 1, "Skipped: why")), report("teardown")], "skipped"),
        ([report("setup"), report("call", "skipped", "E", wasxfail="known"), report("teardown")], "xfailed"),
        ([report("setup"), report("call", wasxfail="known"), report("teardown")], "xpassed"),
        ([report("???", "failed", "worker 'gw0' crashed")], "failed"),
    ],
)
def test_the_outcome(reports, expected):
    assert outcome(*reports) == expected


def test_reasons_failures_and_time():
    tally = Tally()
    tally.add(report("setup", "skipped", ("f", 1, "Skipped: no wires")), [])
    tally.add(report("teardown"), [])
    (test,) = tally.tests()
    assert (test.reason, test.duration_s, test.failure) == ("no wires", 1.0, None)


def test_a_failure_that_goes_on_and_on_is_clipped():
    tally = Tally()
    tally.add(report("call", "failed", "x" * 100_000), [])
    (test,) = tally.tests()
    assert len(test.failure) < 21_000
    assert test.failure.endswith("80000 more characters")


def test_what_boards_did_is_summed_and_each_is_listed_once():
    tally = Tally()
    use = {
        "bus": {"wakes": 1, "commands": 2, "bytes": 3},
        "board_ms": 1.5,
        "faults": ["flip@1"],
    }
    tally.add(report("teardown"), [{"board": {"id": "a"}, **use}, {"board": {"id": "b"}, **use}])
    tally.add(report("teardown"), [{"board": {"id": "a", "locks_after": {}}}])
    (test,) = tally.tests()
    assert test.bus == {"wakes": 2, "commands": 4, "bytes": 6}
    assert (test.board_ms, test.faults) == (3.0, ["flip@1", "flip@1"])
    assert tally.boards() == [{"id": "a", "locks_after": {}}, {"id": "b"}]
