"""Where the serial number of a rebuilt certificate comes from (H: serial-number source, four bits)."""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256

from .errors import CompressedError


class SerialSource(IntEnum):
    """The four bits, and in words what they stand for; the last four are deprecated by the vendor (H)."""

    STORED = 0x0
    STORED_DYNAMIC = 0x7
    ELEMENT_SERIAL = 0x8
    SIGNER_ID = 0x9
    KEY_HASH = 0xA
    ELEMENT_SERIAL_HASH = 0xB
    KEY_HASH_POSITIVE = 0xC
    ELEMENT_SERIAL_HASH_POSITIVE = 0xD
    KEY_HASH_RAW = 0xE
    ELEMENT_SERIAL_HASH_RAW = 0xF

    @property
    def word(self) -> str:
        """The name in a template's YAML."""
        return self.name.lower().replace("_", "-")

    @property
    def length(self) -> int | None:
        """Octets of the serial number, where the source fixes them."""
        return {SerialSource.ELEMENT_SERIAL: 10, SerialSource.SIGNER_ID: 3}.get(self)

    @property
    def stored(self) -> bool:
        """Whether the number has to be kept somewhere, because nothing gives it."""
        return self in (SerialSource.STORED, SerialSource.STORED_DYNAMIC)

    @property
    def of_element(self) -> bool:
        """Whether the chip's own serial number goes into it."""
        return self in _OF_ELEMENT


_OF_KEY = (SerialSource.KEY_HASH, SerialSource.KEY_HASH_POSITIVE, SerialSource.KEY_HASH_RAW)
_OF_ELEMENT = (
    SerialSource.ELEMENT_SERIAL,
    SerialSource.ELEMENT_SERIAL_HASH,
    SerialSource.ELEMENT_SERIAL_HASH_POSITIVE,
    SerialSource.ELEMENT_SERIAL_HASH_RAW,
)
_TOP_BITS_01 = (SerialSource.KEY_HASH, SerialSource.ELEMENT_SERIAL_HASH)
_POSITIVE = (SerialSource.KEY_HASH_POSITIVE, SerialSource.ELEMENT_SERIAL_HASH_POSITIVE)


def serial_number(
    source: SerialSource,
    length: int,
    *,
    public_key: bytes,
    encoded_dates: bytes,
    signer_id: bytes,
    element_serial: bytes | None,
    stored: bytes | None,
) -> bytes:
    """Return the octets of the INTEGER, `length` of them.

    `public_key` is X ‖ Y (64 bytes), `encoded_dates` 3 bytes in format 0 and 4 in the others (the last with
    its low four bits clear), `element_serial` the chip's 9 bytes, `stored` what a stored source keeps.

    Raises CompressedError where the source lacks its input, or where what it gives is no positive INTEGER
    in its shortest form (X.690 section 8.3.2).
    """
    if source.stored:
        number = _needed(stored, "the stored serial number", source)
    elif source is SerialSource.SIGNER_ID:
        number = b"\x40" + signer_id
    elif source is SerialSource.ELEMENT_SERIAL:
        number = b"\x40" + _needed(element_serial, "the chip's serial number", source)
    else:
        of = public_key if source in _OF_KEY else _needed(element_serial, "the chip's serial number", source)
        number = _marked(sha256(of + encoded_dates).digest()[:length], source)
    if len(number) != length:
        raise _unfit(f"the serial number has {len(number)} octets, and the template {length}")
    if number[0] & 0x80 or (number[0] == 0 and (len(number) == 1 or number[1] < 0x80)):
        raise _unfit(
            f"the source {source.word} gives {number.hex()}, no positive INTEGER in its shortest form"
        )
    return number


def _marked(number: bytes, source: SerialSource) -> bytes:
    first = number[0]
    if source in _TOP_BITS_01:
        first = first & 0x3F | 0x40
    elif source in _POSITIVE:
        first &= 0x7F
    return bytes((first,)) + number[1:]


def _needed(value: bytes | None, what: str, source: SerialSource) -> bytes:
    if value is None:
        raise _unfit(f"the source {source.word} needs {what}, which was not given")
    return value


def _unfit(message: str) -> CompressedError:
    return CompressedError(
        "serial-number-not-representable",
        message,
        "issue with the serial number that the template's source gives",
    )
