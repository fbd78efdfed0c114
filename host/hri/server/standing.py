"""What verifiers fetch to learn which certificates are revoked."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hri.server.caching import IfNoneMatch, cacheable, for_caches
from hri.server.current_crls import FRESH
from hri.server.service import ServiceOf

router = APIRouter(tags=["standing"])
_MEDIA_TYPE = "application/pkix-crl"


@router.get("/crl/{issuer}.crl", response_class=Response)
def revocation_list(service: ServiceOf, issuer: str, if_none_match: IfNoneMatch = None) -> Response:
    """The full revocation list of an issuing CA, or a shard of it as certificates name them (RFC 5280).

    DER, good for a few seconds of caching; its number is its entity tag.
    """
    newest = service.current_crls.get(issuer)
    headers = for_caches(f"max-age={int(FRESH.total_seconds())}", str(newest.number))
    return cacheable(newest.der, _MEDIA_TYPE, headers, if_none_match)
