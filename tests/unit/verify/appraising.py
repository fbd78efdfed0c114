"""The verifier's side of the tests: one policy, one record, and short calls."""

from __future__ import annotations

from typing import Any

from hri.elements.atecc.profile import load_profile
from hri.verify.attestation import Appraisal, AttestationPolicy, BirthClaims, appraise_birth, appraise_state
from hri.verify.endorsement import STATION_FIRST_SEEN, EndorsementClaim
from unit.verify import forging

PROFILE = load_profile("hri-device")
POLICY = AttestationPolicy(PROFILE, frozenset({STATION_FIRST_SEEN}))


def endorsement(
    kind: str = STATION_FIRST_SEEN, serial: bytes = forging.SERIAL, number: int = 2
) -> EndorsementClaim:
    return EndorsementClaim(kind, serial.hex(), forging.raw_public(forging.key(number)))


def birth(evidence: bytes | None, **changes: Any) -> Appraisal:
    arguments: dict[str, Any] = {
        "challenge": forging.CHALLENGE,
        "verifier": forging.VERIFIER,
        "device_id": forging.DEVICE_ID,
        "policy": POLICY,
        "endorsements": (endorsement(),),
    }
    return appraise_birth(evidence, **(arguments | changes))


def born() -> BirthClaims:
    """The record of the honest birth."""
    claims = birth(forging.EvilChip().birth()).claims
    assert claims is not None
    return claims


def state(evidence: bytes | None, **changes: Any) -> Appraisal:
    arguments: dict[str, Any] = {
        "challenge": forging.CHALLENGE,
        "verifier": forging.VERIFIER,
        "device_id": forging.DEVICE_ID,
        "csr_sha256": forging.CSR,
        "policy": POLICY,
        "endorsements": (endorsement(),),
        "birth": changes.pop("record", None) or born(),
    }
    return appraise_state(evidence, **(arguments | changes))
