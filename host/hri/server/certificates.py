"""Certificates: show, issue, renew.

Every post here is idempotent by what it asks for: a live certificate of the same device and key is returned,
not issued again, whichever process the second request meets. So a client that lost an answer sends the same
request again, with or without an Idempotency-Key.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from hri.attested_issue import NetworkRequest
from hri.ca.issuance import IssuedCertificate
from hri.errors import ConfigurationError, PolicyRefusal
from hri.registry import CertificateRecord
from hri.serial_numbers import serial_text
from hri.server.bodies import Base64, Body, DeviceId, SerialPath, Text, csr_der, from_base64
from hri.server.callers import Caller
from hri.server.roles import MAY_DO_WITHOUT_EVIDENCE
from hri.server.service import CallerOf, Service, ServiceOf

router = APIRouter(prefix="/v1/certificates", tags=["certificates"])
_PEM = "application/x-pem-file"


class Renewal(Body):
    """A request for a certificate in place of the active one; `evidence` is COSE_Sign1, if not in the CSR."""

    csr: Base64
    evidence: Base64 | None = None
    profile: Text = "default"


class Issue(Renewal):
    """A request for a first certificate; `unattested` is an admin's reason for doing without evidence."""

    device_id: DeviceId | None = None
    unattested: Text | None = None


@router.get("/{serial_number}")
def show_certificate(service: ServiceOf, serial_number: SerialPath) -> dict[str, Any]:
    """What is on record about a certificate."""
    record = _known(service, serial_number)
    return {
        "serial_number": serial_text(record.serial_number),
        "device_id": record.device_id,
        "state": record.state,
        "reason": record.reason,
        "not_before": record.not_before.isoformat(),
        "not_after": record.not_after.isoformat(),
        "revoked_at": None if record.revoked_at is None else record.revoked_at.isoformat(),
        "replaces": None if record.replaces is None else serial_text(record.replaces),
        "attested": not record.unattested and bool(record.evidence),
        "unattested": record.unattested,
        "certificate": _pem(record),
    }


@router.get("/{serial_number}/pem", response_class=Response)
def show_pem(service: ServiceOf, serial_number: SerialPath) -> Response:
    """The certificate itself, as PEM."""
    return Response(_pem(_known(service, serial_number)), media_type=_PEM)


@router.post("")
def issue(service: ServiceOf, caller: CallerOf, body: Issue) -> dict[str, Any]:
    """Issue for a PKCS#10 request with its evidence; the certificate is active when it is handed out."""
    if body.unattested is not None and caller.role not in MAY_DO_WITHOUT_EVIDENCE:
        raise PolicyRefusal(
            "wrong-role",
            f"the role {caller.role} may not do without evidence",
            "send the chip's state evidence, or have an admin ask",
        )
    request = NetworkRequest(
        csr_der(body.csr),
        body.profile,
        body.device_id,
        _evidence(body),
        unattested=body.unattested,
    )
    return _issued(service, caller, request)


@router.post("/{serial_number}/renew")
def renew(service: ServiceOf, caller: CallerOf, serial_number: SerialPath, body: Renewal) -> dict[str, Any]:
    """Issue in place of an active certificate, which stays in force until the new one was used."""
    old = _known(service, serial_number)
    request = NetworkRequest(
        csr_der(body.csr), body.profile, old.device_id, _evidence(body), replaces=old.serial_number
    )
    return _issued(service, caller, request)


def _evidence(body: Renewal) -> bytes | None:
    return None if body.evidence is None else from_base64(body.evidence, "evidence")


def _issued(service: Service, caller: Caller, request: NetworkRequest) -> dict[str, Any]:
    issued = service.issued(caller, request)
    return {
        "device_id": issued.device_id,
        "serial_number": serial_text(issued.serial_number),
        "not_after": issued.not_after.isoformat(),
        "certificate": issued.pem.decode("ascii"),
        "chain": service.context.signer_of(issued.der).chain_pem().decode("ascii"),
    }


def _known(service: Service, serial_number: str) -> CertificateRecord:
    record = service.context.registry.certificate(int(serial_number, 16))
    if record is None:
        raise ConfigurationError(
            "not-found", f"the registry has no certificate {serial_number}", "see /v1/devices"
        )
    return record


def _pem(record: CertificateRecord) -> str:
    issued = IssuedCertificate(
        record.device_id, record.serial_number, record.der, record.not_before, record.not_after
    )
    return issued.pem.decode("ascii")
