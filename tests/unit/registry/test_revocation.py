"""Lists, shards, standings and turns, on both databases: what two who meet there agree on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hri.errors import PolicyRefusal
from hri.registry import CertificateRecord, Device, PublishedCrl, Registry, ShardedUrl

DAY = timedelta(days=1)
SHARDS = ShardedUrl(4, "http://ca.test/{shard}.crl")


@pytest.fixture
def made(now: datetime) -> PublishedCrl:
    second = now.replace(microsecond=0)
    return PublishedCrl(1, second, second + 7 * DAY, "ab" * 32, b"list 1")


def test_a_list_comes_back_as_it_was_signed(registry: Registry, made: PublishedCrl) -> None:
    assert registry.published_crl("ca", "issuing") is None

    assert registry.replace_crl("ca", "issuing", made, after=None)

    assert registry.published_crl("ca", "issuing") == made
    assert registry.published_crl("other ca", "issuing") is None


def test_of_two_who_follow_the_same_list_one_is_told_to_look_again(
    registry: Registry, made: PublishedCrl
) -> None:
    assert not registry.replace_crl("ca", "issuing", replace(made, number=2), after=1)
    registry.replace_crl("ca", "issuing", made, after=None)
    assert not registry.replace_crl("ca", "issuing", made, after=None)

    rivals = [replace(made, number=2, der=b"list %d" % number) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        won = list(
            pool.map(lambda new: registry.replace_crl("ca", "issuing", new, after=1), rivals, timeout=60)
        )

    assert won.count(True) == 1
    assert registry.published_crl("ca", "issuing") == rivals[won.index(True)]


def test_a_list_that_was_not_kept_is_not_told_of(registry: Registry, made: PublishedCrl) -> None:
    registry.replace_crl("ca", "issuing", made, after=None)
    registry.replace_crl("ca", "issuing", made, after=7)

    assert [entry.act for entry in registry.audit_entries(act="publish-crl")] == ["publish-crl"]


def test_shards_remembered_by_many_at_once_end_at_the_latest_date(registry: Registry, now: datetime) -> None:
    dates = [now + number * DAY for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda until: registry.keep_shards("ca", SHARDS, until), dates, timeout=60))

    assert registry.shards_in_use("ca", max(dates)) == (SHARDS,)
    assert registry.shards_in_use("ca", max(dates) + DAY) == ()


def test_standings_of_what_was_never_issued_are_left_out(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    record(5)
    registry.revoke(5, "keyCompromise", now)

    (known,) = registry.certificate_statuses({-5, 0, 5, 6, 1 << 160, 1 << 900})

    assert (known.serial_number, known.revoked_at, known.reason) == (5, now, "keyCompromise")
    assert registry.certificate_statuses(set()) == ()


def test_unexpired_certificates_are_paged_in_their_order(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    for number in (7, 5, 6, 8):
        ended = now if number == 6 else now + 2 * DAY
        record(number, state="superseded", not_after=ended)

    first = registry.unexpired_statuses(now + DAY, limit=2)
    rest = registry.unexpired_statuses(now + DAY, after=first[-1].serial_number, limit=2)

    assert [item.serial_number for item in (*first, *rest)] == [5, 7, 8]


def test_a_hold_ends_as_if_it_had_never_been(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    record(5)
    before = registry.activate(5, now)

    registry.suspend("dev-1", now)
    assert [(entry.serial_number, entry.reason) for entry in registry.revoked()] == [(5, "certificateHold")]
    registry.resume("dev-1", now)

    assert registry.certificate(5) == before
    assert registry.revoked() == []


def test_a_suspension_and_a_revocation_that_meet_end_in_revocation(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    record(5)
    registry.activate(5, now)

    def turn(number: int) -> None:
        if number == 2:
            registry.revoke("dev-1", "keyCompromise", now)
            return
        try:
            (registry.suspend, registry.resume)[number % 2]("dev-1", now)
        except PolicyRefusal as refusal:
            assert refusal.code == "device-revoked"  # noqa: PT017 - some come too late, and that is right

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(8), timeout=60))

    device = registry.device("dev-1")
    assert device is not None
    assert device.status == "revoked"
    assert [entry.reason for entry in registry.revoked()] == ["keyCompromise"]


def test_a_certificate_issued_while_its_device_was_suspended_does_not_become_active(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    record(5)
    registry.activate(5, now)
    record(6, replaces=5)
    registry.suspend("dev-1", now)

    with pytest.raises(PolicyRefusal) as refused:
        registry.activate(6, now)

    assert refused.value.code == "device-suspended"


def test_an_upsert_does_not_bring_back_what_was_taken_out(
    registry: Registry, record: Callable[..., CertificateRecord], device: Device, now: datetime
) -> None:
    record(5)
    registry.activate(5, now)
    for turn, status in (
        (lambda: registry.suspend("dev-1", now), "suspended"),
        (lambda: registry.revoke("dev-1", "superseded", now), "revoked"),
        (lambda: registry.decommission("dev-1", now), "decommissioned"),
    ):
        turn()
        assert registry.upsert_device(replace(device, status="active")).status == status


def test_keys_and_certificates_are_found_by_their_age(
    registry: Registry, record: Callable[..., CertificateRecord], now: datetime
) -> None:
    record(5)
    registry.activate(5, now)
    record(6, replaces=5, issued_at=now + 100 * DAY, not_after=now + 465 * DAY)
    registry.activate(6, now + 100 * DAY)

    def found(**terms: datetime) -> list[int]:
        return [key.serial_number for key in registry.keys_in_use(**terms)]

    assert found() == []
    assert found(key_before=now - DAY) == []
    assert found(key_before=now) == [6]
    assert found(ends_before=now + 400 * DAY) == []
    assert found(ends_before=now + 465 * DAY) == [6]
    (key,) = registry.keys_in_use(key_before=now, ends_before=now)
    assert key.key_since == now


def test_a_registration_with_evidence_is_not_withdrawn(registry: Registry, now: datetime) -> None:
    registry.upsert_device(Device("dev-9", "atecc608b", "01239e", "registered", None, now))
    registry.record_evidence(
        "birth",
        device_id="dev-9",
        element_serial="01239e",
        cose=b"",
        challenge=bytes(32),
        verifier="hri",
        verdict={},
        now=now,
    )

    with pytest.raises(PolicyRefusal) as refused:
        registry.withdraw("dev-9", now)

    assert refused.value.code == "not-only-registered"
