"""What a cache on the way may do with an answer (RFC 9111), and what who has it already gets (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Header, Response

IfNoneMatch = Annotated[str | None, Header()]
FOR_EVER = "max-age=31536000, immutable"
"""A year, which is for ever among caches; `immutable` spares them the question (RFC 8246)."""


def cacheable(
    content: bytes, media_type: str, headers: Mapping[str, str], if_none_match: str | None
) -> Response:
    """Return the answer, or 304 where the client named the entity tag that is among the headers."""
    etag = headers.get("ETag")
    if etag is not None and if_none_match is not None and _names(if_none_match, etag):
        return Response(status_code=304, headers=dict(headers))
    return Response(content, media_type=media_type, headers=dict(headers))


def for_caches(cache_control: str, etag: str) -> dict[str, str]:
    """Return the headers for an entity tag, which is given without its quotes."""
    return {"Cache-Control": cache_control, "ETag": f'"{etag}"'}


def _names(header: str, etag: str) -> bool:
    """Weak comparison, as RFC 9110 section 13.1.2 has it for If-None-Match."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags
