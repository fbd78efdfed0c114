"""A challenge is good once, for one purpose, device and verifier, and not for long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hri.registry import ChallengeVerdict, Registry

TTL = timedelta(seconds=120)
RIGHT = ("authenticate", "dev-1", "hri")


@pytest.fixture
def challenge(registry: Registry, now: datetime) -> bytes:
    return registry.new_challenge(*RIGHT, now=now, ttl=TTL)


def test_challenges_are_32_bytes_and_differ(registry: Registry, now: datetime) -> None:
    made = {registry.new_challenge(*RIGHT, now=now, ttl=TTL) for _ in range(20)}

    assert len(made) == 20
    assert {len(value) for value in made} == {32}


def test_the_right_use_is_ok_once(registry: Registry, challenge: bytes, now: datetime) -> None:
    assert registry.consume_challenge(challenge, *RIGHT, now=now) is ChallengeVerdict.OK
    assert registry.consume_challenge(challenge, *RIGHT, now=now) is ChallengeVerdict.USED


@pytest.mark.parametrize(
    ("used_as", "verdict"),
    [
        (("attest", "dev-1", "hri"), ChallengeVerdict.WRONG_PURPOSE),
        (("authenticate", "dev-2", "hri"), ChallengeVerdict.WRONG_DEVICE),
        (("authenticate", "", "hri"), ChallengeVerdict.WRONG_DEVICE),
        (("authenticate", "dev-1", "HRI"), ChallengeVerdict.WRONG_VERIFIER),
    ],
)
def test_a_wrong_use_is_named_and_spends_nothing(
    registry: Registry,
    challenge: bytes,
    now: datetime,
    used_as: tuple[str, str, str],
    verdict: ChallengeVerdict,
) -> None:
    assert registry.consume_challenge(challenge, *used_as, now=now) is verdict
    assert registry.consume_challenge(challenge, *RIGHT, now=now) is ChallengeVerdict.OK


@pytest.mark.parametrize("value", [b"", bytes(32), bytes(33), b"x" * 10_000])
def test_a_made_up_challenge_is_unknown(
    registry: Registry, challenge: bytes, now: datetime, value: bytes
) -> None:
    assert challenge != value
    assert registry.consume_challenge(value, *RIGHT, now=now) is ChallengeVerdict.UNKNOWN


def test_it_expires_at_the_end_of_its_time(registry: Registry, challenge: bytes, now: datetime) -> None:
    last = now + TTL - timedelta(microseconds=1)

    assert registry.consume_challenge(challenge, *RIGHT, now=now + TTL) is ChallengeVerdict.EXPIRED
    assert registry.consume_challenge(challenge, *RIGHT, now=last) is ChallengeVerdict.OK


def test_of_many_at_once_exactly_one_wins(registry: Registry, challenge: bytes, now: datetime) -> None:
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(
            pool.map(lambda _: registry.consume_challenge(challenge, *RIGHT, now=now), range(24), timeout=60)
        )

    assert sorted(verdicts) == ["ok"] + ["used"] * 23


def test_a_replay_is_known_for_a_month_and_refused_for_ever(
    registry: Registry, challenge: bytes, now: datetime
) -> None:
    registry.consume_challenge(challenge, *RIGHT, now=now)
    verdicts = []
    for days in (29, 32):
        registry.new_challenge(*RIGHT, now=now + timedelta(days=days), ttl=TTL)
        verdicts.append(registry.consume_challenge(challenge, *RIGHT, now=now))

    assert verdicts == [ChallengeVerdict.USED, ChallengeVerdict.UNKNOWN]
