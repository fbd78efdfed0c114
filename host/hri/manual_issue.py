"""A certificate for a request that was carried here by hand, not fetched from a board."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hri.acts import outcome
from hri.ca.csr import check_csr
from hri.ca.device_id import check_device_id
from hri.ca.issuance import IssuedCertificate, IssueRequest
from hri.context import Context
from hri.errors import ConfigurationError, PolicyRefusal
from hri.evidence import reappraise_birth
from hri.registry import Device
from hri.serial_numbers import serial_text


def issue_by_hand(
    context: Context,
    request: bytes,
    *,
    profile: str,
    device_id: str | None,
    evidence: bytes | None,
    unattested: str | None,
) -> IssuedCertificate:
    """Issue for a PKCS#10 request (PEM or DER), durable and active when this returns.

    `evidence` is the state evidence (COSE_Sign1) for this very request; it counts because it is on record
    here as the accepted answer to a challenge of ours, not older than `security.evidence_ttl`. Without
    evidence `unattested` gives the reason, and the device is registered as one without a secure element.

    Raises PolicyRefusal, ConfigurationError, StorageError.
    """
    der = _der(request)
    csr = check_csr(der)
    name = device_id or csr.subject_cn
    if not name:
        raise ConfigurationError("no-device-id", "the request names no device", "give --device-id")
    check_device_id(name)
    if unattested is not None and not unattested.strip():
        raise ConfigurationError("no-reason", "--unattested needs a reason", "say why there is no evidence")
    if csr.subject_cn not in (None, name):
        raise PolicyRefusal(
            "csr-names-another-device",
            f"the request names {csr.subject_cn!r}, not the device {name!r}",
            "make a request whose common name is the device id, or that has none",
        )
    wanted = context.config.profile(profile)
    if unattested is not None and context.registry.device(name) is None:
        context.registry.upsert_device(
            Device(name, "none", None, "provisioning", None, context.now(), label="unattested")
        )
    with outcome(context, "issue-by-hand", name, {"profile": profile}) as told:
        numbers = _on_record(context, name, csr.public_bytes, evidence) if evidence else ()
        issued = context.issuer().issue(
            IssueRequest(der, name, wanted, evidence=numbers, unattested=unattested),
            context.now(),
        )
        # Handing it out is the confirmation here: there is no board to ask.
        context.registry.activate(issued.serial_number, context.now())
        told.details["certificate"] = serial_text(issued.serial_number)
    return issued


def _on_record(context: Context, device_id: str, public_key: bytes, evidence: bytes) -> tuple[int, ...]:
    records = [item for item in context.registry.evidence(device_id) if item.public_key == public_key]
    states = [item for item in records if item.kind == "state" and item.cose == evidence]
    if not states:
        raise PolicyRefusal(
            "unattested",
            "this evidence is not on record here as the answer to a challenge of this authority",
            "provision the board with `hri provision`, or give --unattested with a reason",
        )
    limit = timedelta(seconds=context.config.security.evidence_ttl)
    if all(context.now() - item.created_at > limit for item in states):
        raise PolicyRefusal(
            "evidence-stale",
            f"this evidence is older than security.evidence_ttl, {limit.total_seconds():.0f} s",
            "have the board prove its state again with `hri provision`",
        )
    # By the rules of today: what was accepted once may be so no longer.
    births = [item for item in records if item.kind == "birth"]
    accepted = [item.id for item in births if reappraise_birth(context, item).claims is not None]
    return (*accepted, *(item.id for item in states))


def _der(request: bytes) -> bytes:
    if b"-----BEGIN" not in request:
        return request
    try:
        return x509.load_pem_x509_csr(request).public_bytes(Encoding.DER)
    except ValueError as error:
        raise PolicyRefusal(
            "csr-malformed", "the file is not a PKCS#10 request", "make a new one on the device"
        ) from error
