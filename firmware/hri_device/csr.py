"""PKCS#10 requests (RFC 2986) signed by a key that never leaves its element, and the DER they need."""

from . import sha256

_VERSION = b"\x02\x01\x00"
_NO_ATTRIBUTES = b"\xa0\x00"
# ecdsa-with-SHA256, parameters absent (RFC 5758 section 3.2).
_ECDSA_WITH_SHA256 = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
# id-ecPublicKey with prime256v1 (RFC 5480 section 2), then the head of an uncompressed point.
_P256_SPKI = (
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
    b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04"
)


def tlv(tag, *parts):
    """Return `parts` joined under one tag, with the shortest length (X.690 section 10.1)."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        start = bytes((tag, size))
    elif size < 0x100:
        start = bytes((tag, 0x81, size))
    else:
        start = bytes((tag, 0x82, size >> 8, size & 0xFF))
    return start + body


def sequence(*parts):
    """Return a SEQUENCE of the encoded `parts`."""
    return tlv(0x30, *parts)


def unsigned(raw):
    """Return the INTEGER for big-endian unsigned `raw`, in the fewest octets (X.690 section 8.3.2)."""
    raw = raw.lstrip(b"\0")
    # None left would be no number, and an octet with its high bit set a negative one.
    return tlv(2, raw if raw and raw[0] < 0x80 else b"\0" + raw)


def bit_string(data):
    """Return a BIT STRING of whole octets."""
    return tlv(3, b"\0", data)


def signature(raw):
    """Return the Ecdsa-Sig-Value for a 64-byte r || s (RFC 3279 section 2.2.3)."""
    return sequence(unsigned(raw[:32]), unsigned(raw[32:]))


def spki(public_key):
    """Return the SubjectPublicKeyInfo of a 64-byte P-256 point X || Y (RFC 5480 section 2)."""
    return _P256_SPKI + public_key


def name(attributes):
    """Return the Name for (short name, value) pairs, one attribute in each RDN, in the order given.

    C and serialNumber are PrintableString, the others UTF8String. Raises ValueError for an unknown attribute,
    or a value too short, too long or with characters that its type cannot hold (RFC 5280 section 4.1.2.4,
    X.520).
    """
    # Short name, last arc under id-at (2.5.4), greatest length in characters (X.520 annex C). In
    # here it takes no RAM between two requests.
    # fmt: off
    known = ("CN", 3, 64, "serialNumber", 5, 64, "C", 6, 2, "L", 7, 128,
             "ST", 8, 128, "O", 10, 64, "OU", 11, 64)
    # fmt: on
    rdns = []
    for short, value in attributes:
        if short not in known:
            raise ValueError("unknown attribute " + short)
        at = known.index(short)
        length = len(value)
        if not 0 < length <= known[at + 2] or (short == "C" and length != 2):  # type: ignore[operator]
            raise ValueError("length of " + short)
        tag = 12
        if short in ("C", "serialNumber"):
            tag = 19
            if not all(_is_printable(char) for char in value):
                raise ValueError("characters of " + short)
        oid = b"\x06\x03\x55\x04" + bytes((known[at + 1],))  # type: ignore[arg-type]
        rdns.append(tlv(0x31, sequence(oid, tlv(tag, value.encode()))))
    return sequence(*rdns)


def _is_printable(char):
    # PrintableString (X.680 section 41.4).
    return "a" <= char <= "z" or "A" <= char <= "Z" or ("'" <= char <= ":" and char != "*") or char in " =?"


def make(element, slot, subject):
    """Return the DER CertificationRequest for the key in `slot` and `subject`, a list of (short name, value).

    Raises ValueError for a subject that X.520 does not allow (see name), and what the element raises.
    RFC 2986 section 4.
    """
    # The name first: a subject that is refused must not cost a wake of the chip.
    subject = name(subject)
    info = sequence(_VERSION, subject, spki(element.public_key(slot)), _NO_ATTRIBUTES)
    raw = element.sign(slot, sha256(info).digest())
    return sequence(info, _ECDSA_WITH_SHA256, bit_string(signature(raw)))
