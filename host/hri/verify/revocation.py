"""Has a certificate been revoked? Certificate revocation lists under RFC 5280 section 6.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from hri.serial_numbers import serial_text

from .cose import MalformedError
from .decision import Reason, ReasonCode

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    }
)


class RevocationPolicy(Enum):
    """What to do where nothing current and authentic says whether a certificate is revoked."""

    FAIL_CLOSED = "fail-closed"
    FAIL_OPEN = "fail-open"


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One CRL, the CA by whose key its signature was found good, and the scope it gives itself."""

    crl: x509.CertificateRevocationList
    issuer: x509.Certificate
    scope: x509.IssuingDistributionPoint | None

    @classmethod
    def authentic(cls, der: bytes, issuers: Sequence[x509.Certificate]) -> RevocationList | None:
        """The CRL, if one of `issuers` signed it and it is of a kind understood here, or else None.

        Checking the signature here, once, keeps it out of every single decision. Raises MalformedError.
        """
        try:
            crl = x509.load_der_x509_crl(der)
            # These are read lazily; reading them here means that nothing can fail later on.
            extensions, _ = list(crl.extensions), crl.issuer
        except Exception as error:
            raise MalformedError(f"not a CRL: {error}") from error
        # An extension that is critical and not understood may narrow the list, a delta holds only changes.
        if any(extension.critical and extension.oid not in _UNDERSTOOD for extension in extensions):
            return None
        for issuer in issuers:
            if issuer.subject == crl.issuer and _may_sign_crls(issuer) and _signed(crl, issuer):
                return cls(crl, issuer, _extension(crl, x509.IssuingDistributionPoint))
        return None

    def speaks_of(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """The list is by `issuer`, which issued the certificate, and has the certificate in its scope."""
        if self.issuer != issuer and not _same_authority(self.issuer, issuer):
            return False
        return self.scope is None or _in_scope(self.scope, certificate)

    def is_current(self, at: datetime) -> bool:
        """`at` is not before thisUpdate and before nextUpdate; a list without nextUpdate is never current."""
        end = self.crl.next_update_utc
        return end is not None and self.crl.last_update_utc <= at < end

    def lists(self, certificate: x509.Certificate) -> bool:
        """The certificate's serial number is in the list."""
        return self.crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None


def not_revoked(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Sequence[RevocationList],
    at: datetime,
    policy: RevocationPolicy,
) -> Reason | None:
    """A leaf is not listed, and a list of its issuer that is current says so."""
    concerned = [entry for entry in lists if entry.speaks_of(certificate, issuer)]
    # Revocation is for good: an authentic list that names the certificate counts whatever its dates.
    if any(entry.lists(certificate) for entry in concerned):
        return Reason(
            ReasonCode.REVOKED,
            f"certificate {serial_text(certificate.serial_number)} was revoked by its issuer",
        )
    if policy is RevocationPolicy.FAIL_OPEN or any(entry.is_current(at) for entry in concerned):
        return None
    why = "the issuer's CRL is out of date" if concerned else "there is no authentic CRL of its issuer"
    return Reason(
        ReasonCode.REVOCATION_UNKNOWN, f"certificate {serial_text(certificate.serial_number)}: {why}"
    )


def authority_not_revoked(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Sequence[RevocationList],
    at: datetime,
    policy: RevocationPolicy,
) -> Reason | None:
    """An issuing CA is not listed by the CA above it, if that one publishes a list at all."""
    concerned = [entry for entry in lists if entry.speaks_of(certificate, issuer)]
    return not_revoked(certificate, issuer, concerned, at, policy) if concerned else None


def _same_authority(one: x509.Certificate, other: x509.Certificate) -> bool:
    """Two certificates of one CA (a renewal, a cross-certificate): the same name and the same key."""
    return one.subject == other.subject and _spki(one) == _spki(other)


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        return crl.is_signature_valid(key)
    except (TypeError, ValueError):  # signed by an algorithm of another family
        return False


def _may_sign_crls(issuer: x509.Certificate) -> bool:
    """RFC 5280 section 6.3.3 (f): a keyUsage extension, if there is one, has cRLSign."""
    usage = _extension(issuer, x509.KeyUsage)
    return usage is None or usage.crl_sign


def _in_scope(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> bool:
    """RFC 5280 section 6.3.3 (b)(2); lists by reason, indirect or relative to the issuer are not used."""
    constraints = _extension(certificate, x509.BasicConstraints)
    is_ca = constraints is not None and constraints.ca
    if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
        return False
    if point.relative_name or (point.only_contains_user_certs and is_ca):
        return False
    if point.only_contains_ca_certs and not is_ca:
        return False
    if point.full_name is None:
        return True
    published = _extension(certificate, x509.CRLDistributionPoints) or ()
    return any(name in point.full_name for entry in published for name in entry.full_name or ())


def _extension(
    holder: x509.Certificate | x509.CertificateRevocationList, kind: type[_Extension]
) -> _Extension | None:
    try:
        return holder.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
