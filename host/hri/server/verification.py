"""Decisions: on a device's answer to a challenge, and on a certificate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter

from hri.attested_issue import confirm_use
from hri.authentication import decide_on_answer
from hri.ca.device_id import check_device_id
from hri.context import Context
from hri.elements.board import IdentityAnswer
from hri.lifecycle import check_certificate
from hri.server.bodies import Base64, Body, DeviceId, certificate_der, from_base64
from hri.server.problems import HttpProblem
from hri.server.service import CallerOf, Service, ServiceOf
from hri.verify.cose import MalformedError
from hri.verify.decision import Decision
from hri.verify.leaf import load_certificate
from hri.verify.path import Purpose

router = APIRouter(prefix="/v1", tags=["decisions"])
_CHALLENGE_BYTES = 32
_MOST = 8


class Answer(Body):
    """A device's answer (COSE_Sign1) to a challenge, with the certificate it claims (PEM or base64)."""

    device_id: DeviceId
    challenge: Base64
    answer: Base64
    certificate: Base64


class Question(Body):
    """A certificate to be judged, with those between it and the root (default: ours), now or `at` a time."""

    certificate: Base64
    chain: tuple[Base64, ...] = ()
    purpose: Literal["client", "server"] = "client"
    device_id: DeviceId | None = None
    at: datetime | None = None


@router.post("/verify")
def verify(service: ServiceOf, caller: CallerOf, body: Answer) -> dict[str, Any]:
    """Is this really the device, and is it still trusted? The challenge is spent, whatever the outcome."""
    check_device_id(body.device_id)
    challenge = from_base64(body.challenge, "challenge")
    if len(challenge) != _CHALLENGE_BYTES:
        raise HttpProblem("bad-request", f"challenge: has not {_CHALLENGE_BYTES} bytes", "send it as it came")
    certificate = certificate_der(body.certificate, "certificate")
    answer = IdentityAnswer(from_base64(body.answer, "answer"), body.device_id, certificate)
    decision = decide_on_answer(service.acting(caller), answer, challenge, device_id=body.device_id)
    if decision:
        _confirm(service.context, certificate)
    return _told(service, decision)


@router.post("/verify-certificate")
def verify_certificate(service: ServiceOf, body: Question) -> dict[str, Any]:
    """Decide on a certificate: path, purpose, validity, and what the registry says of it."""
    if len(body.chain) > _MOST:
        raise HttpProblem("bad-request", f"chain: has more than {_MOST} certificates", "send the chain only")
    at = body.at or service.context.now()
    decision = check_certificate(
        service.context,
        certificate_der(body.certificate, "certificate"),
        tuple(certificate_der(item, "chain") for item in body.chain),
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        purpose=Purpose[body.purpose.upper()],
        device_id=body.device_id,
    )
    return _told(service, decision)


def _confirm(context: Context, certificate: bytes) -> None:
    try:
        serial_number = load_certificate(certificate).serial_number
    except MalformedError:
        return
    record = context.registry.certificate(serial_number)
    if record is not None:
        confirm_use(context, record)


def _told(service: Service, decision: Decision) -> dict[str, Any]:
    service.metrics.decided(decision)
    return decision.as_dict()
