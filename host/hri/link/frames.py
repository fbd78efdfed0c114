"""Frames of the serial protocol, version 1: bytes in, bytes out, no port (docs/protocol.md "Frames")."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from cobs import cobs  # type: ignore[import-untyped]

PROTOCOL_VERSION = 1
MAX_INNER = 4096
_HEADER = 3
_CRC = 4
# COBS adds one byte in front and one for every 254 bytes without a zero.
_MAX_ENCODED = MAX_INNER + MAX_INNER // 254 + 2
_NOISE_KEPT = 4096


class FrameTooLong(ValueError):
    """A request does not fit into the 4096 bytes that a frame may carry."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole, undamaged frame: protocol version, request id (0..65535) and CBOR body."""

    version: int
    request_id: int
    body: bytes


def encode_frame(request_id: int, body: bytes, *, version: int = PROTOCOL_VERSION) -> bytes:
    """Return the bytes on the line for one request, opening and closing 00 included.

    Raises FrameTooLong if version, id, body and CRC-32 exceed 4096 bytes (docs/protocol.md "Frames").
    """
    inner = bytes((version,)) + request_id.to_bytes(2, "big") + body
    if len(inner) + _CRC > MAX_INNER:
        raise FrameTooLong(f"a request of {len(body)} bytes does not fit into a frame of {MAX_INNER}")
    inner += zlib.crc32(inner).to_bytes(4, "big")
    encoded: bytes = cobs.encode(inner)
    return b"\x00" + encoded + b"\x00"


def decode_frame(encoded: bytes) -> Frame | None:
    """Return the frame between two 00 bytes, or None if these bytes are not an undamaged one."""
    try:
        inner: bytes = cobs.decode(encoded)
    except cobs.DecodeError:
        return None
    if not _HEADER + _CRC <= len(inner) <= MAX_INNER:
        return None
    content, crc = inner[:-_CRC], inner[-_CRC:]
    if zlib.crc32(content).to_bytes(_CRC, "big") != crc:
        return None
    return Frame(content[0], int.from_bytes(content[1:3], "big"), content[_HEADER:])


class FrameReader:
    """Cuts a byte stream into frames and keeps the last 4 KiB of everything else as noise."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._noise = bytearray()
        self._overlong = False
        self._noise_seen = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take in what arrived and return the whole frames in it, in order."""
        *closed, rest = data.split(b"\x00")
        frames = []
        for piece in closed:
            self._pending += piece
            frame = None if self._overlong else decode_frame(bytes(self._pending))
            if frame is None:
                self._keep(self._pending)
            else:
                frames.append(frame)
            self._pending.clear()
            self._overlong = False
        self._pending += rest
        if len(self._pending) > _MAX_ENCODED:
            self._keep(self._pending)
            self._pending.clear()
            self._overlong = True
        return iter(frames)

    def noise(self) -> bytes:
        """Return what was last heard outside frames, at most 4 KiB, an unfinished frame included."""
        return bytes(self._noise + self._pending)[-_NOISE_KEPT:]

    @property
    def noise_position(self) -> int:
        """How many bytes of noise were ever heard, so that a caller can ask for what came later."""
        return self._noise_seen + len(self._pending)

    def noise_since(self, position: int) -> bytes:
        """Return the noise heard after `noise_position` was `position`, as far as it is kept."""
        count = self.noise_position - position
        return self.noise()[-count:] if count > 0 else b""

    def reset(self) -> None:
        """Forget an unfinished frame: the port was closed and opened again."""
        self._keep(self._pending)
        self._pending.clear()
        self._overlong = False

    def _keep(self, data: bytes | bytearray) -> None:
        self._noise_seen += len(data)
        self._noise += data
        del self._noise[:-_NOISE_KEPT]
