"""The tester's own bytes on the bus: packets, CRC and replies.

CRC-16 with polynomial 0x8005, bits taken from the least significant on, sent low byte first; word address
03 before a command; a reply is count, data, CRC (ATECC508A data sheet DS20005927A, section "I/O Groups").
"""

from __future__ import annotations

from typing import Protocol

WAKE_LOW_US = 80.0
WORD_COMMAND = 3


class ReplyError(Exception):
    """A reply that breaks the framing of every reply."""


class Bus(Protocol):
    """What the tester needs of an I2C bus."""

    def wake_pulse(self, low_us: float) -> None: ...
    def write(self, address: int, payload: bytes) -> int: ...
    def read(self, address: int, length: int) -> tuple[int, bytes]: ...


def _crc_steps() -> tuple[tuple[int, ...], bytes]:
    table = []
    for top in range(256):
        crc = top << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    mirrored = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
    return tuple(table), mirrored


_STEPS, _MIRRORED = _crc_steps()


def crc16(data: bytes) -> int:
    """Return the CRC of ``data``."""
    crc = 0
    for value in data.translate(_MIRRORED):
        crc = (crc << 8 & 0xFFFF) ^ _STEPS[crc >> 8 ^ value]
    return crc


def packet(opcode: int, param1: int, param2: int, data: bytes) -> bytes:
    """Return the bytes of a command, word address included."""
    body = bytes((len(data) + 7, opcode, param1, param2 & 0xFF, param2 >> 8)) + data
    return bytes((WORD_COMMAND,)) + body + crc16(body).to_bytes(2, "little")


class Line:
    """A chip at an address, spoken to until it answers."""

    def __init__(self, bus: Bus, address: int) -> None:
        self.bus = bus
        self.address = address

    def wake(self) -> None:
        """Wake the chip and take its greeting; raises ReplyError when it is another."""
        self.bus.wake_pulse(WAKE_LOW_US)
        if self._reply() != b"\x11":
            raise ReplyError("the chip did not answer 11 after the wake pulse")

    def exchange(self, wire: bytes) -> bytes:
        """Send a packet and return the reply's data: one status byte, or the answer."""
        if self.bus.write(self.address, wire):
            raise ReplyError("the chip did not take the packet")
        return self._reply()

    def _reply(self) -> bytes:
        for _ in range(100):
            outcome, head = self.bus.read(self.address, 1)
            if outcome == 0:
                break
        else:
            raise ReplyError("the chip never answered")
        count = head[0]
        if not 4 <= count <= 155:
            raise ReplyError(f"a reply cannot count {count} bytes")
        rest = self.bus.read(self.address, count - 1)[1]
        body = head + rest[:-2]
        if crc16(body) != int.from_bytes(rest[-2:], "little"):
            raise ReplyError("the reply's CRC is wrong")
        return body[1:]
