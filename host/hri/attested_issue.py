"""A certificate for a request that came over the network, on evidence that answers a challenge of ours.

The state evidence comes beside the request or in it (`hri.ca.csr_attributes`). Where it is bound to no
request (`NO_CSR`) that suffices: the state names the key, and the request's own signature proves possession.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509

from hri.acts import outcome
from hri.ca.csr import CheckedCsr, check_csr
from hri.ca.csr_attributes import carried_evidence
from hri.ca.device_id import check_device_id
from hri.ca.issuance import IssuedCertificate, IssueRequest
from hri.ca.profiles import Profile
from hri.context import Context
from hri.errors import ConfigurationError, PolicyRefusal
from hri.evidence import Birth, recorded_birth, refusal, submitted_state
from hri.registry import CertificateRecord, Device, require_not_barred
from hri.serial_numbers import serial_text

_NOT_REQUIRED = "security.require_attestation is off"


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """A PKCS#10 request (DER) and what it is meant for.

    `device_id` is who it has to be for, None for whom its common name says. `evidence` is COSE_Sign1, None
    for what the request itself carries. `replaces` is the active certificate whose place the new one takes.
    `unattested` is somebody's reason for doing without evidence, who may do that.
    """

    csr_der: bytes
    profile: str = "default"
    device_id: str | None = None
    evidence: bytes | None = None
    replaces: int | None = None
    unattested: str | None = None


def issue_for(context: Context, request: NetworkRequest) -> IssuedCertificate:
    """Issue, durable when this returns; asked again after a lost answer, it returns the same certificate.

    A first certificate is active at once, for there is nobody to ask; one that replaces another is only once
    it was used (`confirm_use`), and the other stays in force until then.

    Raises PolicyRefusal, ConfigurationError, StorageError.
    """
    checked = check_csr(request.csr_der)
    name = _named(request.device_id, checked)
    profile = context.config.profile(request.profile)
    device = context.registry.device(name)
    if device is not None:
        require_not_barred(name, device.status)
    csr = x509.load_der_x509_csr(request.csr_der)
    evidence = request.evidence if request.evidence is not None else carried_evidence(csr)
    answered = _answered_before(context, name, checked, evidence, request.replaces)
    if answered is not None:
        return answered
    with outcome(context, "issue-on-request", name, {"profile": request.profile}) as told:
        issued = _issue(context, request, name, device, checked, profile, evidence)
        told.details["certificate"] = serial_text(issued.serial_number)
    return issued


def _issue(
    context: Context,
    request: NetworkRequest,
    name: str,
    device: Device | None,
    checked: CheckedCsr,
    profile: Profile,
    evidence: bytes | None,
) -> IssuedCertificate:
    unattested = request.unattested
    proofs: tuple[int, ...] = ()
    slot = None
    if evidence is not None and unattested is None:
        birth, state = _proved(context, device, name, checked, evidence)
        proofs, slot = (birth.id, state), birth.claims.slot
    elif unattested is None and not context.config.security.require_attestation:
        unattested = _NOT_REQUIRED
    if unattested is not None:
        _may_do_without(context, name, device, asked=request.unattested is not None)
    issued = context.issuer(name, profile.more.issuing_ca).issue(
        IssueRequest(
            request.csr_der,
            name,
            profile,
            evidence=proofs,
            unattested=unattested,
            replaces=request.replaces,
            slot=slot,
        ),
        context.now(),
    )
    if request.replaces is None:
        context.registry.activate(issued.serial_number, context.now())
    return issued


def confirm_use(context: Context, record: CertificateRecord) -> None:
    """Note that a certificate is in use: one that was issued becomes active, and ends what it replaces.

    Raises PolicyRefusal where it has ended meanwhile, StorageError.
    """
    if record.state == "issued":
        context.registry.activate(record.serial_number, context.now())


def _named(wanted: str | None, csr: CheckedCsr) -> str:
    name = wanted or csr.subject_cn
    if not name:
        raise ConfigurationError(
            "no-device-id", "the request names no device", "put the device id into its common name"
        )
    check_device_id(name)
    if csr.subject_cn not in (None, name):
        raise PolicyRefusal(
            "csr-names-another-device",
            f"the request names {csr.subject_cn!r}, not the device {name!r}",
            "make a request whose common name is the device id, or that has none",
        )
    return name


def _answered_before(
    context: Context, device_id: str, csr: CheckedCsr, evidence: bytes | None, replaces: int | None
) -> IssuedCertificate | None:
    """Return the live certificate that this very evidence has led to, for this very key.

    Its challenge is spent, so a device whose answer was lost could not ask again otherwise.
    """
    if evidence is None:
        return None
    limit = timedelta(seconds=context.config.security.evidence_ttl)
    known = {
        item.id
        for item in context.registry.evidence(device_id, kind="state")
        if item.cose == evidence and context.now() - item.created_at <= limit
    }
    for record in context.registry.certificates(device_id):
        live = record.state in ("issued", "active") and context.now() < record.not_after
        same = record.public_key_sha256 == csr.public_key_sha256 and replaces in (record.replaces, None)
        if live and same and known.intersection(record.evidence):
            return IssuedCertificate(
                device_id, record.serial_number, record.der, record.not_before, record.not_after
            )
    return None


def _proved(
    context: Context, device: Device | None, device_id: str, csr: CheckedCsr, evidence: bytes
) -> tuple[Birth, int]:
    """Spend the challenge, appraise and keep the evidence; return the birth and the number of the state."""
    birth = None if device is None else _birth_of(context, device, csr.public_bytes)
    if birth is None:
        raise PolicyRefusal(
            "unattested",
            "no birth of the request's key in the chip of this device is on record",
            "provision the device with `hri provision`, which has its key born and keeps the proof",
        )
    state = submitted_state(context, evidence, birth.claims, device_id=device_id, csr_sha256=csr.sha256)
    if state.reasons:
        raise refusal("state", state.reasons)
    return birth, state.id


def _birth_of(context: Context, device: Device, public_key: bytes) -> Birth | None:
    if device.element_serial is None:
        return None
    slots = {
        record.verdict.get("slot")
        for record in context.registry.evidence(element_serial=device.element_serial, kind="birth")
        if record.public_key == public_key
    }
    for slot in slots:
        if isinstance(slot, int):
            birth = recorded_birth(context, device.element_serial, slot, public_key)
            if birth is not None:
                return birth
    return None


def _may_do_without(context: Context, device_id: str, device: Device | None, *, asked: bool) -> None:
    """Register a device without a chip; one that has a chip is not to be taken for one without.

    Raises PolicyRefusal.
    """
    if device is not None:
        if asked and device.element_serial is not None:
            raise PolicyRefusal(
                "unattested",
                f"device {device_id} has a secure element, and nothing less than its proof counts",
                "send the state evidence of its chip",
            )
        return
    if not context.config.provisioning.auto_enrollment:
        raise PolicyRefusal(
            "not-registered",
            f"device {device_id} is not on record, and provisioning.auto_enrollment is off",
            f"put it on record with `hri register {device_id}`",
        )
    context.registry.upsert_device(
        Device(device_id, "none", None, "provisioning", None, context.now(), label="unattested")
    )
