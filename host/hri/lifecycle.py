"""A device after its birth: renewal of its certificate, rotation of its key, revocation, offline checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hri.acts import outcome
from hri.ca.issuance import IssuedCertificate
from hri.context import Context
from hri.elements.board import BoardElement, ElementInfo
from hri.enrolment import enrol
from hri.errors import ConfigurationError, PolicyRefusal
from hri.evidence import obtain_birth, public_key_sha256, reappraise_birth, recorded_birth, refusal
from hri.personalisation import Identity
from hri.policies import days_left_for_key
from hri.provision import element_lease, inspect_element
from hri.publication import publish_crls
from hri.registry import CertificateRecord, Device, EvidenceRecord, require_not_barred
from hri.serial_numbers import serial_text
from hri.standing import standing_reasons
from hri.steps import OnStep, StepEvent, Steps
from hri.verify.decision import Decision
from hri.verify.path import Purpose, verify_certificate
from hri.verify.revocation import RevocationPolicy

Connect = Callable[[], BoardElement]


def _silent(_event: StepEvent) -> None:
    return


@dataclass(frozen=True, slots=True)
class CheckedEvidence:
    """A kept birth, appraised again from what is on record."""

    record: EvidenceRecord
    reasons: tuple[str, ...]


def renew(
    connect: Connect, context: Context, device_id: str, *, on_step: OnStep = _silent
) -> IssuedCertificate:
    """Replace a device's certificate by a new one for the same key; the old one ends when the new one works.

    Where key rotation is enforced the new one does not outlive its key, and a key at its end gets none.

    Raises PolicyRefusal, ConfigurationError (unknown device), DeviceError, StorageError.
    """
    device, active = _active(context, device_id)
    steps = _steps(context, on_step)
    board, info = _reach(connect, device, steps)
    context = _within_key_life(context, active)
    with (
        outcome(context, "renew", device_id) as told,
        element_lease(context, info.serial_number, "renew", steps),
    ):
        slot = active.slot if active.slot is not None else context.chip_profile.identity_slot
        identity = _identity_in(board, context, info, slot)
        pending = _pending(context, device_id)
        if pending is None or pending.replaces != active.serial_number:
            issued = enrol(board, context, identity, device_id, steps, replaces=active.serial_number)
        else:
            # An earlier renewal was cut off after its certificate was issued: that one is completed.
            issued = enrol(board, context, identity, device_id, steps, resume=pending)
        told.details["certificate"] = serial_text(issued.serial_number)
    return issued


def rotate(
    connect: Connect, context: Context, device_id: str, *, on_step: OnStep = _silent
) -> IssuedCertificate:
    """Give a device a new key, born in its next rotatable slot, and a certificate for it.

    The operator authorises the change. The old certificate stays in force until the board has answered a
    challenge with the new one. Raises what `renew` raises.
    """
    device, active = _active(context, device_id)
    steps = _steps(context, on_step)
    board, info = _reach(connect, device, steps)
    with (
        outcome(context, "rotate", device_id) as told,
        element_lease(context, info.serial_number, "rotate", steps),
    ):
        pending = _pending(context, device_id)
        if pending is not None and pending.slot is not None and pending.slot != active.slot:
            # An earlier rotation was cut off after its certificate was issued: that one is completed.
            identity = _identity_in(board, context, info, pending.slot)
            if public_key_sha256(identity.public_key) != pending.public_key_sha256:
                raise PolicyRefusal(
                    "key-mismatch",
                    f"slot {pending.slot} does not hold the key of the certificate that was issued for it",
                    "somebody changed the chip: look into it, then revoke the device",
                )
            issued = enrol(board, context, identity, device_id, steps, resume=pending)
        else:
            slot = _next_slot(context, active)
            with steps.step("birth"):
                identity = _new_key(board, context, info, slot, device_id)
            issued = enrol(board, context, identity, device_id, steps, replaces=active.serial_number)
        told.details["certificate"] = serial_text(issued.serial_number)
    return issued


def revoke(context: Context, device_id: str, reason: str, crl_folder: Path) -> tuple[CertificateRecord, ...]:
    """Revoke a device with its certificates and publish the revocation list; repeating it changes nothing.

    `reason` is a name of RFC 5280 section 5.3.1. Returns the device's certificates that are on the list.
    Raises ConfigurationError (unknown device or reason, key not open) and StorageError.
    """
    revoked = context.registry.revoke(device_id, reason, context.now(), recorder=context.recorder)
    publish_crls(context, crl_folder, only_due=True)
    return revoked


def check_evidence(context: Context, device_id: str) -> tuple[CheckedEvidence, ...]:
    """Appraise every kept birth of a device again, with nothing but the records."""
    records = context.registry.evidence(device_id, kind="birth")
    return tuple(
        CheckedEvidence(record, tuple(code.value for code in reappraise_birth(context, record).codes))
        for record in records
    )


def check_certificate(
    context: Context,
    certificate: bytes,
    chain: tuple[bytes, ...],
    *,
    at: datetime,
    purpose: Purpose,
    device_id: str | None = None,
) -> Decision:
    """Decide on a certificate (DER): path, purpose, and what the registry says of it. Raises StorageError."""
    decision = verify_certificate(
        certificate,
        chain or context.authority.chain_der(),
        context.anchors,
        at=at,
        purpose=purpose,
        device_id=device_id,
        revocation=RevocationPolicy.FAIL_OPEN,
    )
    more = standing_reasons(context.registry, certificate)
    evidence = {**decision.evidence, **_origin(context, certificate)}
    return Decision.of(decision.reasons + more, decision.device_id, evidence)


def _origin(context: Context, certificate: bytes) -> dict[str, Any]:
    """Return on what a certificate of ours was issued: evidence on record, or an operator's reason."""
    try:
        serial_number = x509.load_der_x509_certificate(certificate).serial_number
    except ValueError:
        return {}
    record = context.registry.certificate(serial_number)
    if record is None or record.der != certificate:
        return {}
    return {"attested": not record.unattested and bool(record.evidence), "unattested": record.unattested}


