"""Many threads, few commits, each with its own answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hri.ca.authority import Authority
from hri.ca.group import GroupCommit
from hri.ca.issuance import GROUP, Issuer, IssueRequest, Outcome
from hri.ca.profiles import Profile
from hri.errors import PolicyRefusal, StorageError
from hri.registry import Device, Registry

MakeCsr = Callable[..., bytes]
WAIT = 30


class _Recorder(Issuer):
    """Counts what goes into each commit, and lets the first one wait until more is submitted."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.sizes: list[int] = []
        self.go = threading.Event()

    def issue_many(self, requests: Any, now: datetime) -> list[Outcome]:
        self.sizes.append(len(requests))
        assert self.go.wait(WAIT)
        return super().issue_many(requests, now)


@pytest.fixture
def recorder(authority: Authority, registry: Registry) -> _Recorder:
    return _Recorder(authority, registry, require_attestation=False)


def _requests(
    registry: Registry, make_csr: MakeCsr, profile: Profile, now: datetime, count: int
) -> list[IssueRequest]:
    names = [f"g-{number}" for number in range(count)]
    registry.upsert_devices([Device(name, "atecc608b", None, "provisioning", 0, now) for name in names])
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in names}
    return [IssueRequest(make_csr(key, name), name, profile) for name, key in keys.items()]


def test_what_arrives_during_a_commit_shares_the_next(
    recorder: _Recorder, registry: Registry, make_csr: MakeCsr, profile: Profile, now: datetime
) -> None:
    requests = _requests(registry, make_csr, profile, now, GROUP + 10)
    with GroupCommit(recorder, lambda: now) as group:
        futures = [group.submit(request) for request in requests]
        recorder.go.set()
        issued = [future.result(WAIT) for future in futures]

    assert [item.device_id for item in issued] == [request.device_id for request in requests]
    assert sum(recorder.sizes) == GROUP + 10
    assert max(recorder.sizes) <= GROUP
    assert len(recorder.sizes) <= 3


def test_one_refusal_is_one_callers(
    recorder: _Recorder, registry: Registry, make_csr: MakeCsr, profile: Profile, now: datetime
) -> None:
    good = _requests(registry, make_csr, profile, now, 2)
    recorder.go.set()
    with GroupCommit(recorder, lambda: now) as group:
        bad = group.submit(IssueRequest(b"junk", "dev-1", profile))
        fine = [group.submit(request) for request in good]

        with pytest.raises(PolicyRefusal):
            bad.result(WAIT)
        assert [future.result(WAIT).device_id for future in fine] == ["g-0", "g-1"]


def test_a_failing_registry_is_everybodys(
    recorder: _Recorder,
    registry: Registry,
    make_csr: MakeCsr,
    profile: Profile,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_ids: object) -> object:
        raise StorageError("disk-full", "the disk is full")

    requests = _requests(registry, make_csr, profile, now, 2)
    monkeypatch.setattr(registry, "issuance_state", full)
    recorder.go.set()
    with GroupCommit(recorder, lambda: now) as group:
        futures = [group.submit(request) for request in requests]

        for future in futures:
            with pytest.raises(StorageError):
                future.result(WAIT)


def test_closing_finishes_what_was_submitted_and_takes_no_more(
    recorder: _Recorder, registry: Registry, make_csr: MakeCsr, profile: Profile, now: datetime
) -> None:
    requests = _requests(registry, make_csr, profile, now, 3)
    group = GroupCommit(recorder, lambda: now)
    futures = [group.submit(request) for request in requests]
    recorder.go.set()

    group.close()

    assert all(future.done() for future in futures)
    with pytest.raises(StorageError):
        group.submit(requests[0])
