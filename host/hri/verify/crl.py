"""Certificate revocation lists: authentic, in scope, and looked up in constant time (RFC 5280 section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from .cose import MalformedError
from .extensions import extension
from .finding import Finding, Status
from .signatures import list_is_signed, signature_is_whole

# An extension that is critical and not understood makes a list useless (sections 5.2 and 5.3), such as the
# certificateIssuer of an entry that is of another authority's certificate.
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.DELTA_CRL_INDICATOR,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    }
)
_UNDERSTOOD_IN_ENTRIES = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})

Entries = Mapping[int, x509.ReasonFlags | None]


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One CRL, the CA by whose key its signature was found good, its scope and its entries by serial number.

    A `delta` holds changes only: what stands in it is revoked, what does not is not thereby good. `source`
    is what a decision cites of it.
    """

    crl: x509.CertificateRevocationList
    issuer: x509.Certificate
    scope: x509.IssuingDistributionPoint | None
    entries: Entries
    delta: bool
    source: Mapping[str, Any]

    @classmethod
    def authentic(cls, der: bytes, issuers: Sequence[x509.Certificate]) -> RevocationList | None:
        """The CRL, if one of `issuers` signed it and it is of a kind understood here, or else None.

        Checking the signature and reading the entries here, once, keeps both out of every single decision.
        Raises MalformedError.
        """
        try:
            crl = x509.load_der_x509_crl(der)
            # These are read lazily; reading them here means that nothing can fail later on.
            extensions, name = list(crl.extensions), crl.issuer
            signer = next((ca for ca in issuers if ca.subject == name and _signed(crl, ca)), None)
            delta = any(one.oid == ExtensionOID.DELTA_CRL_INDICATOR for one in extensions)
            entries = _entries(crl, delta) if signer is not None else None
            whole = signature_is_whole(der, crl.signature)
        except Exception as error:
            raise MalformedError(f"not a CRL: {error}") from error
        if signer is None or entries is None or not whole:
            return None
        if any(one.critical and one.oid not in _UNDERSTOOD for one in extensions):
            return None
        return cls(crl, signer, extension(crl, x509.IssuingDistributionPoint), entries, delta, _source(crl))

    def finding(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Finding | None:
        """What the list says of a certificate of `issuer`; None if it says nothing about it."""
        if self.issuer != issuer and not same_authority(self.issuer, issuer):
            return None
        conclusive = not self.delta
        if self.scope is not None:
            if not _in_scope(self.scope, certificate):
                return None
            # A list by some reasons says nothing of the others, but what stands in it is revoked.
            if self.scope.only_some_reasons is not None or not _for_every_reason(self.scope, certificate):
                conclusive = False
        serial = certificate.serial_number
        listed = serial in self.entries
        return Finding(
            Status.REVOKED if listed else Status.GOOD,
            self.crl.last_update_utc,
            self.crl.next_update_utc,
            self.source,
            self.entries[serial] if listed else None,
            conclusive,
        )


class RevocationLists:
    """Lists by the names of their distribution points, so that of a thousand shards one is looked at."""

    __slots__ = ("_by_point", "_unscoped")

    def __init__(self, lists: Iterable[RevocationList] = ()) -> None:
        self._unscoped: list[RevocationList] = []
        self._by_point: dict[x509.GeneralName, list[RevocationList]] = {}
        for one in lists:
            names = one.scope.full_name if one.scope is not None else None
            if names is None:
                self._unscoped.append(one)
            for name in names or ():
                self._by_point.setdefault(name, []).append(one)

    @classmethod
    def from_der(cls, crls: Sequence[bytes], issuers: Sequence[x509.Certificate]) -> RevocationLists:
        """Those of the CRLs (DER) that one of the issuers signed; raises MalformedError."""
        lists = (RevocationList.authentic(der, issuers) for der in crls)
        return cls(one for one in lists if one is not None)

    def findings(self, certificate: x509.Certificate, issuer: x509.Certificate) -> list[Finding]:
        """What the lists say of a certificate of `issuer`."""
        lists = list(self._unscoped)
        if self._by_point:
            for name in {name for point in _points(certificate) for name in point.full_name or ()}:
                lists += self._by_point.get(name, ())
        found = (one.finding(certificate, issuer) for one in lists)
        return [finding for finding in found if finding is not None]


def same_authority(one: x509.Certificate, other: x509.Certificate) -> bool:
    """Two certificates of one CA (a renewal, a cross-certificate): the same name and the same key."""
    return one.subject == other.subject and _spki(one) == _spki(other)


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """RFC 5280 section 6.3.3 (f) and (g): a keyUsage extension, if there is one, has cRLSign."""
    usage = extension(issuer, x509.KeyUsage)
    return (usage is None or usage.crl_sign) and list_is_signed(crl, issuer)


def _entries(crl: x509.CertificateRevocationList, delta: bool) -> Entries | None:
    """Serial number -> reason; None where an entry has a critical extension that is not understood."""
    entries: dict[int, x509.ReasonFlags | None] = {}
    for entry in crl:
        reason = None
        for one in entry.extensions:
            if one.critical and one.oid not in _UNDERSTOOD_IN_ENTRIES:
                return None
            if isinstance(one.value, x509.CRLReason):
                reason = one.value.reason
        serial = entry.serial_number
        if delta and reason is x509.ReasonFlags.remove_from_crl:
            continue
        # Of two entries for one certificate the one that is for good counts.
        if reason is x509.ReasonFlags.certificate_hold:
            entries.setdefault(serial, reason)
        else:
            entries[serial] = reason
    return entries


def _source(crl: x509.CertificateRevocationList) -> Mapping[str, Any]:
    number = extension(crl, x509.CRLNumber)
    return {
        "source": "crl",
        "issuer": crl.issuer.rfc4514_string(),
        "crl_number": number.crl_number if number is not None else None,
    }


def _in_scope(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> bool:
    """RFC 5280 section 6.3.3 (b)(2); indirect lists and names relative to the issuer are not used."""
    if point.indirect_crl or point.only_contains_attribute_certs or point.relative_name:
        return False
    if point.only_contains_user_certs or point.only_contains_ca_certs:
        constraints = extension(certificate, x509.BasicConstraints)
        is_ca = constraints is not None and constraints.ca
        if point.only_contains_user_certs if is_ca else point.only_contains_ca_certs:
            return False
    return point.full_name is None or any(_named(point, one) for one in _points(certificate))


def _for_every_reason(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> bool:
    """RFC 5280 section 6.3.3 (d): the certificate's own distribution point may be for some reasons only."""
    if point.full_name is None:
        return True
    return any(_named(point, one) and one.reasons is None for one in _points(certificate))


def _named(point: x509.IssuingDistributionPoint, own: x509.DistributionPoint) -> bool:
    return any(name in (point.full_name or ()) for name in own.full_name or ())


def _points(certificate: x509.Certificate) -> list[x509.DistributionPoint]:
    """The certificate's distribution points, except those at which others publish for its issuer."""
    points = extension(certificate, x509.CRLDistributionPoints) or ()
    return [point for point in points if point.crl_issuer is None]
