"""Two at work on one chip: the second is refused at once, and the dead hold nobody up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hri.errors import PolicyRefusal
from hri.registry import Registry
from hri.registry.leases import _process, _this_host
from hri.registry.schema import lease
from sqlalchemy import update

TTL = timedelta(minutes=5)
NAME = "element:0123ab"


def _is_held(registry: Registry, now: datetime) -> bool:
    try:
        with registry.lease(NAME, "second", TTL, now):
            return False
    except PolicyRefusal as refusal:
        return refusal.code == "lease-held"


def test_the_second_is_refused_and_told_who_is_first(registry: Registry, now: datetime) -> None:
    with (
        registry.lease(NAME, "station 1", TTL, now),
        pytest.raises(PolicyRefusal) as refused,
        registry.lease(NAME, "station 2", TTL, now),
    ):
        pytest.fail("two at work")

    assert "station 1 is at work on element:0123ab" in refused.value.message


def test_other_names_are_free(registry: Registry, now: datetime) -> None:
    with registry.lease(NAME, "a", TTL, now), registry.lease("element:ff", "b", TTL, now) as other:
        assert other.name == "element:ff"


@pytest.mark.parametrize("failing", [False, True])
def test_it_is_given_back_whatever_happens(registry: Registry, now: datetime, failing: bool) -> None:
    try:
        with registry.lease(NAME, "first", TTL, now):
            if failing:
                raise KeyError("the work failed")
    except KeyError:
        pass

    assert not _is_held(registry, now)


def test_it_ends_by_itself(registry: Registry, now: datetime) -> None:
    with registry.lease(NAME, "first", TTL, now):
        assert _is_held(registry, now + TTL - timedelta(microseconds=1))
        assert not _is_held(registry, now + TTL)


def test_it_can_be_extended_while_it_is_ours(registry: Registry, now: datetime) -> None:
    with registry.lease(NAME, "first", TTL, now) as held:
        extended = registry.renew_lease(held, TTL, now + TTL / 2)

        assert extended.expires_at == now + 1.5 * TTL
        assert _is_held(registry, now + TTL)


def test_who_was_taken_over_is_told_and_does_not_end_the_successors(
    registry: Registry, now: datetime
) -> None:
    with registry.lease(NAME, "successor", TTL, now + TTL):
        pass
    first = registry.lease(NAME, "first", TTL, now)
    held = first.__enter__()
    with registry.lease(NAME, "successor", TTL, now + TTL):
        with pytest.raises(PolicyRefusal) as refused:
            registry.renew_lease(held, TTL, now + TTL)
        first.__exit__(None, None, None)

        assert refused.value.code == "lease-lost"
        assert _is_held(registry, now + TTL)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate(timeout=30)


def _held_by(registry: Registry, process: str, host: str, now: datetime) -> bool:
    with registry.lease(NAME, "first", TTL, now):
        with registry._write() as connection:
            connection.execute(update(lease).values(process=process, host=host))
        return _is_held(registry, now)


def test_a_living_process_keeps_its_lease(
    registry: Registry, now: datetime, child: subprocess.Popen[bytes]
) -> None:
    assert _held_by(registry, _process(child.pid), _this_host(), now)


def test_a_dead_process_loses_its_lease(
    registry: Registry, now: datetime, child: subprocess.Popen[bytes]
) -> None:
    name = _process(child.pid)
    child.kill()
    child.communicate(timeout=30)

    assert not _held_by(registry, name, _this_host(), now)


def test_a_process_that_only_has_the_number_of_the_dead_one_does_not_count(
    registry: Registry, now: datetime
) -> None:
    assert not _held_by(registry, f"{os.getpid()}/1", _this_host(), now)


def test_another_machines_process_is_not_judged_from_here(registry: Registry, now: datetime) -> None:
    assert _held_by(registry, f"{os.getpid()}/1", "elsewhere/boot", now)