def device_report(context: Context, device_id: str) -> Mapping[str, Any]:
    """Return everything on record about a device, as values that JSON can carry."""
    device = known_device(context, device_id)
    certificates = context.registry.certificates(device_id)
    return {
        "device_id": device.device_id,
        "status": device.status,
        "owner": device.owner,
        "element": {"type": device.element_type, "serial_number": device.element_serial, "slot": device.slot},
        "created_at": device.created_at.isoformat(),
        "last_authenticated_at": device.last_authenticated_at.isoformat()
        if device.last_authenticated_at
        else None,
        "certificates": [_certificate_report(record) for record in certificates],
        "births": [
            {"id": item.record.id, "at": item.record.created_at.isoformat(), "reasons": list(item.reasons)}
            for item in check_evidence(context, device_id)
        ],
        "endorsements": [
            {
                "kind": endorsement.kind,
                "seen_at": endorsement.seen_at.isoformat(),
                "station": endorsement.station,
            }
            for endorsement in context.registry.endorsements(device.element_serial or "")
        ],
    }


def live_certificate_pem(context: Context, device_id: str) -> str:
    """Return the certificate by which a device is known now; raises ConfigurationError where it has none."""
    known_device(context, device_id)
    live = context.registry.live_certificate(device_id)
    if live is None:
        raise ConfigurationError(
            "no-certificate", f"the device {device_id} has no live certificate", "`hri show` has all of them"
        )
    return x509.load_der_x509_certificate(live.der).public_bytes(Encoding.PEM).decode("ascii")


def known_device(context: Context, device_id: str) -> Device:
    """Return a device; raises ConfigurationError where the registry has none of this id."""
    device = context.registry.device(device_id)
    if device is None:
        raise ConfigurationError(
            "not-found", f"the registry has no device {device_id}", "`hri list` shows what there is"
        )
    return device


def _certificate_report(record: CertificateRecord) -> dict[str, Any]:
    return {
        "serial_number": serial_text(record.serial_number),
        "state": record.state,
        "slot": record.slot,
        "not_before": record.not_before.isoformat(),
        "not_after": record.not_after.isoformat(),
        "reason": record.reason,
        "evidence": list(record.evidence),
        "unattested": record.unattested,
    }


def _active(context: Context, device_id: str) -> tuple[Device, CertificateRecord]:
    device = known_device(context, device_id)
    require_not_barred(device_id, device.status)
    active = next((item for item in context.registry.certificates(device_id) if item.state == "active"), None)
    if active is None:
        raise PolicyRefusal(
            "not-active", f"device {device_id} has no active certificate", "complete it with `hri provision`"
        )
    return device, active


def _within_key_life(context: Context, active: CertificateRecord) -> Context:
    """Return the context with a validity that ends with the key's; raises PolicyRefusal at the key's end."""
    config = context.config
    # Certificates to a template are whole years, which no rest of a key's life is.
    if not config.security.enforce_key_rotation or config.certificate.template is not None:
        return context
    days = days_left_for_key(
        context.registry, config, active.device_id, active.public_key_sha256, context.now()
    )
    if days < 1:
        raise PolicyRefusal(
            "rotation-due",
            f"the key of device {active.device_id} is older than security.key_rotation_days",
            "give it a new one with `hri rotate`",
        )
    security = config.security.model_copy(update={"key_rotation_days": days})
    return replace(context, config=config.model_copy(update={"security": security}))


def _pending(context: Context, device_id: str) -> CertificateRecord | None:
    """Return the certificate that was issued and not confirmed, if it is still of use."""
    now = context.now()
    records = context.registry.certificates(device_id)
    return next((item for item in records if item.state == "issued" and now < item.not_after), None)


def _steps(context: Context, on_step: OnStep) -> Steps:
    return Steps(on_step, context.monotonic, timeout=context.config.provisioning.enrollment_timeout)


def _reach(connect: Connect, device: Device, steps: Steps) -> tuple[BoardElement, ElementInfo]:
    with steps.step("connect"):
        board = connect()
        hello = board.hello()
    with steps.step("inspect"):
        info = inspect_element(board, hello)
        if info.serial_number.hex() != device.element_serial:
            raise PolicyRefusal(
                "wrong-device",
                f"the board holds chip {info.serial_number.hex()}, device {device.device_id} has another",
                "plug in the right board",
            )
    return board, info


def _identity_in(board: BoardElement, context: Context, info: ElementInfo, slot: int) -> Identity:
    key = board.public_key(slot)
    birth = recorded_birth(context, info.serial_number.hex(), slot, key)
    return Identity(info.type, info.serial_number, slot, key, birth)


def _new_key(board: BoardElement, context: Context, info: ElementInfo, slot: int, device_id: str) -> Identity:
    """Have a new key born in a slot that carries no live certificate."""
    recorded = obtain_birth(board, context, info.serial_number, slot, device_id=device_id)
    if recorded.reasons and context.config.security.require_attestation:
        raise refusal("birth", recorded.reasons)
    return _identity_in(board, context, info, slot)


def _next_slot(context: Context, active: CertificateRecord) -> int:
    """Return the rotatable slot after the one in use; the one in use is never regenerated."""
    slots = context.chip_profile.rotatable_slots
    if active.slot not in slots:
        return slots[0]
    return slots[(slots.index(active.slot) + 1) % len(slots)]
