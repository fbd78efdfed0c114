"""What the registry knows, as the OCSP responder of one issuing CA is to say it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from cryptography import x509

from hri.ca.ocsp_messages import Standing
from hri.registry import CertificateStatus, Registry

_PAGE = 1000


class RegistrySource:
    """The certificates of one issuing CA among those of a registry, which may hold other CAs' too."""

    def __init__(self, registry: Registry, issuing: x509.Certificate) -> None:
        self._registry = registry
        self._subject = issuing.subject
        self._key_identifier = _key_identifier(issuing)

    def standing_of(self, serial_numbers: Collection[int]) -> Mapping[int, Standing]:
        """Return what is known of these serial numbers; what the CA did not issue is left out.

        Raises StorageError.
        """
        known = self._registry.certificate_statuses(serial_numbers)
        return {item.serial_number: _standing(item) for item in known if self._issued(item)}

    def unexpired(self, now: datetime) -> Iterator[tuple[int, Standing]]:
        """Yield the CA's certificates that have not expired, in the order of their serial numbers."""
        after = 0
        while page := self._registry.unexpired_statuses(now, after=after, limit=_PAGE):
            for item in page:
                if self._issued(item):
                    yield item.serial_number, _standing(item)
            after = page[-1].serial_number

    def _issued(self, item: CertificateStatus) -> bool:
        """By name, and where a certificate says it by key too: a CA that was renewed keeps its name."""
        certificate = x509.load_der_x509_certificate(item.der)
        if certificate.issuer != self._subject:
            return False
        try:
            named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        except x509.ExtensionNotFound:
            return True
        return named.key_identifier in (None, self._key_identifier)


def _standing(item: CertificateStatus) -> Standing:
    if item.revoked_at is None:
        return Standing()
    return Standing(item.revoked_at, item.reason or "unspecified")


def _key_identifier(issuing: x509.Certificate) -> bytes:
    return issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
