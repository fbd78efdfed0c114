"""The TBSCertificate of a template, written part by part (RFC 5280 section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .dates import TimeForm
from .layout import FieldKind, Part, field, join, tlv, unsigned

# ecdsa-with-SHA256 without parameters (RFC 5758 section 3.2).
ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
# id-ecPublicKey with prime256v1 (RFC 5480 section 2), then the head of an uncompressed point.
SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_VERSION_3 = bytes.fromhex("a003020102")

# What stands in braces in a template's text, and how many characters it becomes.
PLACEHOLDERS = {
    "signer_id": (FieldKind.SIGNER_ID, 4),
    "ELEMENT_SERIAL": (FieldKind.ELEMENT_SERIAL_UPPER, 18),
    "element_serial": (FieldKind.ELEMENT_SERIAL_LOWER, 18),
    "key_sha256": (FieldKind.KEY_SHA256, 64),
    "eui48": (FieldKind.EUI48, 12),
}
# Last arc under id-at, tag (UTF8String or PrintableString) and greatest length (X.520 annex C).
ATTRIBUTES = {
    "CN": (3, 0x0C, 64),
    "serialNumber": (5, 0x13, 64),
    "C": (6, 0x13, 2),
    "L": (7, 0x0C, 128),
    "ST": (8, 0x0C, 128),
    "O": (10, 0x0C, 64),
    "OU": (11, 0x0C, 64),
}
# In the order of their bits (RFC 5280 section 4.2.1.3).
KEY_USAGE_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
EXTENDED_KEY_USAGES = {"server_auth": 1, "client_auth": 2}
# Last arc under id-ce, and whether the extension is critical.
_EXTENSIONS = {
    "subject_key_identifier": (14, False),
    "key_usage": (15, True),
    "subject_alt_name": (17, False),
    "basic_constraints": (19, True),
    "crl_distribution_points": (31, False),
    "authority_key_identifier": (35, False),
    "extended_key_usage": (37, False),
}
_PLACE = re.compile(r"\{(\w+)\}")
Name = Sequence[tuple[str, str]]


def text(value: str) -> Part:
    """Return a text, its placeholders as fields; raises ValueError for a placeholder that is none."""
    parts: list[Part | bytes] = []
    for position, piece in enumerate(_PLACE.split(value)):
        if position % 2 == 0:
            parts.append(piece.encode())
        elif piece in PLACEHOLDERS:
            parts.append(field(*PLACEHOLDERS[piece]))
        else:
            raise ValueError(f"{{{piece}}} is unknown; known are {', '.join(PLACEHOLDERS)}")
    return join(*parts)


def name(attributes: Name) -> Part:
    """Return a Name, one attribute in each RDN; raises ValueError for what X.520 does not allow."""
    rdns = []
    for short, value in attributes:
        if short not in ATTRIBUTES:
            raise ValueError(f"{short!r} is unknown; known are {', '.join(ATTRIBUTES)}")
        arc, tag, longest = ATTRIBUTES[short]
        written = text(value)
        if not 0 < len(written.data) <= longest:
            raise ValueError(f"{short} has 1 to {longest} characters")
        rdns.append(tlv(0x31, tlv(0x30, bytes((0x06, 0x03, 0x55, 0x04, arc)), tlv(tag, written))))
    return tlv(0x30, *rdns)


def extension(kind: str, value: Part | bytes) -> Part:
    """Return an Extension, critical where RFC 5280 and the vendor's certificates have it so (H)."""
    arc, critical = _EXTENSIONS[kind]
    head = bytes((0x06, 0x03, 0x55, 0x1D, arc)) + (b"\x01\x01\xff" if critical else b"")
    return tlv(0x30, head, tlv(0x04, value))


def basic_constraints(ca: bool, path_length: int | None) -> bytes:
    """Return a BasicConstraints."""
    length = b"" if path_length is None else unsigned(bytes((path_length,)))
    return tlv(0x30, (b"\x01\x01\xff" if ca else b"") + length).data


def key_usage(usages: Iterable[str]) -> bytes:
    """Return a KeyUsage: a BIT STRING without trailing zeros (X.690 section 11.2.2)."""
    bits = sorted(KEY_USAGE_BITS.index(usage) for usage in usages)
    octets = bytearray(bits[-1] // 8 + 1)
    for bit in bits:
        octets[bit // 8] |= 0x80 >> bit % 8
    return tlv(0x03, bytes((7 - bits[-1] % 8,)) + bytes(octets)).data


def extended_key_usage(usages: Iterable[str]) -> bytes:
    """Return an ExtKeyUsageSyntax."""
    oids = (b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03" + bytes((EXTENDED_KEY_USAGES[one],)) for one in usages)
    return tlv(0x30, *oids).data


def crl_distribution_points(url: str) -> bytes:
    """Return CRLDistributionPoints of one URL."""
    return tlv(0x30, tlv(0x30, tlv(0xA0, tlv(0xA0, tlv(0x86, url.encode("ascii")))))).data


def tbs_certificate(
    serial_length: int,
    issuer: Part | bytes,
    times: tuple[TimeForm, TimeForm],
    subject: Name,
    extensions: Sequence[Part],
) -> Part:
    """Return the TBSCertificate (RFC 5280 section 4.1) for a P-256 key."""
    kinds = (FieldKind.NOT_BEFORE, FieldKind.NOT_AFTER)
    dates = [
        tlv(0x17 if form is TimeForm.UTC else 0x18, field(kind, form.length))
        for kind, form in zip(kinds, times, strict=True)
    ]
    return tlv(
        0x30,
        _VERSION_3,
        tlv(0x02, field(FieldKind.SERIAL_NUMBER, serial_length)),
        ECDSA_WITH_SHA256,
        issuer,
        tlv(0x30, *dates),
        name(subject),
        SPKI_HEAD,
        field(FieldKind.PUBLIC_KEY, 64),
        tlv(0xA3, tlv(0x30, *extensions)),
    )
