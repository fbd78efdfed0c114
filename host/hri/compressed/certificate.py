"""The 72 bytes themselves (H; named by the public variant pages, O).

```
0-63  r ‖ s        64-66  year 5, month 4, day 5, hour 5, years until the end 5
67-68 signer id    69     template id | chain id
70    serial-number source | format version
71    in formats 1 and 2: year bits 6-5 (7-6), years bits 6-5 (5-4); the rest is zero
```
"""

from __future__ import annotations

from dataclasses import dataclass

from .dates import Validity
from .errors import CompressedError, malformed
from .serial_number import SerialSource

SIZE = 72
# The order of P-256 (SEC 2): r and s are from 1 to one less.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

__all__ = ["SIZE", "CompressedCertificate", "CompressedError"]


@dataclass(frozen=True, slots=True)
class CompressedCertificate:
    """A compressed certificate taken apart: `signature` is r ‖ s (64 bytes), `signer_id` 2 bytes.

    Raises CompressedError for a signature that is not P-256 and for dates out of the format's range.
    """

    signature: bytes
    validity: Validity
    signer_id: bytes
    template_id: int
    chain_id: int
    serial_source: SerialSource
    format_version: int = 0

    def __post_init__(self) -> None:
        if not is_p256_signature(self.signature):
            raise CompressedError(
                "signature-not-p256",
                "the signature is not one of P-256: 32 bytes each of r and s, both below the order",
                "issue with a P-256 key and ecdsa-with-SHA256",
            )
        if len(self.signer_id) != 2:
            raise ValueError("a signer id has two bytes")
        if not 0 <= self.template_id <= 0xF or not 0 <= self.chain_id <= 0xF:
            raise ValueError("template id and chain id are numbers of four bits")
        self.validity.encode(self.format_version)

    @classmethod
    def from_bytes(cls, data: bytes) -> CompressedCertificate:
        """Read the 72 bytes; raises CompressedError unless `to_bytes` would give the same again."""
        if len(data) != SIZE:
            raise malformed(f"it has {len(data)} bytes, not {SIZE}")
        if not is_p256_signature(data[:64]):
            raise malformed("its first 64 bytes are no P-256 signature")
        try:
            source = SerialSource(data[70] >> 4)
        except ValueError:
            raise malformed(f"its serial-number source {data[70] >> 4:#x} is unknown") from None
        version = data[70] & 0xF
        read = cls(
            signature=data[:64],
            validity=Validity.decode(data[64:67], data[71], version),
            signer_id=data[67:69],
            template_id=data[69] >> 4,
            chain_id=data[69] & 0xF,
            serial_source=source,
            format_version=version,
        )
        if read.to_bytes() != data:
            raise malformed(f"reserved bits are set in its last byte, {data[71]:#04x}")
        return read

    def to_bytes(self) -> bytes:
        """Return the 72 bytes."""
        dates, extension = self.validity.encode(self.format_version)
        ids = bytes(
            (
                self.template_id << 4 | self.chain_id,
                self.serial_source << 4 | self.format_version,
                extension,
            )
        )
        return self.signature + dates + self.signer_id + ids

    @property
    def encoded_dates(self) -> bytes:
        """What a hashed serial number covers: 3 bytes, and in formats 1 and 2 the bits in byte 71 (H)."""
        dates, extension = self.validity.encode(self.format_version)
        return dates if self.format_version == 0 else dates + bytes((extension,))


def is_p256_signature(raw: bytes) -> bool:
    """Say whether 64 bytes r ‖ s can be a signature of P-256 at all."""
    if len(raw) != 64:
        return False
    return all(0 < int.from_bytes(half, "big") < _ORDER for half in (raw[:32], raw[32:]))
