"""The 72 bytes in which a slot keeps what a certificate template does not say.

Sources: ATECC Compressed Certificate Definition, 8974A; the page "Certificate Storage" of the variants (O);
the vendor's public declarations of certificate definitions (H).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

SIZE = 72
_FORMAT_0, _SERIAL_FROM_PUBLIC_KEY = 0x0, 0xA
_FIRST_YEAR, _LAST_YEAR = 2000, 2031


def encode_dates(issued: datetime, years: int) -> bytes:
    """Return the three bytes of format 0: year, month, day, hour and years, 5, 4, 5, 5 and 5 bits.

    Raises ValueError outside 2000-2031 or 0-31 years, or where ``issued`` is not on the hour.
    """
    if not _FIRST_YEAR <= issued.year <= _LAST_YEAR or not 0 <= years <= 31:
        raise ValueError("format 0 holds dates from 2000 to 2031 and up to 31 years; give an earlier date")
    if issued.minute or issued.second or issued.microsecond:
        raise ValueError("a compressed certificate is issued on the hour")
    packed = issued.year - _FIRST_YEAR
    for value, bits in ((issued.month, 4), (issued.day, 5), (issued.hour, 5), (years, 5)):
        packed = packed << bits | value
    return packed.to_bytes(3, "big")


def decode_dates(encoded: bytes) -> tuple[datetime, int]:
    """Return when (UTC) and for how many years; raises ValueError for a date that no calendar has."""
    packed = int.from_bytes(encoded, "big")
    issued = datetime(
        _FIRST_YEAR + (packed >> 19), packed >> 15 & 0xF, packed >> 10 & 0x1F, packed >> 5 & 0x1F, tzinfo=UTC
    )
    return issued, packed & 0x1F


def serial_number(public_key: bytes, issued: datetime, years: int) -> int:
    """Return the serial number by source A: a hash of X, Y and the dates, 16 bytes, top bits 01 (H)."""
    digest = bytearray(hashlib.sha256(public_key + encode_dates(issued, years)).digest()[:16])
    digest[0] = digest[0] & 0x3F | 0x40
    return int.from_bytes(digest, "big")


@dataclass(frozen=True, slots=True)
class CompressedCertificate:
    """Signature (R and S, 64 bytes), dates, signer and template of one certificate, in format 0."""

    signature: bytes
    issued: datetime
    years: int
    signer_id: int
    template_id: int
    chain_id: int = 0

    def to_bytes(self) -> bytes:
        """Return the 72 bytes; raises ValueError where a date does not fit."""
        return (
            self.signature
            + encode_dates(self.issued, self.years)
            + self.signer_id.to_bytes(2, "big")
            + bytes((self.template_id << 4 | self.chain_id, _SERIAL_FROM_PUBLIC_KEY << 4 | _FORMAT_0, 0))
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> CompressedCertificate:
        """Return what 72 bytes of format 0 and serial number source A say; raises ValueError for others."""
        if len(data) != SIZE:
            raise ValueError(f"a compressed certificate is {SIZE} bytes, not {len(data)}")
        if data[70] != _SERIAL_FROM_PUBLIC_KEY << 4 | _FORMAT_0:
            raise ValueError(f"only format 0 with serial number source A is made here, not {data[70]:02x}")
        issued, years = decode_dates(data[64:67])
        signer_id = int.from_bytes(data[67:69], "big")
        return cls(data[:64], issued, years, signer_id, data[69] >> 4, data[69] & 0xF)
