"""Turns: the work of a name is for one caller in each interval."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hri.registry import Registry

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
EVERY = timedelta(minutes=1)


@pytest.fixture
def registry(tmp_path):
    with Registry.open(tmp_path / "hri.db") as opened:
        yield opened


def test_one_caller_has_the_turn_until_the_interval_is_over(registry):
    taken = [
        registry.take_turn("lists", EVERY, NOW + timedelta(seconds=after)) for after in (0, 1, 59, 60, 61)
    ]

    assert taken == [True, False, False, True, False]


def test_each_name_has_turns_of_its_own(registry):
    assert [registry.take_turn(name, EVERY, NOW) for name in ("lists", "log", "lists")] == [True, True, False]


def test_a_turn_taken_under_a_wrong_clock_does_not_stop_the_work_until_then(registry):
    registry.take_turn("lists", EVERY, NOW + timedelta(days=365))

    assert registry.take_turn("lists", EVERY, NOW)
    assert not registry.take_turn("lists", EVERY, NOW)


def test_a_clock_that_is_a_little_behind_does_not_give_a_second_turn(registry):
    registry.take_turn("lists", EVERY, NOW + timedelta(minutes=4))

    assert not registry.take_turn("lists", EVERY, NOW)


@pytest.mark.parametrize("before", [False, True])
def test_of_many_at_once_one_has_the_turn(registry, before):
    if before:
        registry.take_turn("lists", EVERY, NOW - 2 * EVERY)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: registry.take_turn("lists", EVERY, NOW), range(16)))

    assert taken.count(True) == 1
