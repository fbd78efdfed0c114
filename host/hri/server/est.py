"""Enrolment over secure transport (RFC 7030, as RFC 8951 clarifies it).

Bodies are base64 whatever a Content-Transfer-Encoding says, and none is sent (RFC 8951 section 3). A label
between `est` and the operation is the name of a certificate profile. docs/server.md says what is demanded.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Header, Response

from hri.attested_issue import NetworkRequest
from hri.ca.csr import check_csr
from hri.server.callers import Caller
from hri.server.est_messages import certs_only, check_binding, csr_attrs, read_request, same_names
from hri.server.peer import Peer
from hri.server.problems import HttpProblem
from hri.server.roles import Role
from hri.server.service import CallerOf, PeerOf, Service, ServiceOf

router = APIRouter(prefix="/.well-known/est", tags=["est"])
_CERTS = "application/pkcs7-mime"
_CERTS_ONLY = "application/pkcs7-mime; smime-type=certs-only"
_CSR_ATTRS = "application/csrattrs"
_DEFAULT = "default"

Csr = Annotated[bytes, Body(media_type="application/pkcs10")]
ContentType = Annotated[str, Header()]


@router.get("/cacerts", response_class=Response)
@router.get("/{label}/cacerts", response_class=Response)
def ca_certificates(service: ServiceOf, label: str = _DEFAULT) -> Response:
    """The roots and the CA that issues under this label, as a certs-only CMS message (RFC 7030, 4.1.3)."""
    context = service.context
    name = context.config.profile(label).more.issuing_ca or context.config.issuing_ca()
    authority = context.authority_for("", name)
    return Response(certs_only([*authority.chain_der(), *context.anchors]), media_type=_CERTS)


@router.get("/csrattrs", response_class=Response)
@router.get("/{label}/csrattrs", response_class=Response)
def csr_attributes(service: ServiceOf, label: str = _DEFAULT) -> Response:
    """What a request has to have: a P-256 key, ecdsa-with-SHA256, and evidence where it is required."""
    service.context.config.profile(label)
    return Response(
        csr_attrs(attested=service.context.config.security.require_attestation), media_type=_CSR_ATTRS
    )


@router.post("/simpleenroll", response_class=Response)
@router.post("/{label}/simpleenroll", response_class=Response)
def simple_enroll(
    service: ServiceOf,
    caller: CallerOf,
    peer: PeerOf,
    csr: Csr,
    content_type: ContentType = "",
    label: str = _DEFAULT,
) -> Response:
    """A first certificate (RFC 7030 section 4.2.1), for the device that the request's common name names."""
    der = _checked(csr, content_type, peer)
    # A device speaks for itself only; whoever registers devices speaks for the one in the request.
    name = caller.name if caller.role is Role.DEVICE else None
    return _issued(service, caller, NetworkRequest(der, label, name))


@router.post("/simplereenroll", response_class=Response)
@router.post("/{label}/simplereenroll", response_class=Response)
def simple_reenroll(
    service: ServiceOf,
    caller: CallerOf,
    peer: PeerOf,
    csr: Csr,
    content_type: ContentType = "",
    label: str = _DEFAULT,
) -> Response:
    """A certificate in place of the one that the client shows (RFC 7030 section 4.2.2)."""
    der = _checked(csr, content_type, peer)
    present = caller.certificate
    if present is None:
        raise TypeError("only devices get here")
    same_names(der, present.der)
    request = NetworkRequest(der, label, caller.name, replaces=present.serial_number)
    return _issued(service, caller, request)


@router.post("/serverkeygen", response_class=Response)
@router.post("/{label}/serverkeygen", response_class=Response)
async def server_key_gen(label: str = _DEFAULT) -> Response:
    """Refused: a key that was not born in the device's chip proves nothing (RFC 7030 section 4.4)."""
    del label
    raise HttpProblem(
        "not-implemented",
        "this server makes no keys: an identity is a key that never left its chip",
        "have the key born on the device, and use simpleenroll",
    )


def _checked(body: bytes, content_type: str, peer: Peer | None) -> bytes:
    """Return the request as DER: right type, well-formed, signed, and bound to no other channel."""
    der = read_request(body, content_type)
    check_csr(der)
    check_binding(der, peer)
    return der


def _issued(service: Service, caller: Caller, request: NetworkRequest) -> Response:
    issued = service.issued(caller, request)
    # The certificate alone: the chain is what cacerts is for (RFC 7030 section 4.2.3).
    return Response(certs_only([issued.der]), media_type=_CERTS_ONLY)
