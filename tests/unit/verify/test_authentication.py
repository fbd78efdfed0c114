"""Is this really device X? The rules together, and every reason at once."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hri.verify.authentication import authenticate
from hri.verify.decision import Decision, ReasonCode
from hri.verify.path import TrustStore
from unit.verify.chains import DAY, DEVICE_ID, ISSUING, NOW, ROOT, Leaf, key
from unit.verify.forging import CHALLENGE, VERIFIER, canonical, sign1

CODE = ReasonCode
TRUST = TrustStore.from_der((ROOT.der,), intermediates=(ISSUING.der,), crls=(ISSUING.crl(0x2F),))


def answer(*, by: str = "leaf secp256r1", challenge: bytes = CHALLENGE, device_id: str = DEVICE_ID) -> bytes:
    private = key(by)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return sign1(private, canonical(["hri/1 authenticate", VERIFIER, device_id, challenge]))


def decide(cose: bytes | None = None, leaf: Leaf | None = None, **changes: Any) -> Decision:
    arguments: dict[str, Any] = {
        "device_id": DEVICE_ID,
        "verifier": VERIFIER,
        "challenge": CHALLENGE,
        "challenge_verdict": "ok",
        "at": NOW,
    }
    certificate = (leaf or Leaf()).der
    return authenticate(answer() if cose is None else cose, certificate, (), TRUST, **(arguments | changes))


def test_device_that_answers_and_is_in_good_standing() -> None:
    decision = decide()
    assert decision.trusted
    assert decision.device_id == DEVICE_ID
    assert decision.evidence["challenge"] == CHALLENGE.hex()


def test_certificate_copied_to_a_board_with_another_chip() -> None:
    assert decide(answer(by="another chip")).codes == (CODE.SIGNATURE_INVALID,)


def test_answer_to_another_challenge() -> None:
    assert decide(answer(challenge=bytes(32))).codes == (CODE.CHALLENGE_MISMATCH,)


def test_revoked_device_with_a_perfect_answer() -> None:
    assert decide(leaf=Leaf(serial_number=0x2F)).codes == (CODE.REVOKED,)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("unknown", CODE.CHALLENGE_UNKNOWN),
        ("expired", CODE.CHALLENGE_EXPIRED),
        ("used", CODE.CHALLENGE_USED),
        ("wrong-device", CODE.CHALLENGE_MISMATCH),
        ("wrong-verifier", CODE.VERIFIER_MISMATCH),
        ("wrong-purpose", CODE.WRONG_PURPOSE),
        ("something new", CODE.CHALLENGE_UNKNOWN),
    ],
)
def test_challenge_that_does_not_count(verdict: str, code: ReasonCode) -> None:
    assert decide(challenge_verdict=verdict).codes == (code,)


def test_one_finding_is_told_once() -> None:
    other = Leaf(common_name="device-2", uris=("urn:hri:device:device-2",))
    assert decide(answer(device_id="device-2"), other).codes == (CODE.DEVICE_ID_MISMATCH,)


def test_everything_wrong_is_told() -> None:
    leaf = Leaf(not_after=NOW - DAY, serial_number=0x2F)
    decision = decide(answer(by="another chip", challenge=bytes(32)), leaf, challenge_verdict="used")
    assert decision.codes == (
        CODE.EXPIRED,
        CODE.REVOKED,
        CODE.CHALLENGE_USED,
        CODE.CHALLENGE_MISMATCH,
        CODE.SIGNATURE_INVALID,
    )


@pytest.mark.parametrize("curve", ["secp384r1", "rsa"])
def test_certificate_over_another_kind_of_key(curve: str) -> None:
    assert decide(leaf=Leaf(curve=curve)).codes == (CODE.KEY_UNSUPPORTED,)


def test_certificate_that_cannot_be_read() -> None:
    decision = authenticate(
        answer(),
        b"\x30\x00",
        (),
        TRUST,
        device_id=DEVICE_ID,
        verifier=VERIFIER,
        challenge=CHALLENGE,
        challenge_verdict="ok",
        at=NOW,
    )
    assert decision.codes == (CODE.MALFORMED,)
