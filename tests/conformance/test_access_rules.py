"""The virtual ATECC608 against a second reading of its access rules: random sequences in every lock state.

The table (``access_rules/rules.txt``) was written from the documents without sight of the chip. A failing
sequence prints the line that runs it again.
"""

from __future__ import annotations

import pytest
from conformance.access_rules.campaign import Campaign, Result, coverage
from conformance.access_rules.table import the_table

SEED = 608
SEQUENCES = 100_000
CHUNK = 5_000


@pytest.fixture(scope="module")
def results() -> dict[int, Result]:
    """Return what ran so far, by first sequence."""
    return {}


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return Campaign(SEED)


def _run(campaign: Campaign, results: dict[int, Result], start: int) -> Result:
    if start not in results:
        results[start] = campaign.run(start, CHUNK)
    return results[start]


@pytest.mark.parametrize("start", range(0, SEQUENCES, CHUNK))
def test_the_chip_decides_as_the_table_does_and_gives_nothing_away(
    campaign: Campaign, results: dict[int, Result], start: int
) -> None:
    result = _run(campaign, results, start)

    assert result.sequences == CHUNK
    assert not result.findings, "\n\n".join(finding.report() for finding in result.findings.values())


def test_every_row_of_the_table_spoke(campaign: Campaign, results: dict[int, Result]) -> None:
    ran = [_run(campaign, results, start) for start in range(0, SEQUENCES, CHUNK)]

    silent = [name for name, count in coverage([result.tally for result in ran]).items() if not count]

    assert not silent


def test_every_command_was_both_carried_out_and_refused(
    campaign: Campaign, results: dict[int, Result]
) -> None:
    ran = [_run(campaign, results, start) for start in range(0, SEQUENCES, CHUNK)]

    counts = {command.name: [0, 0] for command in the_table().commands.values()}
    for result in ran:
        for name, both in result.tally.commands.items():
            if name in counts:
                counts[name][0] += both["allowed"]
                counts[name][1] += both["refused"]

    assert {name: both for name, both in counts.items() if min(both) < 20} == {}
