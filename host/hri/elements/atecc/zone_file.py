"""A configuration zone as people keep it: raw bytes, or hex digits as tools and data sheets print them."""

from __future__ import annotations

import re

_DIGITS = re.compile(rb"[0-9A-Fa-f]+")
_BETWEEN = re.compile(rb"[\s,;:{}()\[\]\"'\\]+")


def read_zone(data: bytes) -> bytes:
    """Return the bytes of a configuration: those of hex digits if the text is nothing but hex, else `data`.

    Hex may stand as 01 23, 0x01, 0x23 or 0123, with the punctuation of a C array, or of a Python bytes
    literal's text. How many bytes there are is for `lint` to judge.
    """
    pieces = [piece for piece in _BETWEEN.split(data) if piece]
    digits = b"".join(piece[2:] if piece[:2] in (b"0x", b"0X") else piece for piece in pieces)
    if pieces and len(digits) % 2 == 0 and all(_is_hex(piece) for piece in pieces):
        return bytes.fromhex(digits.decode("ascii"))
    return data


def _is_hex(piece: bytes) -> bool:
    digits = piece[2:] if piece[:2] in (b"0x", b"0X") else piece
    return (
        len(digits) % 2 == 0
        and bool(digits)
        and all(chr(byte) in "0123456789abcdefABCDEF" for byte in digits)
    )
