"""Every certificate gets one place, in one tree, whoever gives it and however often it is tried."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hri.audit.entry import Act
from hri.audit_check import verify_audit
from hri.checkpoint import Checkpoint
from hri.errors import StorageError
from hri.log_check import verify_log
from hri.log_monitor import monitor_registry
from hri.registry import Recorded, Registry
from hri.registry import merkle_log as sequencer
from hri.transparency.leaf import Leaf
from hri.transparency.merkle import leaf_hash
from hri.transparency.tiles import grown
from unit.logs.conftest import KEYS, LOCKED, NOW, OPEN, issue, make_keys


def _places(registry: Registry) -> list[int | None]:
    return [row.index for row in registry.log_entries(0, 10_000)]


def test_an_issue_with_open_keys_places_its_certificates_at_once(registry: Registry) -> None:
    records = issue(registry, range(3))

    assert [row.leaf.certificate for row in registry.log_entries(0, 3)] == [item.der for item in records]
    assert registry.log_entries(0, 1)[0].leaf == Leaf(1_777_863_721_987, records[0].der)
    assert registry.pending() == []
    head = registry.log_head()
    assert Checkpoint.opened(head.checkpoint or "", KEYS.certificates.verifier) == Checkpoint(
        "example.test/certificates", 3, head.digest
    )


def test_an_issue_without_keys_lets_them_wait_in_order_of_issue(registry: Registry, codes) -> None:
    issue(registry, range(3))
    issue(registry, range(3, 6), LOCKED)
    assert len(registry.pending()) == 3
    assert registry.log_head().size == 3

    assert registry.sequence(KEYS.certificates) == 3

    assert _places(registry) == list(range(6))
    assert registry.sequence(KEYS.certificates) == 0
    assert codes(registry) == set()


def test_the_next_issue_with_open_keys_places_first_what_waits(registry: Registry, codes) -> None:
    first = issue(registry, range(3), LOCKED)
    second = issue(registry, range(3, 5))

    der = [row.leaf.certificate for row in registry.log_entries(0, 5)]
    assert sorted(der[:3]) == [item.der for item in first]
    assert der[3:] == [item.der for item in second]
    assert codes(registry) == set()


def test_a_queue_longer_than_a_transaction_is_placed_in_several(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, codes
) -> None:
    monkeypatch.setattr(sequencer, "_BATCH", 4)
    monkeypatch.setattr(sequencer, "_NEXT", sequencer._WAITING.limit(4))
    issue(registry, range(10), LOCKED)

    issue(registry, range(10, 12))
    assert len(registry.pending()) == 8

    assert registry.sequence(KEYS.certificates) == 8
    assert _places(registry) == list(range(12))
    assert codes(registry) == set()


def test_trees_of_many_tiles_are_those_of_the_definition(registry: Registry, codes) -> None:
    for begin, end in ((0, 1), (1, 200), (200, 256), (256, 257), (257, 700), (700, 1030)):
        issue(registry, range(begin, end))

    entries = [leaf_hash(row.leaf.to_bytes()) for row in registry.log_entries(0, 1030)]
    kept = {(level, index): hashes for level, index, hashes in registry.log_tiles()}
    assert kept == grown(0, entries, lambda _level, _index: b"")
    assert codes(registry) == set()


def test_two_issuers_and_two_sequencers_leave_one_whole_log(where: str, registry: Registry, codes) -> None:
    def issuing(begin: int) -> None:
        with Registry.open(where) as mine:
            for number in range(begin, begin + 40, 4):
                issue(mine, range(number, number + 4), OPEN if number % 8 else LOCKED)

    def sequencing(_: int) -> None:
        with Registry.open(where) as mine:
            for _round in range(20):
                mine.sequence(make_keys().certificates)

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(work, start) for start in (0, 1000) for work in (issuing, sequencing)]
        for job in jobs:
            job.result(timeout=120)

    registry.sequence(KEYS.certificates)
    assert _places(registry) == list(range(80))
    assert codes(registry) == set()
    assert monitor_registry(registry, NOW) == []


def test_who_issues_confirms_revokes_and_sequences_at_once_never_waits_in_a_circle(
    where: str, registry: Registry, codes
) -> None:
    issue(registry, range(60), LOCKED)

    def issuing(begin: int) -> None:
        with Registry.open(where) as mine:
            for number in range(begin, begin + 24, 3):
                issue(mine, range(number, number + 3))

    def revoking(begin: int) -> None:
        with Registry.open(where) as mine:
            for number in range(begin, begin + 30):
                serial = mine.certificates(f"dev-{number}")[0].serial_number
                if number % 3:
                    mine.activate(serial, NOW)
                # One by its device, one by its number: they lock in different orders.
                mine.revoke(f"dev-{number}" if number % 2 else serial, "superseded", NOW, recorder=OPEN)

    def sequencing(_: int) -> None:
        with Registry.open(where) as mine:
            for _round in range(30):
                mine.sequence(make_keys().certificates)

    with ThreadPoolExecutor(6) as pool:
        work = [
            (issuing, 1000),
            (issuing, 2000),
            (revoking, 0),
            (revoking, 30),
            (sequencing, 0),
            (sequencing, 1),
        ]
        for job in [pool.submit(act, begin) for act, begin in work]:
            job.result(timeout=120)

    registry.sequence(KEYS.certificates)
    assert _places(registry) == list(range(108))
    assert codes(registry) == set()
    assert monitor_registry(registry, NOW) == []


def test_every_act_of_issue_is_there_and_the_end_is_signed(registry: Registry) -> None:
    issue(registry, range(5))

    acts = [row.subject for row in registry.audit_entries(act="issue")]
    assert acts == [f"dev-{number}" for number in range(5)]
    report = verify_audit(registry, KEYS.audit.verifier)
    assert (report.size, report.signed, report.findings) == (5, 5, ())


def test_what_is_done_without_keys_is_chained_and_signed_by_the_next_who_has_them(registry: Registry) -> None:
    issue(registry, range(1))
    registry.record_acts(Recorded(LOCKED, (Act("authenticate", "dev-0", "refused", "revoked"),)), NOW)
    assert verify_audit(registry, KEYS.audit.verifier).signed == 1

    issue(registry, range(1, 2))

    report = verify_audit(registry, KEYS.audit.verifier)
    assert (report.size, report.signed, report.findings) == (3, 3, ())


def test_keys_do_not_sign_on_top_of_what_another_key_signed(registry: Registry) -> None:
    issue(registry, range(1))
    other = make_keys(7)

    with pytest.raises(StorageError) as refused:
        registry.sign_audit(other.audit)
    assert refused.value.code == "log-damaged"


def test_keys_do_not_sign_what_nobody_signed_unless_told_to(where: str) -> None:
    with Registry.open(where) as registry:
        issue(registry, range(2), LOCKED)
        with pytest.raises(StorageError) as refused:
            issue(registry, range(2, 3))
        assert refused.value.code == "log-unsigned"

        registry.sign_audit(KEYS.audit, anew=True)
        registry.sign_log_anew(KEYS.certificates)
        issue(registry, range(3, 4))

        assert registry.log_head().size == 3
        assert verify_audit(registry, KEYS.audit.verifier).findings == ()


def test_a_certificate_that_waits_too_long_is_reported(registry: Registry) -> None:
    issue(registry, range(1), LOCKED)

    assert monitor_registry(registry, NOW + timedelta(minutes=59)) == []
    (finding,) = monitor_registry(registry, NOW + timedelta(minutes=61))
    assert finding.code == "not-logged"


def test_a_log_without_keys_says_that_nothing_vouches_for_it(where: str) -> None:
    with Registry.open(where) as registry:
        assert verify_audit(registry, None).findings == ()
        issue(registry, range(1), LOCKED)

        assert {finding.code for finding in verify_audit(registry, None).findings} == {"unsigned"}
        assert verify_log(registry, None).pending == 1
