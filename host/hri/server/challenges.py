"""Challenges: 32 bytes to be answered once, in time, by one device, for one purpose."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter

from hri.authentication import PURPOSE
from hri.ca.device_id import check_device_id
from hri.errors import PolicyRefusal
from hri.server.bodies import Body, DeviceId, to_base64
from hri.server.roles import Role
from hri.server.service import CallerOf, ServiceOf

router = APIRouter(prefix="/v1/challenges", tags=["challenges"])


class NewChallenge(Body):
    """Who has to answer, and with what: its identity, or evidence of its chip's state for a request."""

    device_id: DeviceId
    purpose: Literal["authenticate", "state"] = "authenticate"


@router.post("", status_code=201)
def new_challenge(service: ServiceOf, caller: CallerOf, body: NewChallenge) -> dict[str, Any]:
    """Give out a challenge. The device has to name `verifier` in what it signs."""
    context = service.context
    check_device_id(body.device_id)
    if caller.role is Role.DEVICE and (caller.name != body.device_id or body.purpose == PURPOSE):
        raise PolicyRefusal(
            "wrong-role",
            "a device gets challenges for its own state only",
            "ask for its own device id and the purpose `state`",
        )
    now = context.now()
    challenge = context.registry.new_challenge(
        body.purpose, body.device_id, context.verifier, now=now, ttl=context.challenge_ttl
    )
    return {
        "challenge": to_base64(challenge),
        "device_id": body.device_id,
        "verifier": context.verifier,
        "purpose": body.purpose,
        "expires_at": (now + context.challenge_ttl).isoformat(),
    }
