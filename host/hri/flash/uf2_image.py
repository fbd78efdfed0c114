"""Reads a UF2 file, to refuse one that is damaged or another board's before anything is written.

Source: github.com/microsoft/uf2, section "File format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

BLOCK = 512
_HEADER = struct.Struct("<8I")
_MAGIC = (0x0A324655, 0x9E5D5157)
_MAGIC_END = 0x0AB16F30
_NOT_MAIN_FLASH = 0x00000001
_FAMILY_ID_PRESENT = 0x00002000
_MAX_PAYLOAD = 476
# RP2350-E10: a block of this family, which every bootloader ignores, may come before the image.
_ABSOLUTE = 0xE48BFF57


@dataclass(frozen=True, slots=True)
class Uf2Image:
    """A whole UF2 file and the families that its blocks are for."""

    content: bytes
    families: frozenset[int]

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Check every block; raises ValueError that says what is wrong with which one."""
        if not content or len(content) % BLOCK:
            raise ValueError(f"{len(content)} bytes are no whole number of 512-byte blocks")
        expected: dict[int, int] = {}
        counts: dict[int, int] = {}
        for number, (family, block, count) in enumerate(_blocks(content)):
            if block != expected.get(family, 0) or count != counts.setdefault(family, count):
                raise ValueError(f"block {number} is out of order or one is missing before it")
            expected[family] = block + 1
        for family, seen in expected.items():
            if seen != counts[family] and family != _ABSOLUTE:
                raise ValueError(f"it ends after {seen} of {counts[family]} blocks")
        families = frozenset(expected) - ({_ABSOLUTE} if len(expected) > 1 else set())
        return cls(content, families)


def _blocks(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield family, number and count of each block."""
    for number in range(len(content) // BLOCK):
        block = content[number * BLOCK : (number + 1) * BLOCK]
        first, second, flags, _, size, index, count, family = _HEADER.unpack_from(block)
        end = int.from_bytes(block[-4:], "little")
        if (first, second) != _MAGIC or end != _MAGIC_END or size > _MAX_PAYLOAD:
            raise ValueError(f"block {number} is no uf2 block")
        if not flags & _FAMILY_ID_PRESENT or flags & _NOT_MAIN_FLASH:
            raise ValueError(f"block {number} does not say which microcontroller it is for")
        yield family, index, count
