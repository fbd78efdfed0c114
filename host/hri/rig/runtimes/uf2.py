"""UF2, the file a Pico is flashed with (github.com/microsoft/uf2, section "File format")."""

from __future__ import annotations

import struct

_MAGIC = (0x0A324655, 0x9E5D5157)
_MAGIC_END = 0x0AB16F30
_FAMILY_ID_PRESENT = 0x2000
_PAYLOAD = 256
_BLOCK_DATA = 476
FLASH_BASE = 0x10000000
RP2040_FAMILY = 0xE48BFF56


def from_binary(image: bytes, base: int = FLASH_BASE, family: int = RP2040_FAMILY) -> bytes:
    """Return the UF2 file, 512 bytes a block, that places ``image`` at address ``base``.

    The last block is filled with zeros. Raises ValueError for an empty image.
    """
    if not image:
        raise ValueError("an empty image makes no uf2 file")
    count = -(-len(image) // _PAYLOAD)
    blocks = []
    for number in range(count):
        data = image[number * _PAYLOAD : (number + 1) * _PAYLOAD].ljust(_PAYLOAD, b"\0")
        header = struct.pack(
            "<8I",
            *_MAGIC,
            _FAMILY_ID_PRESENT,
            base + number * _PAYLOAD,
            _PAYLOAD,
            number,
            count,
            family,
        )
        blocks.append(header + data.ljust(_BLOCK_DATA, b"\0") + struct.pack("<I", _MAGIC_END))
    return b"".join(blocks)
