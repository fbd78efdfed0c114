"""JSON and base64url with one reading each: what a signature covers must not mean two things."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, NoReturn

from .errors import malformed

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def parse(data: bytes, what: str) -> Any:
    """Return the value of UTF-8 JSON without a key given twice and without NaN; raises ManifestError."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise malformed(f"{what} is not JSON: {error}") from error


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """Return a JSON object; raises ManifestError for anything else."""
    value = parse(data, what)
    if not isinstance(value, dict):
        raise malformed(f"{what} is not a JSON object")
    return value


def from_base64url(text: Any, what: str, length: int | None = None) -> bytes:
    """Return the octets of unpadded base64url (RFC 7515 section 2), `length` of them; raises ManifestError.

    An encoding whose last bits are not zero is refused: it would be a second text for the same octets.
    """
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise malformed(f"{what} is not base64url without padding")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise malformed(f"{what} is not base64url: {error}") from error
    if to_base64url(data) != text:
        raise malformed(f"{what} is not the one base64url of its octets")
    if length is not None and len(data) != length:
        raise malformed(f"{what} has {len(data)} octets, not {length}")
    return data


def to_base64url(data: bytes) -> str:
    """Return unpadded base64url (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")
