"""Is this the answer of this key to this challenge? (docs/protocol.md, "What is signed")"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from .cose import MalformedError, Sign1, decode, encode
from .decision import Reason, ReasonCode

AUTHENTICATE = "hri/1 authenticate"
DATA = "hri/1 data"
CHALLENGE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device said when challenged, taken apart but not yet believed."""

    envelope: Sign1
    payload: bytes
    purpose: str
    verifier: str
    device_id: str
    challenge: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """Parse `[purpose, verifier, device_id, challenge]` in its envelope; raises MalformedError."""
        envelope = Sign1.from_bytes(data)
        if envelope.payload is None:
            raise MalformedError("an answer carries its payload")
        parts = decode(envelope.payload)
        if not isinstance(parts, (list, tuple)) or len(parts) != 4:
            raise MalformedError("an answer has four parts")
        purpose, verifier, device_id, challenge = parts
        if type(purpose) is not str or type(verifier) is not str or type(device_id) is not str:
            raise MalformedError("purpose, verifier and device id are text")
        if type(challenge) is not bytes or len(challenge) != CHALLENGE_BYTES:
            raise MalformedError(f"a challenge has {CHALLENGE_BYTES} bytes")
        if encode([purpose, verifier, device_id, challenge]) != envelope.payload:
            raise MalformedError("the payload is not deterministic CBOR")
        return cls(envelope, envelope.payload, purpose, verifier, device_id, challenge)


def verify_answer(
    answer_cose: bytes,
    public_key: ec.EllipticCurvePublicKey,
    *,
    device_id: str,
    verifier: str,
    challenge: bytes,
) -> tuple[Reason, ...]:
    """Every reason why `answer_cose` is not this device's answer to this challenge; empty if it is."""
    try:
        answer = Answer.from_bytes(answer_cose)
    except MalformedError as error:
        return (Reason(ReasonCode.MALFORMED, f"the answer: {error}"),)
    rules = (
        purpose_is(answer.purpose, AUTHENTICATE),
        verifier_is(answer.verifier, verifier),
        device_id_is(answer.device_id, device_id),
        challenge_is(answer.challenge, challenge),
        _signed_by(answer, public_key),
    )
    return tuple(reason for reason in rules if reason is not None)


def verify_data_signature(
    signature_cose: bytes, data: bytes, public_key: ec.EllipticCurvePublicKey
) -> tuple[Reason, ...]:
    """Every reason why `signature_cose` is not this key's signature (`data.sign`) of `data`."""
    try:
        envelope = Sign1.from_bytes(signature_cose)
    except MalformedError as error:
        return (Reason(ReasonCode.MALFORMED, f"the signature: {error}"),)
    if envelope.payload is not None:
        return (Reason(ReasonCode.MALFORMED, "a data signature has a detached payload"),)
    if not envelope.is_signed_by(public_key, encode([DATA, data])):
        return (Reason(ReasonCode.SIGNATURE_INVALID, "the key did not sign this data"),)
    return ()


def purpose_is(said: str, expected: str) -> Reason | None:
    """A signature counts only for the purpose it names."""
    if said == expected:
        return None
    return Reason(ReasonCode.WRONG_PURPOSE, f"signed as {said!r}, not as {expected!r}")


def verifier_is(said: str, expected: str) -> Reason | None:
    """An answer to another verifier is not an answer to us (it may be relayed)."""
    if said == expected:
        return None
    return Reason(ReasonCode.VERIFIER_MISMATCH, f"made for verifier {said!r}, not for {expected!r}")


def device_id_is(said: str, expected: str) -> Reason | None:
    """The device must speak under the name that is being checked."""
    if said == expected:
        return None
    return Reason(ReasonCode.DEVICE_ID_MISMATCH, f"speaks as {said!r}, not as {expected!r}")


def challenge_is(said: bytes, expected: bytes) -> Reason | None:
    """The answer must be to this very challenge, or it may be an old one played again."""
    if hmac.compare_digest(said, expected):
        return None
    return Reason(ReasonCode.CHALLENGE_MISMATCH, "made for another challenge")


def _signed_by(answer: Answer, public_key: ec.EllipticCurvePublicKey) -> Reason | None:
    """The key must have signed exactly what it is said to have said."""
    if answer.envelope.is_signed_by(public_key, answer.payload):
        return None
    return Reason(ReasonCode.SIGNATURE_INVALID, "the key did not sign this answer")
