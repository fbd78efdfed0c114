"""Births and states: asked for under a challenge, appraised, and kept before anything leans on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri.context import Context
from hri.elements.board import BoardElement
from hri.errors import PolicyRefusal
from hri.registry import EvidenceRecord
from hri.verify.attestation import Appraisal, BirthClaims, appraise_birth, appraise_state, challenge_of
from hri.verify.authentication import challenge_stands
from hri.verify.decision import Reason, ReasonCode

_NEVER_GIVEN = (ReasonCode.CHALLENGE_UNKNOWN, ReasonCode.CHALLENGE_MISMATCH)
NO_CSR = hashlib.sha256(b"").digest()
"""What a state is bound to where no CSR is meant: SHA-256 of the empty string."""


@dataclass(frozen=True, slots=True)
class Birth:
    """A proved birth: its number in the registry and what it proves."""

    id: int
    claims: BirthClaims


@dataclass(frozen=True, slots=True)
class RecordedEvidence:
    """Evidence that is kept under `id`, with what was thought of it."""

    id: int
    appraisal: Appraisal

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every reason against it; none if it was accepted."""
        return self.appraisal.reasons


def public_key_sha256(public_key: bytes) -> str:
    """Return SHA-256 of the SubjectPublicKeyInfo of a P-256 key (64 bytes X ‖ Y) in lower-case hex."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def obtain_birth(
    board: BoardElement, context: Context, serial: bytes, slot: int, *, device_id: str
) -> RecordedEvidence:
    """Have a key born in `slot` under a fresh challenge, appraise the evidence and keep it.

    `device_id` is the operator's, or empty where it is to be derived from this very key. The evidence is
    durable when this returns, so that the slot may then be locked. Raises DeviceError and StorageError.
    """
    policy, element_serial = context.attestation_policy(), serial.hex()
    challenge = context.registry.new_challenge(
        "birth", device_id, context.verifier, now=context.now(), ttl=context.challenge_ttl
    )
    evidence = board.birth(
        serial,
        slot,
        attestation_slot=policy.profile.attestation_slot,
        challenge=challenge,
        verifier=context.verifier,
        device_id=device_id,
    )
    verdict = context.registry.consume_challenge(
        challenge, "birth", device_id, context.verifier, now=context.now()
    )
    appraisal = _with(
        challenge_stands(verdict.value),
        appraise_birth(
            evidence,
            challenge=challenge,
            verifier=context.verifier,
            device_id=device_id,
            policy=policy,
            endorsements=context.endorsements(element_serial),
            element_serial=serial,
        ),
    )
    number = context.registry.record_evidence(
        kind="birth",
        device_id=_owner(device_id, appraisal),
        element_serial=element_serial,
        cose=evidence,
        challenge=challenge,
        verifier=context.verifier,
        verdict=_verdict(appraisal, bound_device_id=device_id, slot=slot),
        # What the chip signed; the board's word only where nothing was proved.
        public_key=appraisal.claims.public_key if appraisal.claims else board.public_key(slot),
        now=context.now(),
    )
    return RecordedEvidence(number, appraisal)


def recorded_birth(context: Context, element_serial: str, slot: int, public_key: bytes) -> Birth | None:
    """Return the kept and proved birth of this key (64 bytes) in this chip and slot, None if none."""
    for record in context.registry.evidence(element_serial=element_serial, kind="birth"):
        if record.public_key != public_key or record.verdict.get("slot") != slot:
            continue
        appraisal = reappraise_birth(context, record)
        if appraisal.claims is None or _came_late(record):
            continue
        if record.verdict.get("trusted") is True:
            return Birth(record.id, appraisal.claims)
        # Refused when it came, by a policy that has changed since: the new verdict goes on record beside it.
        return Birth(_record_again(context, record, appraisal), appraisal.claims)
    return None


def _came_late(record: EvidenceRecord) -> bool:
    """Whether it answered a challenge that was spent or over, which no later look can mend."""
    codes = {reason["code"] for reason in record.verdict.get("reasons", ())}
    return not codes.isdisjoint({ReasonCode.CHALLENGE_USED, ReasonCode.CHALLENGE_EXPIRED, *_NEVER_GIVEN})


def _record_again(context: Context, record: EvidenceRecord, appraisal: Appraisal) -> int:
    verdict = dict(record.verdict) | {"trusted": appraisal.ok, "reasons": [], "appraised_again": record.id}
    return context.registry.record_evidence(
        record.kind,
        device_id=record.device_id,
        element_serial=record.element_serial,
        cose=record.cose,
        challenge=record.challenge,
        verifier=record.verifier,
        verdict=verdict,
        public_key=record.public_key,
        csr_sha256=record.csr_sha256,
        now=context.now(),
    )


def reappraise_birth(context: Context, record: EvidenceRecord) -> Appraisal:
    """Appraise a kept birth again, from what is on record alone."""
    return appraise_birth(
        record.cose,
        challenge=record.challenge,
        verifier=record.verifier,
        device_id=str(record.verdict.get("bound_device_id", "")),
        policy=context.attestation_policy(),
        endorsements=context.endorsements(record.element_serial),
        element_serial=bytes.fromhex(record.element_serial),
    )


def obtain_state(
    board: BoardElement, context: Context, birth: BirthClaims, *, device_id: str, csr_sha256: bytes
) -> RecordedEvidence:
    """Have the chip attest a born key and all locks under a fresh challenge; appraise the evidence, keep it.

    `csr_sha256` (32 bytes) binds it to one request; `NO_CSR` to none. Raises DeviceError and StorageError.
    """
    policy = context.attestation_policy()
    challenge = context.registry.new_challenge(
        "state", device_id, context.verifier, now=context.now(), ttl=context.challenge_ttl
    )
    evidence = board.state(
        birth.slot,
        attestation_slot=birth.attestation_slot,
        challenge=challenge,
        verifier=context.verifier,
        device_id=device_id,
        csr_sha256=csr_sha256,
    )
    verdict = context.registry.consume_challenge(
        challenge, "state", device_id, context.verifier, now=context.now()
    )
    appraisal = _with(
        challenge_stands(verdict.value),
        appraise_state(
            evidence,
            challenge=challenge,
            verifier=context.verifier,
            device_id=device_id,
            csr_sha256=csr_sha256,
            policy=policy,
            endorsements=context.endorsements(birth.element_serial),
            birth=birth,
        ),
    )
    number = context.registry.record_evidence(
        kind="state",
        device_id=device_id,
        element_serial=birth.element_serial,
        cose=evidence,
        challenge=challenge,
        verifier=context.verifier,
        verdict=_verdict(appraisal, bound_device_id=device_id, slot=birth.slot),
        public_key=birth.public_key,
        csr_sha256=csr_sha256,
        now=context.now(),
    )
    return RecordedEvidence(number, appraisal)


def submitted_state(
    context: Context, evidence: bytes, birth: BirthClaims, *, device_id: str, csr_sha256: bytes
) -> RecordedEvidence:
    """Appraise state evidence that came with a request (its SHA-256, 32 bytes); spends the challenge in it.

    Evidence that is bound to no request counts for this one: the caller has checked that the key of the state
    signed the request. What answers no challenge of ours is refused without being kept, or anybody could fill
    the registry.

    Raises PolicyRefusal `state-refused` for that, StorageError.
    """
    challenge = challenge_of(evidence)
    if challenge is None:
        raise refusal("state", (Reason(ReasonCode.MALFORMED, "it is not state evidence"),))
    verdict = context.registry.consume_challenge(
        challenge, "state", device_id, context.verifier, now=context.now()
    )
    if reasons := challenge_stands(verdict.value):
        raise refusal("state", reasons)
    for bound_to in (csr_sha256, NO_CSR):
        appraisal = appraise_state(
            evidence,
            challenge=challenge,
            verifier=context.verifier,
            device_id=device_id,
            csr_sha256=bound_to,
            policy=context.attestation_policy(),
            endorsements=context.endorsements(birth.element_serial),
            birth=birth,
        )
        if ReasonCode.CSR_MISMATCH not in appraisal.codes:
            break
    number = context.registry.record_evidence(
        kind="state",
        device_id=device_id,
        element_serial=birth.element_serial,
        cose=evidence,
        challenge=challenge,
        verifier=context.verifier,
        verdict={
            **_verdict(appraisal, bound_device_id=device_id, slot=birth.slot),
            "bound_csr_sha256": bound_to.hex(),
        },
        public_key=birth.public_key,
        csr_sha256=csr_sha256,
        now=context.now(),
    )
    return RecordedEvidence(number, appraisal)


def refusal(what: str, reasons: tuple[Reason, ...]) -> PolicyRefusal:
    """Return the error that says why evidence was not accepted."""
    words = "; ".join(f"{reason.code.value}: {reason.detail}" for reason in reasons)
    return PolicyRefusal(
        f"{what}-refused",
        f"the {what} evidence was refused: {words}",
        "do not use this board; the evidence is kept, see `hri show`",
    )


def _owner(device_id: str, appraisal: Appraisal) -> str | None:
    if device_id:
        return device_id
    return appraisal.claims.derived_device_id if appraisal.claims else None


def _with(more: tuple[Reason, ...], appraisal: Appraisal) -> Appraisal:
    return Appraisal(more + appraisal.reasons, None) if more else appraisal


def _verdict(appraisal: Appraisal, *, bound_device_id: str, slot: int) -> Mapping[str, Any]:
    return {
        "trusted": appraisal.ok,
        "reasons": [reason.as_dict() for reason in appraisal.reasons],
        "bound_device_id": bound_device_id,
        "slot": slot,
    }
