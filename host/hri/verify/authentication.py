"""Is this really device X, and is it still trusted? The rules of the other modules, composed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .answer import verify_answer
from .decision import Decision, Reason, ReasonCode
from .path import OcspEvidence, Purpose, TrustStore, check_certificate
from .revocation import RevocationPolicy

# What the single-use store says about a challenge (the values of the registry's verdicts) -> the reason.
_CHALLENGE = {
    "unknown": (ReasonCode.CHALLENGE_UNKNOWN, "this challenge was never given out"),
    "expired": (ReasonCode.CHALLENGE_EXPIRED, "the challenge was answered too late"),
    "used": (ReasonCode.CHALLENGE_USED, "the challenge was already answered"),
    "wrong-device": (ReasonCode.CHALLENGE_MISMATCH, "the challenge was given to another device"),
    "wrong-verifier": (ReasonCode.VERIFIER_MISMATCH, "the challenge was given out by another verifier"),
    "wrong-purpose": (ReasonCode.WRONG_PURPOSE, "the challenge was given out for another purpose"),
}


def authenticate(
    answer: bytes,
    leaf: bytes,
    chain: Sequence[bytes],
    trust: TrustStore,
    *,
    device_id: str,
    verifier: str,
    challenge: bytes,
    challenge_verdict: str,
    at: datetime,
    purpose: Purpose = Purpose.CLIENT,
    ocsp: Sequence[OcspEvidence] = (),
    revocation: RevocationPolicy = RevocationPolicy.FAIL_CLOSED,
) -> Decision:
    """Decide on a device's answer; every reason against it is given, not only the first.

    `answer` is COSE_Sign1, `leaf` and `chain` are DER, `challenge` 32 bytes, `at` an aware datetime.
    `challenge_verdict` is what the single-use store said about the challenge: "ok", or what was wrong.
    """
    checked = check_certificate(
        leaf, chain, trust, at=at, purpose=purpose, device_id=device_id, ocsp=ocsp, revocation=revocation
    )
    reasons = [*checked.reasons, *challenge_stands(challenge_verdict)]
    key = checked.leaf.key if checked.leaf is not None else None
    if key is not None:
        reasons += verify_answer(answer, key, device_id=device_id, verifier=verifier, challenge=challenge)
    evidence = checked.evidence | {"challenge": challenge.hex(), "verifier": verifier}
    return Decision.of(_once(reasons), device_id, evidence)


def challenge_stands(verdict: str) -> tuple[Reason, ...]:
    """A challenge counts once, in time, for the device, verifier and purpose it was given out for."""
    if verdict == "ok":
        return ()
    code, detail = _CHALLENGE.get(verdict, (ReasonCode.CHALLENGE_UNKNOWN, f"the challenge is {verdict}"))
    return (Reason(code, detail),)


def _once(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """The same finding of two rules (an answer under another name, say) is told once by each code."""
    seen: dict[ReasonCode, Reason] = {}
    for reason in reasons:
        seen.setdefault(reason.code, reason)
    return tuple(seen.values())
