"""Endorsements cannot be talked over; evidence comes back as it was received."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hri.errors import PolicyRefusal
from hri.registry import Endorsement, EvidenceRecord, Registry


@pytest.fixture
def endorsement(now: datetime) -> Endorsement:
    return Endorsement("station-first-seen", "0123ab", bytes(64), now, "station 1", "configured", {"slot": 1})


def test_an_endorsement_comes_back(registry: Registry, endorsement: Endorsement) -> None:
    registry.record_endorsement(endorsement)

    assert registry.endorsements("0123AB") == (endorsement,)
    assert registry.endorsements("ffff") == ()


def test_the_same_again_changes_nothing(registry: Registry, endorsement: Endorsement) -> None:
    registry.record_endorsement(endorsement)
    later = endorsement.seen_at + timedelta(days=1)
    registry.record_endorsement(replace(endorsement, seen_at=later, station="station 2"))

    assert registry.endorsements("0123ab") == (endorsement,)


@pytest.mark.parametrize("kind", ["station-first-seen", "vendor-manifest"])
def test_another_key_for_the_same_chip_is_refused(registry: Registry, endorsement: Endorsement, kind) -> None:
    registry.record_endorsement(endorsement)

    with pytest.raises(PolicyRefusal) as refused:
        registry.record_endorsement(replace(endorsement, kind=kind, attestation_key=b"\x01" * 64))

    assert refused.value.code == "endorsement-conflict"
    assert registry.endorsements("0123ab") == (endorsement,)


def test_two_kinds_stand_side_by_side(registry: Registry, endorsement: Endorsement) -> None:
    manifest = replace(endorsement, kind="vendor-manifest")
    registry.record_endorsement(endorsement)
    registry.record_endorsement(manifest)

    assert registry.endorsements("0123ab") == (endorsement, manifest)


def test_evidence_is_found_by_device_chip_and_kind(registry: Registry, now: datetime) -> None:
    number = registry.record_evidence(
        "birth",
        element_serial="0123AB",
        cose=b"\xd2\x84",
        challenge=bytes(32),
        verifier="hri",
        verdict={"trusted": True, "reasons": []},
        now=now,
        device_id="dev-1",
        public_key=b"k" * 64,
    )
    other = registry.record_evidence(
        "state",
        element_serial="ff",
        cose=b"x",
        challenge=b"y",
        verifier="hri",
        verdict={"trusted": False},
        now=now,
        csr_sha256=b"c" * 32,
    )

    birth = EvidenceRecord(
        number,
        "dev-1",
        "0123ab",
        "birth",
        b"\xd2\x84",
        bytes(32),
        "hri",
        now,
        {"trusted": True, "reasons": []},
        b"k" * 64,
    )
    assert registry.evidence("dev-1") == registry.evidence(element_serial="0123ab") == (birth,)
    assert registry.evidence("dev-1", kind="state") == ()
    assert [item.id for item in registry.evidence()] == [number, other]
    assert registry.evidence_by_id(frozenset({number, 999})) == {number: birth}
