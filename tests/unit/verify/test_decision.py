"""A decision cannot contradict itself, and is as true as it says."""

from __future__ import annotations

import json

import pytest
from hri.verify.attestation import Appraisal
from hri.verify.decision import Decision, Reason, ReasonCode

REVOKED = Reason(ReasonCode.REVOKED, "certificate 1f was revoked")


def test_trusted_decision_is_true() -> None:
    assert Decision.of((), "device-1")


def test_refusal_is_false_and_says_why() -> None:
    decision = Decision.of((REVOKED,), "device-1")
    assert not decision
    assert decision.codes == (ReasonCode.REVOKED,)


def test_trusted_decision_with_reasons_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="cannot carry reasons"):
        Decision(True, "device-1", (REVOKED,))


def test_refusal_without_reasons_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="must say why"):
        Decision(False, "device-1")


def test_appraisal_without_reasons_and_claims_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="either reasons"):
        Appraisal((), None)


def test_decision_as_json() -> None:
    decision = Decision.of((REVOKED,), None, {"issuer": "CN=Issuing"})
    assert json.loads(json.dumps(decision.as_dict())) == {
        "trusted": False,
        "device_id": None,
        "reasons": [{"code": "revoked", "detail": "certificate 1f was revoked"}],
        "evidence": {"issuer": "CN=Issuing"},
    }


def test_codes_are_lower_case_and_hyphenated() -> None:
    for code in ReasonCode:
        assert code.value == code.name.lower().replace("_", "-")
