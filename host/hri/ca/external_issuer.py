"""Issuing where another authority signs: the same checks and the same record as with a key of our own.

The other authority is asked only after the evidence was accepted here, and what it answers is believed only
as far as it fits. A process killed between its answer and the record has a certificate that nobody was given;
asked again, that authority gives the same one or another.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hri.audit.recorder import NOBODY, Recorder
from hri.ca.authority import Authority
from hri.ca.csr import CheckedCsr
from hri.ca.issuance import Issuer, IssueRequest
from hri.errors import PolicyRefusal, StorageError
from hri.registry import CertificateRecord, Registry
from hri.verify.path import Purpose, verify_certificate
from hri.verify.revocation import RevocationPolicy


class Enroller(Protocol):
    """Whoever has certificates issued elsewhere."""

    def enroll(self, csr_der: bytes) -> x509.Certificate:
        """Return the certificate for a PKCS#10 request (DER)."""


class ExternalIssuer(Issuer):
    """An issuer whose certificates come from elsewhere; `authority` is that authority's public part."""

    def __init__(
        self,
        authority: Authority,
        registry: Registry,
        enroller: Enroller,
        *,
        require_attestation: bool = True,
        recorder: Recorder = NOBODY,
    ) -> None:
        super().__init__(authority, registry, require_attestation=require_attestation, recorder=recorder)
        self._enroller = enroller
        self._got: dict[bytes, x509.Certificate] = {}

    def _sign(
        self, request: IssueRequest, csr: CheckedCsr, replaces: int | None, now: datetime
    ) -> CertificateRecord:
        # A decision may be taken again when other processes interfere; the certificate is asked for once.
        certificate = self._got.get(csr.sha256)
        if certificate is None:
            certificate = self._got[csr.sha256] = self._enroller.enroll(request.csr_der)
        _check(self._authority, certificate, csr, request.device_id, now)
        if self._registry.certificate(certificate.serial_number) is not None:
            raise PolicyRefusal(
                "same-certificate",
                "the external authority gave the certificate that is on record already",
                "wait until it issues a new one, or have the key rotated with `hri rotate`",
            )
        return CertificateRecord(
            certificate.serial_number,
            request.device_id,
            certificate.public_bytes(Encoding.DER),
            csr.public_key_sha256,
            "issued",
            now,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            slot=request.slot,
            replaces=replaces,
            evidence=request.evidence,
            unattested=request.unattested,
        )


def _check(
    authority: Authority, certificate: x509.Certificate, csr: CheckedCsr, device_id: str, now: datetime
) -> None:
    """Raise StorageError for a certificate that would not be accepted here, before a board gets it."""
    if certificate.public_key() != csr.public_key:
        raise _unusable("it is for another key than the request's")
    der = certificate.public_bytes(Encoding.DER)
    anchors = (authority.root.public_bytes(Encoding.DER),)
    decisions = [
        verify_certificate(
            der,
            authority.chain_der(),
            anchors,
            at=now,
            purpose=purpose,
            device_id=device_id,
            revocation=RevocationPolicy.FAIL_OPEN,
        )
        for purpose in (Purpose.CLIENT, Purpose.SERVER)
    ]
    if not any(decisions):
        raise _unusable("; ".join(reason.detail for reason in decisions[0].reasons))


def _unusable(why: str) -> StorageError:
    return StorageError(
        "ca-nonsense",
        f"the external authority's certificate is of no use: {why}",
        "change the profile there, and check certificate_authority.label",
    )
