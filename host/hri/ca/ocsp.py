"""The OCSP responder: from the bytes of a request to the bytes of the answer (RFC 6960, RFC 9654)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.asn1 import TLV, decode_der
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from hri.ca.ocsp_delegate import Delegate
from hri.ca.ocsp_messages import (
    CertID,
    MalformedRequestError,
    Period,
    Request,
    Standing,
    successful_response,
    tbs_response,
)
from hri.errors import HriError
from hri.log import get_logger

LIFETIME = timedelta(hours=24)
StandingOf = Callable[[Collection[int]], Mapping[int, Standing]]
"""What is known of these serial numbers; those that were never issued are left out. Raises HriError."""

_ECDSA = ec.ECDSA(hashes.SHA256())
# The algorithms in which a CertID may name the issuer: RFC 5019 section 2.1.1, and its successor in use.
_HASHES: Final = {
    x509.ObjectIdentifier("1.3.14.3.2.26"): hashes.SHA1(),  # noqa: S303 - names an issuer, proves nothing
    x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1"): hashes.SHA256(),
}
_log = get_logger(__name__)


def _error(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


MALFORMED_REQUEST = _error(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
UNAUTHORIZED = _error(ocsp.OCSPResponseStatus.UNAUTHORIZED)
TRY_LATER = _error(ocsp.OCSPResponseStatus.TRY_LATER)
"""The answers that nobody signs (section 2.3)."""


@dataclass(frozen=True, slots=True)
class _Voice:
    """A delegate with what of it goes into every answer."""

    delegate: Delegate
    key_hash: bytes
    certificate: TLV

    @classmethod
    def of(cls, delegate: Delegate) -> _Voice:
        key_hash = x509.SubjectKeyIdentifier.from_public_key(delegate.key.public_key()).digest
        der = delegate.certificate.public_bytes(Encoding.DER)
        return cls(delegate, key_hash, decode_der(TLV, der))


class Responder:
    """Answers for the certificates of one issuing CA; safe to share between threads."""

    def __init__(
        self,
        issuing: x509.Certificate,
        standing_of: StandingOf,
        delegate: Callable[[datetime], Delegate],
        *,
        lifetime: timedelta = LIFETIME,
    ) -> None:
        """Take the CA's certificate, what is known of its certificates, and who signs at a time.

        An answer may be used for `lifetime`, and never beyond the delegate's certificate.
        """
        self._standing_of = standing_of
        self._delegate = delegate
        self._lifetime = lifetime
        self._issuers = frozenset(_issuer_names(issuing))
        self._voice: _Voice | None = None

    def answer(self, request_der: bytes, now: datetime) -> bytes:
        """Return the answer (DER) to a request (DER); whatever comes in, this is what goes out.

        `unknown` says that the CA never issued such a certificate; where no certificate of the CA is asked
        about the answer is `unauthorized` (RFC 5019 section 2.2.3). `tryLater` where the registry or the
        delegate cannot be had now.
        """
        return Responders((self,)).answer(request_der, now)

    def knows(self, request: Request) -> bool:
        """Say whether a request asks about a certificate of this CA."""
        return any(map(self._is_ours, request.cert_ids))

    def answer_to(self, request: Request, now: datetime) -> bytes:
        """Return the answer (DER) to a request about a certificate of this CA."""
        ours = [cert_id for cert_id in request.cert_ids if self._is_ours(cert_id)]
        try:
            known = self._standing_of({cert_id.serial_number for cert_id in ours})
            voice = self._voice_at(now)
        except HriError as error:
            _log.error("no OCSP answer can be given", code=error.code, error=error.message)
            return TRY_LATER
        if not voice.delegate.is_valid(now):
            _log.error("the OCSP responder's certificate is not valid now")
            return TRY_LATER
        answers = [
            (cert_id, known.get(cert_id.serial_number) if self._is_ours(cert_id) else None)
            for cert_id in request.cert_ids
        ]
        end = min(now + self._lifetime, voice.delegate.certificate.not_valid_after_utc)
        tbs = tbs_response(voice.key_hash, answers, Period.between(now, end), request.nonce)
        return successful_response(tbs, voice.delegate.key.sign(tbs, _ECDSA), voice.certificate)

    def _voice_at(self, now: datetime) -> _Voice:
        delegate, voice = self._delegate(now), self._voice
        if voice is None or voice.delegate is not delegate:
            # One assignment of a value that does not change: threads see the old one or the new one.
            self._voice = voice = _Voice.of(delegate)
        return voice

    def _is_ours(self, cert_id: CertID) -> bool:
        named = cert_id.hash_algorithm.algorithm, cert_id.issuer_name_hash, cert_id.issuer_key_hash
        return named in self._issuers


class Responders:
    """The responders of several issuing CAs, or generations of one, behind one address."""

    def __init__(self, responders: Sequence[Responder]) -> None:
        self._responders = tuple(responders)

    def answer(self, request_der: bytes, now: datetime) -> bytes:
        """Return the answer of the first CA that a request asks about, as `Responder.answer` does.

        A request about certificates of several CAs is answered by one of them; the others' are `unknown`.
        """
        try:
            request = Request.from_der(request_der)
        except MalformedRequestError as error:
            _log.info("OCSP request refused", error=str(error))
            return MALFORMED_REQUEST
        return self.answer_to(request, now)

    def answer_to(self, request: Request, now: datetime) -> bytes:
        """Return the answer (DER) to a request that was read already."""
        for responder in self._responders:
            if responder.knows(request):
                return responder.answer_to(request, now)
        return UNAUTHORIZED


def issuer_hashes(issuing: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    """Return the hashes of a CA's name and of its key, by which a CertID names it (section 4.1.1)."""
    name = hashes.Hash(algorithm)
    name.update(issuing.subject.public_bytes())
    # For a certificate that the CA issued the name would come out the same; of the CA's own the library
    # takes the name of the CA above.
    asked = ocsp.OCSPRequestBuilder().add_certificate(issuing, issuing, algorithm).build()
    return name.finalize(), asked.issuer_key_hash


def _issuer_names(issuing: x509.Certificate) -> list[tuple[x509.ObjectIdentifier, bytes, bytes]]:
    """Return the ways in which a CertID may name a CA: algorithm, hash of its name, hash of its key."""
    return [(oid, *issuer_hashes(issuing, algorithm)) for oid, algorithm in _HASHES.items()]
