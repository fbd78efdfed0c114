"""From a permanent key to a certificate in use: CSR, proof of state, issuance, store, authentication."""

from __future__ import annotations

import hashlib

from hri.authentication import authenticate
from hri.ca.csr import check_csr
from hri.ca.issuance import IssuedCertificate, IssueRequest
from hri.compressed import CompressedError
from hri.compressed_store import store_issued
from hri.context import Context
from hri.elements.board import BoardElement, StoredCertificate
from hri.errors import PolicyRefusal
from hri.evidence import obtain_state, public_key_sha256, refusal
from hri.personalisation import Identity
from hri.registry import CertificateRecord
from hri.steps import Steps

_LIVE = ("issued", "active")


def live_certificate_of_key(context: Context, device_id: str, public_key: bytes) -> CertificateRecord | None:
    """Return the device's certificate for this very key that is issued or active and has not expired."""
    fingerprint, now = public_key_sha256(public_key), context.now()
    for record in context.registry.certificates(device_id):
        if record.state in _LIVE and record.public_key_sha256 == fingerprint and now < record.not_after:
            return record
    return None


def enrol(
    board: BoardElement,
    context: Context,
    identity: Identity,
    device_id: str,
    steps: Steps,
    *,
    replaces: int | None = None,
    resume: CertificateRecord | None = None,
) -> IssuedCertificate:
    """Bring the key of `identity` to an active certificate on the board, from wherever that stands.

    The certificate is durable in the registry before the board gets it, and active only after the board has
    answered a challenge with it. `replaces` is the serial number of the active certificate whose place it
    takes, which stays in force until then; `resume` is one that was issued and not confirmed.

    Raises PolicyRefusal, DeviceError, StorageError.
    """
    record = resume
    if record is None and replaces is None:
        record = live_certificate_of_key(context, device_id, identity.public_key)
    if record is None:
        issued = _issue(board, context, identity, device_id, steps, replaces)
    else:
        issued = IssuedCertificate(
            device_id, record.serial_number, record.der, record.not_before, record.not_after
        )
    with steps.step("store"):
        template = context.certificate_profile.template
        if template is not None:
            # Into the chip first: until the board has its record nothing is confirmed.
            try:
                store_issued(board, context, template, issued.der, identity.public_key, identity.serial)
            except CompressedError:
                # One that was issued before there was a template does not fit; the next one will.
                if record is None:
                    raise
        _store(board, context, identity, issued)
    with steps.step("authenticate"):
        decision = authenticate(board, context, device_id=device_id)
        if not decision.trusted:
            words = "; ".join(f"{reason.code.value}: {reason.detail}" for reason in decision.reasons)
            raise PolicyRefusal(
                "authentication-failed",
                f"the device does not prove its new identity: {words}",
                "look into the reasons, then run the same command again",
            )
    with steps.step("activate"):
        context.registry.activate(issued.serial_number, now=context.now())
    return issued


def _issue(
    board: BoardElement,
    context: Context,
    identity: Identity,
    device_id: str,
    steps: Steps,
    replaces: int | None,
) -> IssuedCertificate:
    profile = context.certificate_profile
    with steps.step("csr"):
        csr_der = board.make_csr(identity.slot, (*profile.subject, ("CN", device_id)))
        csr = check_csr(csr_der)
        if csr.public_bytes != identity.public_key:
            raise PolicyRefusal(
                "key-mismatch",
                "the board's CSR is for another key than the one born in its chip",
                "do not use this board",
            )
    proofs: tuple[int, ...] = ()
    if identity.birth is not None:
        with steps.step("state"):
            state = obtain_state(
                board, context, identity.birth.claims, device_id=device_id, csr_sha256=csr.sha256
            )
            if state.reasons and context.config.security.require_attestation:
                raise refusal("state", state.reasons)
            proofs = (identity.birth.id, state.id)
    with steps.step("issue"):
        request = IssueRequest(
            csr_der, device_id, profile, evidence=proofs, replaces=replaces, slot=identity.slot
        )
        return context.issuer(device_id).issue(request, context.now())


def _store(board: BoardElement, context: Context, identity: Identity, issued: IssuedCertificate) -> None:
    chain = context.authority_for(issued.device_id).chain_der()
    wanted = StoredCertificate(issued.device_id, identity.slot, issued.der, chain)
    if board.readable_certificate() == wanted:
        return
    if board.store_certificate(wanted) != hashlib.sha256(issued.der).digest():
        raise PolicyRefusal(
            "certificate-mismatch",
            "the board confirmed another certificate than it was given",
            "put the hri_device that belongs to this version of hri on the board",
        )
