"""DER (X.690): the few structures that a request for a certificate is made of."""

try:
    from micropython import const
except ImportError:
    const = int

_INTEGER = const(0x02)
_BIT_STRING = const(0x03)
_UTF8_STRING = const(0x0C)
_PRINTABLE_STRING = const(0x13)
_SEQUENCE = const(0x30)
_SET = const(0x31)

_PRINTABLE = " '()+,-./:=?"

# id-ecPublicKey with prime256v1 (RFC 5480 section 2), then the head of an uncompressed point.
_P256_SPKI = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04"


def _attribute(name):
    # Last arc under id-at (2.5.4), least and greatest length in characters (X.520 annex C), PrintableString?
    # A lookup in code, not a dict: a module-level dict would stay in RAM between two requests.
    if name == "CN":
        return 3, 1, 64, False
    if name == "serialNumber":
        return 5, 1, 64, True
    if name == "C":
        return 6, 2, 2, True
    if name == "L":
        return 7, 1, 128, False
    if name == "ST":
        return 8, 1, 128, False
    if name == "O":
        return 10, 1, 64, False
    if name == "OU":
        return 11, 1, 64, False
    raise ValueError("subject: %s is not an attribute this device writes" % name)


def tlv(tag, *parts):
    """Return `parts` joined under one tag, with the shortest length (X.690 section 10.1)."""
    size = sum(len(part) for part in parts)
    out = bytearray((tag,))
    if size < 0x80:
        out.append(size)
    else:
        octets = 1 if size < 0x100 else 2
        out.append(0x80 | octets)
        out += size.to_bytes(octets, "big")
    for part in parts:
        out += part
    return bytes(out)


def sequence(*parts):
    """Return a SEQUENCE of the encoded `parts`."""
    return tlv(_SEQUENCE, *parts)


def unsigned(raw):
    """Return the INTEGER for big-endian unsigned `raw`, in the fewest octets (X.690 section 8.3.2)."""
    start = 0
    while start < len(raw) - 1 and raw[start] == 0:
        start += 1
    # An octet with its high bit set would read as a negative number.
    return tlv(_INTEGER, b"\0" if raw[start] & 0x80 else b"", raw[start:])


def bit_string(data):
    """Return a BIT STRING of whole octets."""
    return tlv(_BIT_STRING, b"\0", data)


def signature(raw):
    """Return the Ecdsa-Sig-Value for a 64-byte r || s (RFC 3279 section 2.2.3)."""
    if len(raw) != 64:
        raise ValueError("signature: r and s are 32 bytes each")
    return sequence(unsigned(raw[:32]), unsigned(raw[32:]))


def spki(public_key):
    """Return the SubjectPublicKeyInfo of a 64-byte P-256 point X || Y (RFC 5480 section 2)."""
    if len(public_key) != 64:
        raise ValueError("public key: X and Y are 32 bytes each")
    return _P256_SPKI + public_key


def _is_printable(text):
    for char in text:
        if not ("a" <= char <= "z" or "A" <= char <= "Z" or "0" <= char <= "9" or char in _PRINTABLE):
            return False
    return True


def name(attributes):
    """Return the Name for (short name, value) pairs, one attribute in each RDN, in the order given.

    C and serialNumber are PrintableString, the others UTF8String. Raises ValueError for an unknown attribute, or
    a value too short, too long or with characters that its type cannot hold (RFC 5280 section 4.1.2.4, X.520).
    """
    rdns = []
    for short, value in attributes:
        arc, least, most, printable = _attribute(short)
        if not least <= len(value) <= most:
            raise ValueError(
                "subject: %s takes %d to %d characters, not %d" % (short, least, most, len(value))
            )
        if printable and not _is_printable(value):
            raise ValueError("subject: %s takes only letters, digits, space and '()+,-./:=?" % short)
        text = tlv(_PRINTABLE_STRING if printable else _UTF8_STRING, value.encode())
        rdns.append(tlv(_SET, sequence(b"\x06\x03\x55\x04", bytes((arc,)), text)))
    return sequence(*rdns)
