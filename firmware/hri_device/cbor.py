"""Deterministic CBOR (RFC 8949 section 4.2.1): exactly the part that the protocol uses, and nothing else.

Values are int (64-bit), bytes, str, list or tuple, dict, bool and None. `decode` accepts exactly what
`encode` writes, so a value has one encoding and a digest over it means one thing.
"""

# A built-in name is found by walking a list at every use, a name of the module by its hash.
from builtins import bytes, isinstance, len, str

from . import const

_UINT = const(0)
_NEGINT = const(1)
_BYTES = const(2)
_TEXT = const(3)
_ARRAY = const(4)
_MAP = const(5)

_FALSE = const(0xF4)
_NULL = const(0xF6)

_MAX_DEPTH = const(8)


def head(out, major, argument):
    """Append the head of a data item to bytearray `out`; ValueError beyond 64 bits (RFC 8949 section 3)."""
    major <<= 5
    if argument < 24:
        out.append(major | argument)
        return
    size = 1
    while argument >> 8 * size:
        size *= 2
        major += 1
    if size > 8:
        raise ValueError("cbor: over 64 bits")
    out.append(major + 24)
    out += argument.to_bytes(size, "big")


def encode_into(out, value):
    """Append the encoding of `value` to bytearray `out`; TypeError for what the protocol has no use for."""
    if isinstance(value, str):
        value = value.encode()
        head(out, _TEXT, len(value))
        out += value
    elif isinstance(value, bytes):
        head(out, _BYTES, len(value))
        out += value
    # bool before int: True is an int to Python and a simple value to CBOR.
    elif value is None or value is True or value is False:
        out.append(_NULL if value is None else _FALSE + value)
    elif isinstance(value, int):
        if value < 0:
            head(out, _NEGINT, -1 - value)
        else:
            head(out, _UINT, value)
    elif isinstance(value, dict):
        head(out, _MAP, len(value))
        for raw, key in sorted([(encode(key), key) for key in value]):
            out += raw
            encode_into(out, value[key])
    elif isinstance(value, (list, tuple)):
        head(out, _ARRAY, len(value))
        for item in value:
            encode_into(out, item)
    else:
        raise TypeError("cbor: %s" % type(value))


def encode(value):
    """Return the one encoding of `value` as bytes."""
    out = bytearray()
    encode_into(out, value)
    return bytes(out)


class _Reader:
    def __init__(self, data):
        self.data = memoryview(data)
        self.end = len(data)
        self.at = 0

    def take(self, size):
        at = self.at
        self.at = end = at + size
        # Before anything is allocated: a lying length costs nothing.
        if end > self.end:
            raise ValueError("cbor: truncated")
        return self.data[at:end]

    def item(self, depth):
        # Not by take: the head of an item is where the time goes.
        at = self.at
        if at == self.end:
            raise ValueError("cbor: truncated")
        first = self.data[at]
        self.at = at + 1
        if first >= _FALSE:
            if first > _NULL:
                raise ValueError("cbor: type")
            return (False, True, None)[first - _FALSE]
        major = first >> 5
        argument = first & 31
        if argument > 23:
            size = 1 << argument - 24
            if size > 8:
                raise ValueError("cbor: length")
            argument = int.from_bytes(self.take(size), "big")
            if argument < (24 if size == 1 else 1 << 4 * size):
                raise ValueError("cbor: not shortest")
        if major == _UINT:
            return argument
        if major == _NEGINT:
            return -1 - argument
        if major == _BYTES:
            return bytes(self.take(argument))
        if major == _TEXT:
            return str(self.take(argument), "utf-8")
        # Every item has at least one byte, so a count beyond what is left lies.
        if major > _MAP or depth == _MAX_DEPTH or argument > self.end - self.at:
            raise ValueError("cbor: tag, depth, count")
        if major == _ARRAY:
            return [self.item(depth + 1) for _ in range(argument)]
        return self.map(argument, depth + 1)

    def map(self, size, depth):
        result = {}
        last = b""
        for _ in range(size):
            start = self.at
            key = self.item(depth)
            raw = bytes(self.data[start : self.at])
            # Rising order leaves no room for the same key twice. Keys are integers, byte or text strings.
            if raw <= last or raw[0] >> 5 > _TEXT:
                raise ValueError("cbor: map key")
            last = raw
            result[key] = self.item(depth)
        return result


def decode(data):
    """Return the value of the one data item that `data` (bytes-like) is; ValueError for anything else.

    Refused: indefinite lengths, floats, tags, integers and lengths not in their shortest form, map keys
    repeated or out of order, arrays and maps nested deeper than 8, bytes after the item (RFC 8949 sections
    4.2.1, 5.3.1).
    """
    reader = _Reader(data)
    value = reader.item(0)
    if reader.at != reader.end:
        raise ValueError("cbor: trailing bytes")
    return value
