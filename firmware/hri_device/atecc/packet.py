"""Bytes on the wire: CRC-16, command packets, replies (508A datasheet DS20005927A, "I/O groups")."""

from array import array

from .. import const
from ..errors import CommandError, PacketError

_COMMAND = const(0x03)
_STATUS_LENGTH = const(4)

_NIBBLE_REVERSED = b"\x00\x08\x04\x0c\x02\x0a\x06\x0e\x01\x09\x05\x0d\x03\x0b\x07\x0f"


def _make_table():
    # The CRC of a byte is linear in its bits: eight shifts and 255 exclusive-ors make the whole table.
    table = array("H", bytes(512))
    crc = 1
    step = 128
    while step:
        crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        for index in range(0, 256, 2 * step):
            table[index + step] = table[index] ^ crc
        step >>= 1
    return table


_TABLE = _make_table()


def crc16(data):
    """Return the chip's CRC-16 of `data`: polynomial 0x8005, start 0, bits taken LSB first.

    On the wire its low byte goes first (508A datasheet, "CRC").
    """
    table = _TABLE
    crc = 0
    # A view is slower to walk than a copy of it.
    for byte in bytes(data):
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    # The table works on the mirrored register, which needs no bit reversal per byte.
    mirror = _NIBBLE_REVERSED
    return (
        mirror[crc & 15] << 12 | mirror[crc >> 4 & 15] << 8 | mirror[crc >> 8 & 15] << 4 | mirror[crc >> 12]
    )


def build(packet, opcode, param1, param2, data):
    """Write a command packet, word address first, into the buffer `packet` and return its length.

    Layout: 03, count, opcode, param1, param2 (LE), data, CRC (LE); the count and the CRC leave out the 03.
    """
    count = 7 + len(data)
    packet[0] = _COMMAND
    packet[1] = count
    packet[2] = opcode
    packet[3] = param1
    packet[4] = param2 & 0xFF
    packet[5] = param2 >> 8
    packet[6 : count - 1] = data
    crc = crc16(memoryview(packet)[1 : count - 1])
    packet[count - 1] = crc & 0xFF
    packet[count] = crc >> 8
    return count + 1


def parse(reply, size, opcode):
    """Return the `size` bytes that the view `reply` carries, b"" where a bare success was due (size 0).

    A negative size takes what there is. Raises CommandError with the chip's status, and PacketError for a
    wrong count or CRC.
    """
    count = reply[0]
    if not _STATUS_LENGTH <= count <= len(reply):
        raise PacketError("command %02x: bad length %d" % (opcode, count))
    if crc16(reply[: count - 2]) != reply[count - 2] | reply[count - 1] << 8:
        raise PacketError("command %02x: wrong CRC" % opcode)
    if count == _STATUS_LENGTH:
        if reply[1] or size:
            raise CommandError(reply[1], opcode)
        return b""
    if count != size + 3 and size >= 0:
        raise PacketError("command %02x: bad length %d" % (opcode, count))
    return bytes(reply[1 : count - 2])
