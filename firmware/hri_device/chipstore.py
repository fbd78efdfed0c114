"""The device record in the secure element itself, for a board that has no file system to write to."""

from . import const
from .certstore import DamagedError, decode
from .errors import CommandError, LockedError
from .link import crc32
from .request import Refusal

# The certificate slot of the hri-device profile: clear and always writable (docs/profile.md).
_SLOT = const(8)
_SLOT_SIZE = const(416)
_HEADER = const(8)
_BLOCK = const(32)


def pack(record, room):
    """Return `record` behind a header, for a store of `room` bytes; Refusal "too-long" where it does not fit.

    Magic "HR", length and CRC-32 (big-endian) of the CBOR that follows.
    """
    body = record.encode()
    size = len(body)
    if size > room - _HEADER:
        raise Refusal("too-long", "certificate: %d bytes in %d" % (size, room - _HEADER))
    return b"HR" + size.to_bytes(2, "big") + crc32(body).to_bytes(4, "big") + body


def packed_size(data, room):
    """Return the size of what `data` begins, header included, or 0; DamagedError where it passes `room`."""
    if data[:2] != b"HR":
        return 0
    size = _HEADER + int.from_bytes(data[2:4], "big")
    if size > room:
        raise DamagedError("record damaged")
    return size


def unpack(data):
    """Return the Record that pack made `data` of; DamagedError where it is no longer whole."""
    return decode(data[_HEADER:], data[4:_HEADER])


class ChipStore:
    """Keeps the record in data slot 8 (416 bytes) of the element, for a board without a writable file system.

    Raises DamagedError where a record cannot be used, Refusal "too-long" where one does not fit, and what the
    element raises.
    """

    def __init__(self, element):
        self._element = element

    def load(self):
        """Return the stored Record, or None where there is none or the data zone is still open."""
        try:
            data = self._element.read_slot(_SLOT, _BLOCK)
        except (CommandError, LockedError):
            return None
        end = packed_size(data, _SLOT_SIZE)
        if not end:
            return None
        if end > _BLOCK:
            data += self._element.read_slot(_SLOT, end - _BLOCK, _BLOCK)
        return unpack(data[:end])

    def save(self, record):
        """Store `record` in place of any other; a loss of power midway is noticed by the CRC."""
        data = pack(record, _SLOT_SIZE)
        data += bytes(-len(data) % _BLOCK)
        # The block with the header last: until then the old header condemns the new body.
        self._element.write_slot(_SLOT, data[_BLOCK:], _BLOCK)
        self._element.write_slot(_SLOT, data[:_BLOCK], 0)
