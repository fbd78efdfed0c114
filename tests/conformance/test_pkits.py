"""NIST's Public Key Interoperability Test Suite: no path that must be refused is accepted."""

from __future__ import annotations

from collections import Counter

import pkits_table
import pytest
from pkits_table import PkitsTest

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")

TESTS = pkits_table.all_tests()
JUSTIFIED = pkits_table.justified()
ACCEPTED = [test for test in TESTS if test.valid and test.number not in JUSTIFIED]

# Sections 4.1 to 4.16 of the suite's document have this many tests.
SECTIONS = (6, 8, 11, 21, 8, 17, 5, 20, 8, 14, 11, 10, 38, 35, 10, 2)


def test_every_test_of_the_suite_is_here() -> None:
    numbers = {tuple(test.number.split(".")[:3]) for test in TESTS}

    assert Counter(int(section) for _, section, _ in numbers) == dict(enumerate(SECTIONS, start=1))


@pytest.mark.parametrize("case", [test for test in TESTS if not test.valid], ids=lambda test: test.number)
def test_a_path_that_must_be_refused_is(case: PkitsTest) -> None:
    assert case.refusal() is not None


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda test: test.number)
def test_a_valid_path_is_accepted(case: PkitsTest) -> None:
    assert case.refusal() is None


@pytest.mark.parametrize("number", JUSTIFIED)
def test_a_valid_path_that_is_said_to_be_refused_is(number: str) -> None:
    (case,) = (test for test in TESTS if test.number == number)

    assert case.valid
    assert case.refusal() is not None


def test_the_page_has_the_table_of_refusals() -> None:
    refused = [test for test in TESTS if test.number in JUSTIFIED]
    page = pkits_table.PAGE.read_text(encoding="utf-8")

    assert page == pkits_table.with_table(page, refused), "run tools/pkits_table.py"
