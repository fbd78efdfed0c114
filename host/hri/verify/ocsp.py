"""OCSP responses as evidence of standing (RFC 6960; the nonce as in RFC 9654)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hmac import compare_digest
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from .cose import MalformedError
from .crl import RevocationLists
from .extensions import extension
from .finding import Finding, Status
from .leaf import load_certificate
from .signatures import authority_key, certificate_is_signed, is_signed, signature_is_whole

MAX_RESPONSE_BYTES = 32 * 1024
# A responder sends its own certificate; more are an attempt to keep us busy.
_MAX_CERTIFICATES = 4

_STATUS = {
    ocsp.OCSPCertStatus.GOOD: Status.GOOD,
    ocsp.OCSPCertStatus.REVOKED: Status.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: Status.UNKNOWN,
}
_UNDERSTOOD_IN_RESPONDERS = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.OCSP_NO_CHECK,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True, slots=True)
class OcspEvidence:
    """A response (DER), stapled or fetched, and the nonce of the request, if the caller sent one."""

    der: bytes
    nonce: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response says of one certificate, which it names by hashes (RFC 6960 section 4.1.1)."""

    algorithm: hashes.HashAlgorithm
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial_number: int
    status: Status
    reason: x509.ReasonFlags | None
    this_update: datetime
    next_update: datetime | None

    @classmethod
    def of(cls, single: ocsp.OCSPSingleResponse) -> Answer:
        """Read a SingleResponse."""
        return cls(
            single.hash_algorithm,
            single.issuer_name_hash,
            single.issuer_key_hash,
            single.serial_number,
            _STATUS[single.certificate_status],
            single.revocation_reason,
            single.this_update_utc,
            single.next_update_utc,
        )

    def is_about(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """The CertID is the certificate's: hashes of its issuer's name and key, and its serial number."""
        if self.serial_number != certificate.serial_number:
            return False
        asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, self.algorithm).build()
        name, key = asked.issuer_name_hash, asked.issuer_key_hash
        return name == self.issuer_name_hash and key == self.issuer_key_hash


@dataclass(frozen=True, slots=True)
class OcspResponse:
    """A successful response, read; who signed it is found out for each certificate that it is asked about.

    The responder is named by `responder`, its subject or the SHA-1 of its key. `fresh` says whether the nonce
    that was asked for is there, or none was asked for.
    """

    answers: tuple[Answer, ...]
    certificates: tuple[x509.Certificate, ...]
    responder: x509.Name | bytes
    produced_at: datetime
    signed: bytes
    signature: bytes
    algorithm: x509.ObjectIdentifier
    fresh: bool

    @classmethod
    def from_evidence(cls, evidence: OcspEvidence) -> OcspResponse | None:
        """Read a response; None for an error of the responder's or an extension that is not understood.

        Raises MalformedError.
        """
        if len(evidence.der) > MAX_RESPONSE_BYTES:
            raise MalformedError(f"an OCSP response of {len(evidence.der)} bytes")
        try:
            # Some parts are parsed only when they are read, so all are read here and nothing fails later on.
            response = ocsp.load_der_ocsp_response(evidence.der)
            if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return None
            answers = tuple(Answer.of(single) for single in response.responses)
            extensions = list(response.extensions)
            if len(answers) == 1:  # of more than one the extensions cannot be read
                extensions += response.single_extensions
            nonces = [one.value.nonce for one in extensions if isinstance(one.value, x509.OCSPNonce)]
            asked = evidence.nonce
            fresh = asked is None or any(compare_digest(one, asked) for one in nonces)
            read = cls._read(response, answers, fresh)
            whole = signature_is_whole(evidence.der, read.signature)
        except Exception as error:
            raise MalformedError(f"not an OCSP response: {error}") from error
        if not whole:
            raise MalformedError("an OCSP response whose signature is not of whole octets")
        if any(one.critical and not isinstance(one.value, x509.OCSPNonce) for one in extensions):
            return None
        return read

    @classmethod
    def _read(cls, response: ocsp.OCSPResponse, answers: tuple[Answer, ...], fresh: bool) -> OcspResponse:
        sent = response.certificates
        if len(sent) > _MAX_CERTIFICATES:
            raise MalformedError(f"it comes with {len(sent)} certificates")
        certificates = tuple(load_certificate(one.public_bytes(Encoding.DER)) for one in sent)
        name, key_hash = response.responder_name, response.responder_key_hash
        return cls(
            answers,
            certificates,
            name if name is not None else key_hash or b"",
            response.produced_at_utc,
            response.tbs_response_bytes,
            response.signature,
            response.signature_algorithm_oid,
            fresh,
        )

    def findings(
        self, certificate: x509.Certificate, issuer: x509.Certificate, lists: RevocationLists, at: datetime
    ) -> list[Finding]:
        """What the response says of a certificate of `issuer`; nothing, unless one who may say so signed it.

        `lists` are asked about the standing of a responder that the issuer has delegated to.
        """
        concerned = [one for one in self.answers if one.is_about(certificate, issuer)]
        responder = self._responder(issuer, lists, at) if concerned else None
        if responder is None:
            return []
        source = self._source(responder)
        # The extensions of one answer among several are not shown to us, so several prove less.
        conclusive = self.fresh and len(self.answers) == 1
        return [
            Finding(one.status, one.this_update, one.next_update, source, one.reason, conclusive)
            for one in concerned
        ]

    def _responder(
        self, issuer: x509.Certificate, lists: RevocationLists, at: datetime
    ) -> x509.Certificate | None:
        """The issuer itself, or one that it has delegated to (RFC 6960 section 4.2.2.2), if it signed."""
        if self._is_named(issuer) and self._is_signed_by(issuer):
            return issuer
        for one in self.certificates:
            if self._is_named(one) and _is_delegated(one, issuer, lists, at) and self._is_signed_by(one):
                return one
        return None

    def _is_named(self, certificate: x509.Certificate) -> bool:
        """The certificate is the one that the responder id names, by name or by SHA-1 of its key."""
        if isinstance(self.responder, x509.Name):
            return self.responder == _subject(certificate)
        key = authority_key(certificate)
        return key is not None and x509.SubjectKeyIdentifier.from_public_key(key).digest == self.responder

    def _is_signed_by(self, certificate: x509.Certificate) -> bool:
        key = authority_key(certificate)
        return key is not None and is_signed(self.signed, self.signature, self.algorithm, key)

    def _source(self, responder: x509.Certificate) -> Mapping[str, Any]:
        return {
            "source": "ocsp",
            "responder": _subject_text(responder),
            "produced_at": self.produced_at.isoformat(),
        }


