"""What the bytes of an ATECC608's input and output buffers say.

Sources: ATECC508A data sheet DS20005927A, "I/O Groups", "Command Packets", "Status/Error Codes"; the 608
variant pages repeat them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hri.rig.atecc.packet import crc16
from hri.rig.trace import modes

WAKE_REPLY = bytes.fromhex("04113343")
RESET, SLEEP, IDLE, COMMAND = range(4)
WORD_ADDRESSES = {RESET: "reset", SLEEP: "sleep", IDLE: "idle", COMMAND: "command"}
_LEAST = 7
_STATUS_SIZE = 4
_STATUS = {
    0x00: "success",
    0x01: "miscompare",
    0x03: "parse error",
    0x05: "ECC fault",
    0x07: "self-test failed",
    0x08: "health test failed",
    0x0F: "execution error",
    0x11: "woken",
    0xEE: "watchdog about to expire",
    0xFF: "CRC or communication error",
}
# No error code, or none that could be a map of failed tests.
_ERRORS_OF_SELFTEST = (0x03, 0x0F, 0xEE, 0xFF)
_SELFTEST, _INFO, _COUNTER = 0x77, 0x30, 0x24
_PAYLOADS = {
    0x08: "digest",
    0x16: "RandOut",
    0x1B: "random number",
    0x40: "public key",
    0x41: "signature",
    0x43: "secret",
    0x45: "MAC",
    0x80: "MAC",
}
_FIELDS = ("word address", "count", "opcode", "Param1", "Param2", "Param2")
_REVISIONS = {0x00006002: "ATECC608A", 0x00006003: "ATECC608B", 0x00005000: "ATECC508A"}


def _crc_good(group: bytes) -> bool:
    return len(group) > 2 and crc16(group[:-2]) == int.from_bytes(group[-2:], "little")


@dataclass(frozen=True, slots=True)
class Command:
    """A command packet as it was written, without its word address; torn or damaged perhaps."""

    raw: bytes

    @property
    def whole(self) -> bool:
        """Whether as many bytes came as the count says, and enough for a command."""
        return len(self.raw) >= _LEAST and len(self.raw) == self.raw[0]

    @property
    def crc_good(self) -> bool:
        """Whether the packet is whole and its CRC right."""
        return self.whole and _crc_good(self.raw)

    @property
    def opcode(self) -> int | None:
        """The opcode, None where the packet ends before it."""
        return self.raw[1] if len(self.raw) > 1 else None

    @property
    def data(self) -> bytes:
        """What stands between the parameters and the CRC."""
        return self.raw[5:-2] if self.whole else self.raw[5:]

    @property
    def name(self) -> str:
        """The command's name, ``torn command`` where not even the opcode came."""
        return "torn command" if self.opcode is None else modes.name(self.opcode)

    @property
    def mode(self) -> str:
        """The parameters in words; what came of them, in bytes, where they are torn."""
        if self.opcode is None:
            return self.raw.hex()
        if len(self.raw) < 5:
            return f"torn: {self.raw.hex()}"
        return modes.mode(self.opcode, self.raw[2], int.from_bytes(self.raw[3:5], "little"), self.data)

    @property
    def words(self) -> str:
        """Name and parameters: ``GenKey create, digest into TempKey, slot 0``."""
        return f"{self.name} {self.mode}".strip()

    @property
    def fault(self) -> str | None:
        """What is wrong with the packet, None for nothing."""
        if not self.whole:
            return f"torn: {len(self.raw)} of {self.raw[0]} bytes" if self.raw else "torn: no bytes"
        return None if self.crc_good else "CRC wrong"


def field_of(index: int, length: int) -> str:
    """Return what byte ``index`` of a written command is, its word address being byte 0 of ``length``."""
    if index < len(_FIELDS):
        return _FIELDS[index]
    return "CRC" if index >= length - 2 else f"data byte {index - len(_FIELDS)}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was read of an output buffer, over one read or several, padding at its end left out."""

    raw: bytes

    @classmethod
    def of(cls, read: bytes) -> Reply:
        """Return the reply in ``read``: as many bytes as its count says, or all there are."""
        return cls(read[: read[0]] if read and _STATUS_SIZE <= read[0] <= len(read) else read)

    @property
    def whole(self) -> bool:
        """Whether as many bytes came as the count says."""
        return len(self.raw) >= _STATUS_SIZE and len(self.raw) == self.raw[0]

    @property
    def crc_good(self) -> bool:
        """Whether the reply is whole and its CRC right."""
        return self.whole and _crc_good(self.raw)

    @property
    def payload(self) -> bytes:
        """What stands between count and CRC; all there is, where the reply is torn."""
        return self.raw[1:-2] if self.whole else self.raw

    @property
    def status(self) -> int | None:
        """The byte of a four-byte reply, None for any other."""
        return self.raw[1] if self.whole and len(self.raw) == _STATUS_SIZE else None

    @property
    def fault(self) -> str | None:
        """What is wrong with the reply, None for nothing."""
        if self.raw and not self.raw.strip(b"\xff"):
            return "nothing, all FF"
        if not self.whole:
            return f"torn: {len(self.raw)} of {self.raw[0]} bytes" if self.raw else "torn: no bytes"
        return None if self.crc_good else "CRC wrong"


def status_words(status: int) -> str:
    """Return what a status code means."""
    return _STATUS.get(status, f"status {status:02x}")


def reply_words(reply: Reply, command: Command | None = None) -> str:
    """Return what a reply says: its status in words, or what its payload is."""
    if reply.fault is not None:
        return reply.fault
    opcode = command.opcode if command is not None else None
    if reply.status is not None:
        if opcode == _SELFTEST and reply.status not in _ERRORS_OF_SELFTEST:
            return f"failed: {modes.self_tests(reply.status)}" if reply.status else "no failures"
        return status_words(reply.status)
    if opcode == _COUNTER and len(reply.payload) == 4:
        return f"count {int.from_bytes(reply.payload, 'little')}"
    if opcode == _INFO and command is not None and command.raw[2:3] == b"\0":
        return _REVISIONS.get(int.from_bytes(reply.payload, "big"), "revision")
    return f"{_PAYLOADS.get(opcode or 0, 'data')}, {len(reply.payload)} bytes"


def succeeded(reply: Reply, command: Command | None = None) -> bool:
    """Return whether a reply is an undamaged success."""
    if not reply.crc_good:
        return False
    if command is not None and command.opcode == _SELFTEST:
        return reply.status == 0
    return reply.status in (None, 0)
