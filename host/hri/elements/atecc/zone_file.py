"""A configuration zone as people keep it: raw bytes, hex digits as tools print them, or JSON."""

from __future__ import annotations

import json
import re

_BETWEEN = re.compile(rb"[\s,;:{}()\[\]\"'\\]+")
_PIECE = re.compile(rb"(?:0[xX])?((?:[0-9A-Fa-f]{2})+)")
# The offset that dumps print before each row, and the comments of a C array.
_NOISE = re.compile(
    rb"^[ \t]*(?:\[ *[0-9A-Fa-f]{1,4}\]|[0-9A-Fa-f]{1,8}:)[ \t]|/\*.*?\*/|//[^\n]*|#[^\n]*", re.M | re.S
)


def read_zone(data: bytes) -> bytes:
    """Return the bytes of a configuration: those of hex digits if the text is nothing but hex, else `data`.

    Hex may stand as 01 23, 0x01, 0x23 or 0123, with the punctuation of a C array or of a Python bytes
    literal's text, comments, and an offset before each row. What `hri chip info --json` printed is read too.
    How many bytes there are is for `lint` to judge.
    """
    found = [
        _PIECE.fullmatch(piece) for piece in _BETWEEN.split(_NOISE.sub(b" ", _hex_of_json(data))) if piece
    ]
    digits = [match[1] for match in found if match]
    if not digits or len(digits) < len(found):
        return data
    return bytes.fromhex(b"".join(digits).decode("ascii"))


def _hex_of_json(data: bytes) -> bytes:
    """The `config` of a JSON object; anything else is returned as it is."""
    if not data.lstrip().startswith(b"{"):
        return data
    try:
        config = json.loads(data)["config"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return data
    return config.encode() if isinstance(config, str) else data
