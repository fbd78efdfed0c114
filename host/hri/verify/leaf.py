"""The rules that a device's own certificate has to keep, one small function each (RFC 5280 section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .cose import MalformedError
from .decision import Reason, ReasonCode
from .extensions import extension
from .signatures import signature_is_whole

DEVICE_URI = "urn:hri:device:"
MAX_CERTIFICATE_BYTES = 16 * 1024


class Purpose(Enum):
    """What the certificate is presented for; the value is the extended key usage it must carry."""

    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
    SERVER = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a device certificate says, taken apart once.

    `key` is None unless it is a P-256 key; `device_id` is None unless common name and URI agree on one.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePublicKey | None
    device_id: str | None
    not_before: datetime
    not_after: datetime
    usages: tuple[x509.ObjectIdentifier, ...]
    may_sign: bool
    is_authority: bool

    @classmethod
    def from_der(cls, der: bytes) -> Leaf:
        """Read a certificate; raises MalformedError."""
        certificate, subject = _read(der)
        usages = extension(certificate, x509.ExtendedKeyUsage)
        names = extension(certificate, x509.SubjectAlternativeName)
        may = extension(certificate, x509.KeyUsage)
        return cls(
            certificate,
            _p256_key(certificate),
            _device_named(subject, names),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            tuple(usages) if usages is not None else (),
            may is None or may.digital_signature,
            _may_issue(certificate, may),
        )


def load_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate with its subject and extensions; raises MalformedError."""
    return _read(der)[0]


def key_is_p256(leaf: Leaf) -> Reason | None:
    """A device key is on P-256, the only curve the chips have."""
    if leaf.key is not None:
        return None
    return Reason(ReasonCode.KEY_UNSUPPORTED, "a device key is a P-256 key, and this is none")


def not_too_early(leaf: Leaf, at: datetime) -> Reason | None:
    """notBefore has come (RFC 5280 section 4.1.2.5)."""
    if at >= leaf.not_before:
        return None
    return Reason(
        ReasonCode.NOT_YET_VALID, f"the certificate is valid only from {leaf.not_before.isoformat()}"
    )


def not_too_late(leaf: Leaf, at: datetime) -> Reason | None:
    """notAfter is not over; it is itself included (RFC 5280 section 4.1.2.5)."""
    if at <= leaf.not_after:
        return None
    return Reason(ReasonCode.EXPIRED, f"the certificate was valid until {leaf.not_after.isoformat()}")


def serves_purpose(leaf: Leaf, purpose: Purpose) -> Reason | None:
    """The purpose stands in extendedKeyUsage, which must be there, and the key may sign."""
    if purpose.value in leaf.usages and leaf.may_sign:
        return None
    return Reason(
        ReasonCode.WRONG_PURPOSE, f"the certificate is not for {purpose.name.lower()} authentication"
    )


def names_one_device(leaf: Leaf) -> Reason | None:
    """Common name and `urn:hri:device:` name the same one device."""
    if leaf.device_id is not None:
        return None
    subject = leaf.certificate.subject.rfc4514_string()
    return Reason(
        ReasonCode.DEVICE_ID_MISMATCH, f"common name and {DEVICE_URI} of {subject!r} do not name one device"
    )


def names_the_device(leaf: Leaf, expected: str | None) -> Reason | None:
    """The device named is the one expected, where one is."""
    if expected is None or leaf.device_id is None or leaf.device_id == expected:
        return None
    return Reason(
        ReasonCode.DEVICE_ID_MISMATCH, f"the certificate is of {leaf.device_id!r}, not of {expected!r}"
    )


def is_no_authority(leaf: Leaf) -> Reason | None:
    """A device issues nothing: no cA, keyCertSign, cRLSign or nameConstraints (RFC 5280 section 4.2.1)."""
    if not leaf.is_authority:
        return None
    return Reason(ReasonCode.CHAIN_INVALID, "the certificate is one of an authority, not of a device")


def _read(der: bytes) -> tuple[x509.Certificate, x509.Name]:
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise MalformedError(f"a certificate of {len(der)} bytes")
    try:
        certificate = x509.load_der_x509_certificate(der)
        # These are read lazily; reading them here means that nothing can fail later on. An issuer's name is
        # read as the subject of the certificate above, or no path is found.
        _, subject = certificate.extensions, certificate.subject
        whole = signature_is_whole(der, certificate.signature)
    except Exception as error:
        raise MalformedError(f"not a certificate: {error}") from error
    if not whole:
        raise MalformedError("a certificate whose signature is not of whole octets")
    return certificate, subject


def _may_issue(certificate: x509.Certificate, usage: x509.KeyUsage | None) -> bool:
    constraints = extension(certificate, x509.BasicConstraints)
    return (
        (constraints is not None and constraints.ca)
        or (usage is not None and (usage.key_cert_sign or usage.crl_sign))
        or extension(certificate, x509.NameConstraints) is not None
    )


def _device_named(subject: x509.Name, alternative: x509.SubjectAlternativeName | None) -> str | None:
    names = [str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    uris = alternative.get_values_for_type(x509.UniformResourceIdentifier) if alternative is not None else []
    devices = [uri for uri in uris if uri.startswith(DEVICE_URI)]
    if len(names) == 1 and names[0] and devices == [DEVICE_URI + names[0]]:
        return names[0]
    return None


def _p256_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None
