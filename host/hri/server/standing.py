"""What verifiers fetch to learn which certificates are revoked."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hri.ca import crl
from hri.errors import ConfigurationError
from hri.server.current_crl import FRESH
from hri.server.service import ServiceOf

router = APIRouter(tags=["standing"])
_MEDIA_TYPE = "application/pkix-crl"
_ISSUER = crl.FILE_NAME.removesuffix(".crl")


@router.get("/crl/{issuer}.crl", response_class=Response)
def revocation_list(service: ServiceOf, issuer: str) -> Response:
    """The revocation list of an issuing CA (RFC 5280 section 5), DER, good for a few seconds of caching."""
    if issuer != _ISSUER:
        raise ConfigurationError(
            "not-found", "there is no such revocation list", f"fetch /crl/{crl.FILE_NAME}"
        )
    headers = {"Cache-Control": f"max-age={int(FRESH.total_seconds())}"}
    return Response(service.current_crl.get(), media_type=_MEDIA_TYPE, headers=headers)
