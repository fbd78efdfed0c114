"""The X.509 certificates of the virtual factory, in the form of the public TNG definitions (H).

Signer and device certificate have the fields, the order and the lengths of the public definitions, so that
every offset that those give is right for these too. The names are other ones: nothing here can pass for a
real chip's certificate. A certificate is put together from its parts rather than by a library's builder,
because the definitions write notAfter as GeneralizedTime even before 2050, as RFC 5280 does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hri.rig.atecc.compressed import CompressedCertificate, serial_number

ORGANISATION = "HRI Test Manufacturer Co"
ROOT_NAME = "HRI Virtual Chip Test Root CA 001"
SIGNER_NAME = "HRI Virtual Chip Test Signer {id:04X}"
LOG_NAME = "HRI Virtual Chip Test Log Signer"
SIGNER_TEMPLATE, SIGNER_YEARS = 1, 31

ECDSA_SHA256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
"""Deterministic (RFC 6979), so that a seed gives the same certificates again."""

_SEQUENCE, _INTEGER, _BIT_STRING, _OCTET_STRING, _OID = 0x30, 0x02, 0x03, 0x04, 0x06
_BOOLEAN, _UTC_TIME, _GENERALIZED_TIME, _VERSION_TAG, _EXTENSIONS_TAG = 0x01, 0x17, 0x18, 0xA0, 0xA3
_V3 = b"\x02\x01\x02"
_ECDSA_WITH_SHA256 = bytes.fromhex("06082A8648CE3D040302")
_TRUE = b"\x01\x01\xff"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate is for: its name, X and Y (64 bytes), and its own extensions, which come first."""

    name: x509.Name
    public_key: bytes
    extensions: Sequence[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: name, X and Y (64 bytes)."""

    name: x509.Name
    public_key: bytes


def name(common_name: str) -> x509.Name:
    """Return the organisation and this common name, both UTF8String."""
    return x509.Name(
        (
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        )
    )


def signer_subject(signer_id: int, public_key: bytes) -> Subject:
    """Return the subject of definition 1: a CA for end entities alone."""
    return Subject(
        name(SIGNER_NAME.format(id=signer_id)),
        public_key,
        ((ca_key_usage(), True), (x509.BasicConstraints(ca=True, path_length=0), True)),
    )


def device_subject(common_name: str, alternative_name: str, public_key: bytes) -> Subject:
    """Return the subject of definitions 2 (no alternative name) and 3 (a serialNumber in a directoryName)."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(digital_signature=True, key_agreement=True), True),
    ]
    if alternative_name:
        directory = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, alternative_name)])
        extensions.insert(0, (x509.SubjectAlternativeName([x509.DirectoryName(directory)]), False))
    return Subject(name(common_name), public_key, extensions)


def ca_key_usage() -> x509.KeyUsage:
    return _key_usage(digital_signature=True, key_cert_sign=True, crl_sign=True)


def to_be_signed(subject: Subject, issuer: Issuer, issued: datetime, years: int) -> bytes:
    """Return the TBSCertificate; ``issued`` (UTC, on the hour) is good for ``years``.

    Raises ValueError for dates that a compressed certificate cannot hold.
    """
    authority = x509.SubjectKeyIdentifier.from_public_key(load(issuer.public_key))
    extensions = [
        *subject.extensions,
        (x509.SubjectKeyIdentifier.from_public_key(load(subject.public_key)), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), False),
    ]
    return _tlv(
        _SEQUENCE,
        _tlv(_VERSION_TAG, _V3),
        _tlv(_INTEGER, serial_number(subject.public_key, issued, years).to_bytes(16, "big")),
        _tlv(_SEQUENCE, _ECDSA_WITH_SHA256),
        issuer.name.public_bytes(),
        _validity(issued, years),
        subject.name.public_bytes(),
        load(subject.public_key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        _tlv(_EXTENSIONS_TAG, _tlv(_SEQUENCE, *(_extension(*extension) for extension in extensions))),
    )


def sign(body: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return R and S over a TBSCertificate, 64 bytes."""
    r, s = decode_dss_signature(key.sign(body, ECDSA_SHA256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def assemble(body: bytes, signature: bytes) -> bytes:
    """Return the certificate of a TBSCertificate and its R and S."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return _tlv(
        _SEQUENCE,
        body,
        _tlv(_SEQUENCE, _ECDSA_WITH_SHA256),
        _tlv(_BIT_STRING, b"\0", encode_dss_signature(r, s)),
    )


def rebuild(compressed: CompressedCertificate, subject: Subject, issuer: Issuer) -> bytes:
    """Return the certificate that 72 bytes and what the template knows stand for."""
    return assemble(to_be_signed(subject, issuer, compressed.issued, compressed.years), compressed.signature)


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return X and Y of a private key's public half, 64 bytes."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def load(public_key: bytes) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key with these X and Y; raises ValueError off the curve."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)


def _validity(issued: datetime, years: int) -> bytes:
    expires = issued.replace(year=issued.year + years)
    return _tlv(
        _SEQUENCE,
        _tlv(_UTC_TIME, f"{issued:%y%m%d%H%M%SZ}".encode()),
        _tlv(_GENERALIZED_TIME, f"{expires:%Y%m%d%H%M%SZ}".encode()),
    )


def _extension(value: x509.ExtensionType, critical: bool) -> bytes:
    return _tlv(
        _SEQUENCE,
        _tlv(_OID, _oid(value.oid.dotted_string)),
        _TRUE if critical else b"",
        _tlv(_OCTET_STRING, value.public_bytes()),
    )


def _oid(dotted: str) -> bytes:
    # Extensions are 2.5.29.n with n below 128.
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return bytes((first * 40 + second, *rest))


def _tlv(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _key_usage(**uses: bool) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{use: uses.get(use, False) for use in every.split()})
