"""Errors on the wire: problem details (RFC 9457) with the code, message and hint of the command line."""

from __future__ import annotations

import json
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from hri.errors import ConfigurationError, HriError, PolicyRefusal, StorageError
from hri.server.metrics import Metrics

_log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
_UNAUTHENTICATED = 'Basic realm="hri", Bearer realm="hri"'
# Codes that say more than their class does.
_STATUS = {
    "not-found": 404,
    "unknown-profile": 404,
    "live-certificate": 409,
    "certificate-ended": 409,
    "not-active": 409,
    "same-certificate": 409,
    "csr-malformed": 400,
    "csr-signature": 400,
    "csr-key-type": 400,
    "csr-signature-algorithm": 400,
    "unauthenticated": 401,
    "no-such-method": 405,
    "no-such-route": 404,
    "too-slow": 408,
    "too-large": 413,
    "wrong-media-type": 415,
    "bad-request": 422,
    "too-many-requests": 429,
    "head-too-large": 431,
    "not-implemented": 501,
    # The server itself is not ready: trying again may help.
    "internal": 500,
    "ca-locked": 503,
    "clock-went-back": 503,
    "ca-not-valid": 503,
    "overloaded": 503,
}


class HttpProblem(HriError):
    """A fault of a request that only exists over HTTP; its code stands in the table of this module."""


def status_of(error: HriError) -> int:
    """Return the HTTP status that an error leads to."""
    if error.code in _STATUS:
        return _STATUS[error.code]
    if isinstance(error, PolicyRefusal):
        return 403
    if isinstance(error, ConfigurationError):
        return 400
    # Database, disk, device or HSM: not the caller's fault, and it may pass.
    return 503


def problem(error: HriError) -> Response:
    """Return the answer that says what went wrong and what to do next."""
    status = status_of(error)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == 401:
        headers["WWW-Authenticate"] = _UNAUTHENTICATED
    body = {
        "type": f"urn:hri:problem:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        **error.as_dict(),
    }
    return Response(json.dumps(body), status, headers=headers, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Have every error of an application end as problem details, and failures of storage counted."""

    def on_hri_error(_request: Request, error: Exception) -> Response:
        if not isinstance(error, HriError):
            raise error
        if isinstance(error, StorageError):
            metrics.storage_errors.labels(error.code).inc()
            _log.error("storage failed", code=error.code, message=error.message)
        return problem(error)

    app.add_exception_handler(HriError, on_hri_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_fault)


def _on_invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # Where and what, never the value: it may be a secret.
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    return problem(HttpProblem("bad-request", "; ".join(faults).lower(), "see /openapi.json"))


def _on_http(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return problem(HttpProblem("bad-request", str(error.detail).lower(), "see /openapi.json"))


def _on_fault(_request: Request, error: Exception) -> Response:
    _log.error("unexpected error", exc_info=error)
    return problem(HriError("internal", "the server failed", "this is a fault of hri: report it"))
