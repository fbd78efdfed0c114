"""What a cache on the way may do with an answer (RFC 9111), and what who has it already gets (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Header, Response

IfNoneMatch = Annotated[str | None, Header()]
FOR_EVER = "max-age=31536000, immutable"
"""A year, which is for ever among caches; `immutable` spares them the question (RFC 8246)."""


def cacheable(
    content: bytes,
    media_type: str,
    *,
    cache_control: str,
    etag: str,
    if_none_match: str | None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer under an entity tag (without quotes), 304 where the client named that tag."""
    told = {"Cache-Control": cache_control, "ETag": f'"{etag}"', **(headers or {})}
    if if_none_match is not None and _names(if_none_match, etag):
        return Response(status_code=304, headers=told)
    return Response(content, media_type=media_type, headers=told)


def _names(header: str, etag: str) -> bool:
    """Weak comparison, as RFC 9110 section 13.1.2 has it for If-None-Match."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or f'"{etag}"' in tags
