"""Is this really the device, and is it still trusted? A fresh challenge, and a decision with reasons."""

from __future__ import annotations

from hri.acts import record_refusal
from hri.ca.device_id import check_device_id
from hri.ca.profiles import Profile
from hri.confirmation import confirm
from hri.context import Context
from hri.elements.board import BoardElement, IdentityAnswer
from hri.errors import ConfigurationError
from hri.evidence import NO_CSR, obtain_state, recorded_birth
from hri.link.errors import DeviceRefused
from hri.registry import CertificateRecord, Device, barred
from hri.standing import standing_reasons
from hri.verify.authentication import authenticate as decide
from hri.verify.decision import Decision, Reason, ReasonCode
from hri.verify.path import Purpose, TrustStore
from hri.verify.revocation import RevocationPolicy

PURPOSE = "authenticate"
"""What a challenge to be answered with an identity is given out for."""


def authenticate(board: BoardElement, context: Context, *, device_id: str | None = None) -> Decision:
    """Challenge the board and decide on its answer; the challenge is spent, whatever the outcome.

    `device_id` is who the board has to be; without one it is whoever it says it is, and has to prove that.
    Answer and verdict are kept, a refusal is in the audit log. Raises DeviceError and StorageError.
    """
    decision = _challenge(board, context, device_id)
    record_refusal(context, "authenticate", decision)
    return decision


def _challenge(board: BoardElement, context: Context, device_id: str | None) -> Decision:
    claimed = device_id or board.hello().device_id
    if claimed is None:
        return _refused(None, ReasonCode.EVIDENCE_MISSING, "the board holds no certificate")
    try:
        check_device_id(claimed)
    except ConfigurationError as error:
        return _refused(None, ReasonCode.MALFORMED, error.message)
    challenge = context.registry.new_challenge(
        PURPOSE, claimed, context.verifier, now=context.now(), ttl=context.challenge_ttl
    )
    try:
        answer = board.answer(challenge, context.verifier)
    except DeviceRefused as refused:
        if refused.code != "not-found":
            raise
        return _refused(claimed, ReasonCode.EVIDENCE_MISSING, "the board holds no certificate")
    return _decided(context, answer, challenge, claimed)


def decide_on_answer(
    context: Context, answer: IdentityAnswer, challenge: bytes, *, device_id: str
) -> Decision:
    """Do what `check_answer` does, and keep answer and verdict of a device that is on record.

    A refusal is in the audit log. Raises StorageError.
    """
    decision = _decided(context, answer, challenge, device_id)
    record_refusal(context, "authenticate", decision)
    return decision


def _decided(context: Context, answer: IdentityAnswer, challenge: bytes, device_id: str) -> Decision:
    decision = check_answer(context, answer, challenge, device_id=device_id)
    _record(context, decision, answer, challenge, device_id)
    return decision


def check_answer(context: Context, answer: IdentityAnswer, challenge: bytes, *, device_id: str) -> Decision:
    """Spend a challenge (32 bytes) that was given to `device_id` and decide on the answer to it.

    Revocation is read from the registry itself, which every CRL is made from. Raises StorageError.
    """
    verdict = context.registry.consume_challenge(
        challenge, PURPOSE, device_id, context.verifier, now=context.now()
    )
    decision = decide(
        answer.answer,
        answer.certificate,
        context.authority.chain_der(),
        TrustStore.from_der(context.anchors, intermediates=context.intermediates),
        device_id=device_id,
        verifier=context.verifier,
        challenge=challenge,
        challenge_verdict=verdict.value,
        at=context.now(),
        purpose=purpose_of(context.certificate_profile),
        revocation=RevocationPolicy.FAIL_OPEN,
    )
    more = standing_reasons(context.registry, answer.certificate)
    return Decision.of(decision.reasons + more, decision.device_id, decision.evidence)


def attest(board: BoardElement, context: Context) -> Decision:
    """Have the chip prove key, configuration and locks as they are now, against the record of the birth.

    No request is meant, so the evidence is bound to the SHA-256 of the empty string in its place. A refusal
    is in the audit log. Raises DeviceError and StorageError.
    """
    decision = _prove(board, context)
    record_refusal(context, "attest", decision)
    return decision


def _prove(board: BoardElement, context: Context) -> Decision:
    info = board.chip_info()
    serial = info.serial_number.hex()
    device = context.registry.device_by_element(serial)
    if device is None:
        return _refused(None, ReasonCode.EVIDENCE_MISSING, f"chip {serial} is not in this registry")
    ended = barred(device.device_id, device.status)
    if ended is not None:
        return _refused(device.device_id, ReasonCode.REVOKED, ended.message)
    slot = _slot_in_use(context, device)
    birth = recorded_birth(context, serial, slot, board.public_key(slot))
    if birth is None:
        return _refused(
            device.device_id,
            ReasonCode.EVIDENCE_MISSING,
            f"no birth of the key now in slot {slot} is on record",
        )
    state = obtain_state(board, context, birth.claims, device_id=device.device_id, csr_sha256=NO_CSR)
    evidence = {
        "evidence": state.id,
        "element_type": birth.claims.element_type,
        "serial_number": serial,
        "slot": slot,
        "config_locked": info.config_locked,
        "data_locked": info.data_locked,
    }
    return Decision.of(state.reasons, device.device_id, evidence)


def purpose_of(profile: Profile) -> Purpose:
    """Return what certificates of a profile are presented for; client where they serve both."""
    return Purpose.CLIENT if "client_auth" in profile.extended_key_usage else Purpose.SERVER


def _slot_in_use(context: Context, device: Device) -> int:
    live: CertificateRecord | None = context.registry.live_certificate(device.device_id)
    if live is not None and live.slot is not None:
        return live.slot
    return device.slot if device.slot is not None else context.chip_profile.identity_slot


def _record(
    context: Context, decision: Decision, answer: IdentityAnswer, challenge: bytes, device_id: str
) -> None:
    device = context.registry.device(device_id)
    if device is None:
        return
    context.registry.record_evidence(
        "authentication",
        device_id=device_id,
        element_serial=device.element_serial or "",
        cose=answer.answer,
        challenge=challenge,
        verifier=context.verifier,
        verdict=decision.as_dict(),
        now=context.now(),
    )
    if decision.trusted:
        context.registry.record_authentication(device_id, now=context.now())
        confirm(context, answer.certificate)


def _refused(device_id: str | None, code: ReasonCode, detail: str) -> Decision:
    return Decision(False, device_id, (Reason(code, detail),))
