"""Groups on the wire: count, packet, CRC-16; and the status codes of a four-byte reply.

Source: ATECC508A data sheet DS20005927A, "I/O Groups", "Command Packets", "Status/Error Codes"; the
608 variant pages repeat them.
"""

from __future__ import annotations

from enum import IntEnum

MIN_COUNT = 7
"""Count, opcode, Param1, Param2 (2), CRC (2)."""
MAX_COUNT = 7 + 155
"""Data is at most 155 bytes (ATECC608A-TFLXTLS, "Command Packets")."""


class Status(IntEnum):
    """The byte of a four-byte reply."""

    SUCCESS = 0x00
    MISCOMPARE = 0x01
    PARSE_ERROR = 0x03
    ECC_FAULT = 0x05
    SELF_TEST = 0x07
    HEALTH_TEST = 0x08
    EXECUTION_ERROR = 0x0F
    AFTER_WAKE = 0x11
    WATCHDOG = 0xEE
    CRC_ERROR = 0xFF


def _crc_table() -> tuple[int, ...]:
    table = []
    for index in range(256):
        # The shift register takes the least significant bit of each byte first.
        crc = int(f"{index:08b}"[::-1], 2) << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_TABLE = _crc_table()


def crc16(data: bytes | bytearray, crc: int = 0) -> int:
    """Return the CRC-16 of ``data``: polynomial 0x8005, initially 0, bits of a byte from the lowest up."""
    table, reverse = _TABLE, _REVERSED
    for value in data:
        # The table is indexed by the byte as it came, the register's top half by its mirror image.
        crc = (crc & 0xFF) << 8 ^ table[value ^ reverse[crc >> 8]]
    return crc


def group(payload: bytes) -> bytes:
    """Return ``payload`` between its count byte and its CRC, as the chip sends it."""
    body = bytes((len(payload) + 3,)) + payload
    return body + crc16(body).to_bytes(2, "little")


STATUS_GROUPS = {status: group(bytes((status,))) for status in Status}
