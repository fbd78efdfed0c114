"""The to-be-signed part of a device certificate, put together from parts that were encoded beforehand.

A certificate authority that issues by the thousand spends more time in a general encoder than in signing;
here only what differs between two certificates is encoded. The names and extension values come from the
`cryptography` package, and the tests hold every byte of the result against its certificate builder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from hri.ca.csr import SPKI_HEAD

_SEQUENCE, _INTEGER, _BIT_STRING, _OCTET_STRING = 0x30, 0x02, 0x03, 0x04
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_EXPLICIT_3 = 0xA3
_VERSION_3 = bytes.fromhex("a003020102")
_TRUE = bytes.fromhex("0101ff")
# RFC 5758 section 3.2: ecdsa-with-SHA256, without parameters.
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
# id-ce, under which all extensions of RFC 5280 section 4.2.1 are: the last arc is one byte.
_ID_CE, _ID_CE_DER = "2.5.29.", bytes.fromhex("0603551d")


class CertificateTemplate:
    """What the certificates of one issuer and one profile have in common."""

    def __init__(self, issuer: x509.Name, extensions: Iterable[tuple[bool, x509.ExtensionType]]) -> None:
        """Encode the issuer's name, and the extensions (critical or not) that every certificate has."""
        self._issuer = _ECDSA_WITH_SHA256 + issuer.public_bytes()
        self._extensions = b"".join(
            _extension(value.oid, critical, value.public_bytes()) for critical, value in extensions
        )

    def to_be_signed(
        self,
        *,
        serial_number: int,
        validity: bytes,
        subject: x509.Name,
        point: bytes,
        names: x509.SubjectAlternativeName,
    ) -> bytes:
        """Return a TBSCertificate (RFC 5280 section 4.1) for a P-256 key, X ‖ Y (64 bytes).

        `validity` is from `encoded_validity`. The subject key identifier (section 4.2.1.2, method 1: a name,
        not a security measure) and the alternative names follow the template's extensions.
        """
        digest = hashlib.sha1(b"\x04" + point, usedforsecurity=False).digest()
        extensions = _der(
            _SEQUENCE,
            self._extensions
            + _extension(ExtensionOID.SUBJECT_KEY_IDENTIFIER, False, _der(_OCTET_STRING, digest))
            + _extension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, False, names.public_bytes()),
        )
        return _der(
            _SEQUENCE,
            _VERSION_3
            # One bit more than the number needs: a leading one would make it negative.
            + _der(_INTEGER, serial_number.to_bytes(serial_number.bit_length() // 8 + 1, "big"))
            + self._issuer
            + validity
            + subject.public_bytes()
            + SPKI_HEAD
            + point
            + _der(_EXPLICIT_3, extensions),
        )


def encoded_validity(not_before: datetime, not_after: datetime) -> bytes:
    """Return a Validity of two UTC times in whole seconds (RFC 5280 section 4.1.2.5)."""
    return _der(_SEQUENCE, _time(not_before) + _time(not_after))


def signed(to_be_signed: bytes, signature: bytes) -> bytes:
    """Return the Certificate of a TBSCertificate and its ecdsa-with-SHA256 signature (DER)."""
    return _der(_SEQUENCE, to_be_signed + _ECDSA_WITH_SHA256 + _der(_BIT_STRING, b"\x00" + signature))


def _time(moment: datetime) -> bytes:
    text = f"{moment:%m%d%H%M%S}Z"
    # Two digits of the year up to 2049, four after that.
    if moment.year < 2050:
        return _der(_UTC_TIME, f"{moment.year % 100:02}{text}".encode())
    return _der(_GENERALIZED_TIME, f"{moment.year:04}{text}".encode())


def _extension(oid: x509.ObjectIdentifier, critical: bool, value: bytes) -> bytes:
    identifier = _ID_CE_DER + bytes([int(oid.dotted_string.removeprefix(_ID_CE))])
    return _der(_SEQUENCE, identifier + (_TRUE if critical else b"") + _der(_OCTET_STRING, value))


def _der(tag: int, content: bytes) -> bytes:
    """Return one DER element (X.690 section 8.1.3). Raises OverflowError for 64 KiB or more."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    if length < 0x100:
        return bytes((tag, 0x81, length)) + content
    return bytes((tag, 0x82)) + length.to_bytes(2, "big") + content
