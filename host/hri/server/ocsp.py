"""OCSP over HTTP (RFC 6960 appendix A), with the cache headers of RFC 5019 section 6.2.

The answer to an OCSP request is an OCSP response, whatever it says, under status 200: what is wrong stands in
it, where OCSP clients look.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime, timedelta
from email.utils import format_datetime

from cryptography import x509
from cryptography.x509 import ocsp
from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from starlette.concurrency import run_in_threadpool

from hri.ca.ocsp import MALFORMED_REQUEST, TRY_LATER, UNAUTHORIZED
from hri.ca.ocsp_messages import MalformedRequestError, Request
from hri.errors import ConfigurationError
from hri.server.caching import IfNoneMatch, cacheable
from hri.server.problems import HttpProblem
from hri.server.remembered import OcspAnswer
from hri.server.service import Service, ServiceOf

router = APIRouter(prefix="/ocsp", tags=["standing"])
_REQUEST = "application/ocsp-request"
_RESPONSE = "application/ocsp-response"
_SUCCESSFUL = ocsp.OCSPResponseStatus.SUCCESSFUL.name.lower()
# The answers that nobody signs are always the same bytes.
_UNSIGNED = {
    MALFORMED_REQUEST: ocsp.OCSPResponseStatus.MALFORMED_REQUEST.name.lower(),
    UNAUTHORIZED: ocsp.OCSPResponseStatus.UNAUTHORIZED.name.lower(),
    TRY_LATER: ocsp.OCSPResponseStatus.TRY_LATER.name.lower(),
}
_CACHED_AT_MOST = timedelta(hours=1)
"""So long a cache on the way may hold a revocation back; answers themselves are good for longer."""


# The body is taken as it comes: the framework's own way of reading one takes longer than the answer.
_BODY = {
    "requestBody": {
        "required": True,
        "content": {_REQUEST: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", response_class=Response, openapi_extra=_BODY)
async def ask(service: ServiceOf, request: HttpRequest) -> Response:
    """Is a certificate in force? An OCSPRequest (DER) in the body, an OCSPResponse (DER) back."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != _REQUEST:
        raise HttpProblem("wrong-media-type", "the body is no OCSP request", f"send {_REQUEST}")
    question = _read(await request.body())
    if question is None or service.standings.holds(question):
        # One signature at most: a thread would take longer to come and go.
        answer = _answered(service, question)
    else:
        answer = await run_in_threadpool(_answered, service, question)
    return Response(answer, media_type=_RESPONSE, headers={"Cache-Control": "no-store"})


@router.get("/{question:path}", response_class=Response)
async def ask_in_the_path(service: ServiceOf, question: str, if_none_match: IfNoneMatch = None) -> Response:
    """The same with the base64 of the request in the path, which caches on the way can answer again."""
    try:
        request = base64.b64decode(question, validate=True)
    except (binascii.Error, ValueError):
        request = b""
    known = service.ocsp_answers.get(request, service.context.now())
    if known is not None:
        service.metrics.ocsp_answers.labels(_SUCCESSFUL).inc()
    else:
        known = await run_in_threadpool(_answered_for_all, service, request)
    return cacheable(known.der, _RESPONSE, known.headers, if_none_match)


def _answered_for_all(service: Service, request: bytes) -> OcspAnswer:
    """Answer, and remember that where it is good for everybody who asks the same."""
    now, generation = service.context.now(), service.ocsp_answers.generation
    der = _answered(service, _read(request))
    answer = OcspAnswer(der, _headers(der, ocsp.load_der_ocsp_response(der), now))
    if "ETag" in answer.headers:
        service.ocsp_answers.keep(request, answer, now, generation)
    return answer


def _read(request_der: bytes) -> Request | None:
    """Return a request, None for what is none."""
    try:
        return Request.from_der(request_der)
    except MalformedRequestError:
        return None


def _answered(service: Service, request: Request | None) -> bytes:
    if service.responder is None:
        raise ConfigurationError(
            "not-found",
            "the OCSP responder is the external authority's",
            "ask at the address that the certificates name",
        )
    answer = MALFORMED_REQUEST
    if request is not None:
        answer = service.responder.answer_to(request, service.context.now())
    service.metrics.ocsp_answers.labels(_UNSIGNED.get(answer, _SUCCESSFUL)).inc()
    return answer


def _headers(answer: bytes, read: ocsp.OCSPResponse, now: datetime) -> dict[str, str]:
    """Return the headers of RFC 5019 section 6.2 for an answer that is good for everybody who asks this."""
    if read.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL or _has_nonce(read):
        return {"Cache-Control": "no-store"}
    ends = [one.next_update_utc for one in read.responses if one.next_update_utc is not None]
    if not ends:
        return {"Cache-Control": "no-store"}
    end = min(ends)
    # Before nextUpdate, so that who gets it from a cache has some time left to use it.
    seconds = max(0, int(min(_CACHED_AT_MOST, (end - now) / 2).total_seconds()))
    return {
        "Cache-Control": f"max-age={seconds}, public, no-transform, must-revalidate",
        "Last-Modified": format_datetime(read.produced_at_utc, usegmt=True),
        "Expires": format_datetime(end, usegmt=True),
        "ETag": f'"{hashlib.sha256(answer).hexdigest()}"',
    }


def _has_nonce(read: ocsp.OCSPResponse) -> bool:
    return any(extension.oid == x509.OCSPNonce.oid for extension in read.extensions)
