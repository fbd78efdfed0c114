"""DER in which the places of what varies are known, because whoever wrote a length also moved the places.

No position is ever counted by hand: a part knows its fields' offsets within itself, and joining or wrapping
parts moves them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum


class FieldKind(IntEnum):
    """What varies from certificate to certificate; the numbers stand in the device's form of a template."""

    SERIAL_NUMBER = 0
    NOT_BEFORE = 1
    NOT_AFTER = 2
    PUBLIC_KEY = 3
    SUBJECT_KEY_ID = 4
    AUTHORITY_KEY_ID = 5
    SIGNER_ID = 6
    ELEMENT_SERIAL_UPPER = 7
    ELEMENT_SERIAL_LOWER = 8
    KEY_SHA256 = 9
    EUI48 = 10

    @property
    def word(self) -> str:
        """The kind in words, for errors."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Field:
    """One place: `length` octets from `offset`."""

    kind: FieldKind
    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Part:
    """Encoded octets, with zeros where the fields are."""

    data: bytes
    fields: tuple[Field, ...] = ()


def field(kind: FieldKind, length: int) -> Part:
    """Return a part that is one field."""
    return Part(bytes(length), (Field(kind, 0, length),))


def join(*parts: Part | bytes) -> Part:
    """Return parts one after the other."""
    data, fields = b"", []
    for part in parts:
        if isinstance(part, bytes):
            data += part
            continue
        fields += [replace(one, offset=one.offset + len(data)) for one in part.fields]
        data += part.data
    return Part(data, tuple(fields))


def tlv(tag: int, *parts: Part | bytes) -> Part:
    """Return parts under one tag, with the shortest length (X.690 section 10.1)."""
    body = join(*parts)
    size = len(body.data)
    if size < 0x80:
        head = bytes((tag, size))
    else:
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        head = bytes((tag, 0x80 | len(octets))) + octets
    return join(head, body)


def unsigned(raw: bytes) -> bytes:
    """Return the INTEGER of a big-endian unsigned number, in the fewest octets (X.690 section 8.3.2)."""
    raw = raw.lstrip(b"\0")
    return tlv(0x02, raw if raw and raw[0] < 0x80 else b"\0" + raw).data


@dataclass(frozen=True, slots=True)
class Layout:
    """A TBSCertificate with zeros in its fields, and where they are."""

    tbs: bytes
    fields: tuple[Field, ...]

    @property
    def kinds(self) -> frozenset[FieldKind]:
        """What has to be known to fill it."""
        return frozenset(one.kind for one in self.fields)

    def fill(self, values: Mapping[FieldKind, bytes]) -> bytes:
        """Return the TBSCertificate filled in; raises ValueError for a value of another length."""
        tbs = bytearray(self.tbs)
        for one in self.fields:
            value = values[one.kind]
            if len(value) != one.length:
                raise ValueError(f"{one.kind.word} has {one.length} octets, not {len(value)}")
            tbs[one.offset : one.end] = value
        return bytes(tbs)

    def first_difference(self, expected: bytes, given: bytes) -> str:
        """Say in words where two TBSCertificates of this layout part."""
        if len(expected) != len(given):
            return f"{len(given)} octets in place of {len(expected)}"
        at = next(place for place, pair in enumerate(zip(expected, given, strict=True)) if pair[0] != pair[1])
        hit = next((one for one in self.fields if one.offset <= at < one.end), None)
        return f"the {hit.kind.word}" if hit else f"the fixed part, at octet {at}"
