"""Deterministic CBOR (RFC 8949 section 4.2.1): exactly the part that the protocol uses, and nothing else.

Values are int (64-bit), bytes, str, list or tuple, dict, bool, None and Tag. `decode` accepts exactly what
`encode` writes, so a value has one encoding and a digest over it means one thing.
"""

try:
    from micropython import const
except ImportError:
    const = int

_UINT = const(0)
_NEGINT = const(1)
_BYTES = const(2)
_TEXT = const(3)
_ARRAY = const(4)
_MAP = const(5)
_TAG = const(6)
_SIMPLE = const(7)

_FALSE = const(0xF4)
_TRUE = const(0xF5)
_NULL = const(0xF6)

_MAX_DEPTH = const(8)


class Tag:
    """A tagged value (RFC 8949 section 3.4)."""

    def __init__(self, number, value):
        self.number = number
        self.value = value


def head(out, major, argument):
    """Append the head of a data item to bytearray `out`; ValueError beyond 64 bits (RFC 8949 section 3)."""
    major <<= 5
    if argument < 24:
        out.append(major | argument)
    elif argument < 0x100:
        out.append(major | 24)
        out.append(argument)
    elif argument < 0x10000:
        out.append(major | 25)
        out.append(argument >> 8)
        out.append(argument & 0xFF)
    elif argument >> 64:
        raise ValueError("cbor: integer beyond 64 bits")
    else:
        size = 8 if argument >> 32 else 4
        out.append(major | (27 if size == 8 else 26))
        out += argument.to_bytes(size, "big")


def encode_into(out, value):
    """Append the encoding of `value` to bytearray `out`; TypeError for what the protocol has no use for."""
    # bool before int: True is an int to Python and a simple value to CBOR.
    if value is None:
        out.append(_NULL)
    elif value is True:
        out.append(_TRUE)
    elif value is False:
        out.append(_FALSE)
    elif isinstance(value, int):
        if value < 0:
            head(out, _NEGINT, -1 - value)
        else:
            head(out, _UINT, value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        head(out, _BYTES, len(value))
        out += value
    elif isinstance(value, str):
        raw = value.encode()
        head(out, _TEXT, len(raw))
        out += raw
    elif isinstance(value, (list, tuple)):
        head(out, _ARRAY, len(value))
        for item in value:
            encode_into(out, item)
    elif isinstance(value, dict):
        head(out, _MAP, len(value))
        for raw, key in sorted([(encode(key), key) for key in value]):
            out += raw
            encode_into(out, value[key])
    elif isinstance(value, Tag):
        head(out, _TAG, value.number)
        encode_into(out, value.value)
    else:
        raise TypeError("cbor: cannot encode %s" % type(value).__name__)


def encode(value):
    """Return the one encoding of `value` as bytes."""
    out = bytearray()
    encode_into(out, value)
    return bytes(out)


class _Reader:
    def __init__(self, data):
        self.data = memoryview(data)
        self.at = 0

    def take(self, size):
        end = self.at + size
        # Before anything is allocated: a lying length costs nothing.
        if end > len(self.data):
            raise ValueError("cbor: truncated")
        part = self.data[self.at : end]
        self.at = end
        return part

    def argument(self, info):
        if info < 24:
            return info
        if info > 27:
            raise ValueError("cbor: indefinite or reserved length")
        size = 1 << (info - 24)
        value = int.from_bytes(self.take(size), "big")
        if value < (24 if size == 1 else 1 << (size << 2)):
            raise ValueError("cbor: not the shortest form")
        return value

    def item(self, depth):
        if depth > _MAX_DEPTH:
            raise ValueError("cbor: nested too deeply")
        first = self.take(1)[0]
        major = first >> 5
        if major == _SIMPLE:
            if first == _NULL:
                return None
            if first == _TRUE or first == _FALSE:
                return first == _TRUE
            raise ValueError("cbor: unknown simple value or float")
        argument = self.argument(first & 0x1F)
        if major == _UINT:
            return argument
        if major == _NEGINT:
            return -1 - argument
        if major == _BYTES:
            return bytes(self.take(argument))
        if major == _TEXT:
            return str(self.take(argument), "utf-8")
        if major == _TAG:
            return Tag(argument, self.item(depth + 1))
        # Every item has at least one byte, so a count beyond what is left lies.
        if argument * (2 if major == _MAP else 1) > len(self.data) - self.at:
            raise ValueError("cbor: truncated")
        if major == _ARRAY:
            return [self.item(depth + 1) for _ in range(argument)]
        return self.map(argument, depth + 1)

    def map(self, size, depth):
        result = {}
        last = b""
        for _ in range(size):
            start = self.at
            key = self.item(depth)
            if isinstance(key, bool) or not isinstance(key, (int, str, bytes)):
                raise ValueError("cbor: map key of a type not allowed")
            raw = bytes(self.data[start : self.at])
            # Rising order leaves no room for the same key twice.
            if raw <= last:
                raise ValueError("cbor: map keys repeated or out of order")
            last = raw
            result[key] = self.item(depth)
        return result


def decode(data):
    """Return the value of the one data item that `data` (bytes-like) is; ValueError for anything else.

    Refused: indefinite lengths, floats, integers and lengths not in their shortest form, map keys repeated or out
    of order, nesting beyond 8, bytes after the item (RFC 8949 sections 4.2.1 and 5.3.1).
    """
    reader = _Reader(data)
    value = reader.item(0)
    if reader.at != len(reader.data):
        raise ValueError("cbor: bytes after the item")
    return value