class OcspResponses:
    """The responses that came with a certificate."""

    __slots__ = ("_responses",)

    def __init__(self, evidence: Sequence[OcspEvidence] = ()) -> None:
        """Read the responses; raises MalformedError."""
        read = (OcspResponse.from_evidence(one) for one in evidence)
        self._responses = tuple(one for one in read if one is not None)

    def findings(
        self, certificate: x509.Certificate, issuer: x509.Certificate, lists: RevocationLists, at: datetime
    ) -> list[Finding]:
        """What they say of a certificate of `issuer`."""
        return [
            finding for one in self._responses for finding in one.findings(certificate, issuer, lists, at)
        ]


# A responder answers for thousands of certificates, and its name is read anew each time it is asked for.
@lru_cache(maxsize=256)
def _subject(certificate: x509.Certificate) -> x509.Name:
    return certificate.subject


@lru_cache(maxsize=256)
def _subject_text(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _is_delegated(
    responder: x509.Certificate, issuer: x509.Certificate, lists: RevocationLists, at: datetime
) -> bool:
    """The very issuer has certified the responder for OCSP, and it is in good standing (4.2.2.2)."""
    usages = extension(responder, x509.ExtendedKeyUsage)
    if usages is None or ExtendedKeyUsageOID.OCSP_SIGNING not in usages:
        return False
    usage = extension(responder, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        return False
    if any(one.critical and one.oid not in _UNDERSTOOD_IN_RESPONDERS for one in responder.extensions):
        return False
    if not responder.not_valid_before_utc <= at <= responder.not_valid_after_utc:
        return False
    return certificate_is_signed(responder, issuer) and _may_still_respond(responder, issuer, lists, at)


def _may_still_respond(
    responder: x509.Certificate, issuer: x509.Certificate, lists: RevocationLists, at: datetime
) -> bool:
    """Not revoked: by a current list, or for its short life by id-pkix-ocsp-nocheck (4.2.2.2.1)."""
    findings = lists.findings(responder, issuer)
    if any(one.status is Status.REVOKED for one in findings):
        return False
    if extension(responder, x509.OCSPNoCheck) is not None:
        return True
    return any(one.conclusive and one.is_current(at, None) for one in findings)
