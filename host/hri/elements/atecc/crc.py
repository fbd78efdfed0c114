"""The ATECC checksum (DS20005927A, CRC-16; a wake is answered by 04 11 33 43)."""

from __future__ import annotations

_POLYNOMIAL = 0x8005


def crc16(data: bytes) -> int:
    """CRC-16, polynomial 0x8005, start 0, least significant bit of each byte first; sent low byte first."""
    crc = 0
    for byte in data:
        for bit in range(8):
            carry = crc >> 15 ^ (byte >> bit & 1)
            crc = crc << 1 & 0xFFFF
            if carry:
                crc ^= _POLYNOMIAL
    return crc
