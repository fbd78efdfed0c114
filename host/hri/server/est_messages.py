"""The messages of EST (RFC 7030): requests taken apart and checked, answers put together."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import SignatureAlgorithmOID

from hri.ca.csr_attributes import ID_AA_ATTESTATION, challenge_password
from hri.errors import PolicyRefusal
from hri.server.peer import Peer
from hri.server.problems import HttpProblem

_PKCS10 = "application/pkcs10"
_EC_PUBLIC_KEY = x509.ObjectIdentifier("1.2.840.10045.2.1")
_P256 = x509.ObjectIdentifier("1.2.840.10045.3.1.7")
_LINE = 76


@asn1.sequence
class _KeyAttribute:
    """Attribute (RFC 5652 section 5.3): id-ecPublicKey with the curve, as RFC 8951 section 3.2.3 has it."""

    type: x509.ObjectIdentifier
    values: asn1.SetOf[x509.ObjectIdentifier]


@asn1.sequence
class _CsrAttrs:
    key: _KeyAttribute
    signature: x509.ObjectIdentifier


@asn1.sequence
class _AttestedCsrAttrs:
    key: _KeyAttribute
    signature: x509.ObjectIdentifier
    attestation: x509.ObjectIdentifier


def read_request(body: bytes, content_type: str) -> bytes:
    """Return the PKCS#10 request (DER) of a body in base64, however its lines are broken.

    Raises HttpProblem `wrong-media-type` and PolicyRefusal `csr-malformed`.
    """
    if content_type.partition(";")[0].strip().lower() != _PKCS10:
        raise HttpProblem("wrong-media-type", f"the request is not {_PKCS10}", f"send it as {_PKCS10}")
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PolicyRefusal(
            "csr-malformed", "the request is not base64", "send the DER in base64 (RFC 8951 section 3)"
        ) from error


def certs_only(certificates: Sequence[bytes]) -> bytes:
    """Return a certs-only CMS message of certificates (DER), in base64 with broken lines."""
    parsed = [x509.load_der_x509_certificate(der) for der in certificates]
    return _base64(pkcs7.serialize_certificates(parsed, Encoding.DER))


def csr_attrs(*, attested: bool) -> bytes:
    """Return CsrAttrs (RFC 7030 section 4.5.2) in base64."""
    key = _KeyAttribute(type=_EC_PUBLIC_KEY, values=asn1.SetOf([_P256]))
    signature = SignatureAlgorithmOID.ECDSA_WITH_SHA256
    if attested:
        return _base64(
            asn1.encode_der(_AttestedCsrAttrs(key=key, signature=signature, attestation=ID_AA_ATTESTATION))
        )
    return _base64(asn1.encode_der(_CsrAttrs(key=key, signature=signature)))


def check_binding(csr_der: bytes, peer: Peer | None) -> None:
    """Check that a request which is bound to a channel is bound to this one (RFC 7030 section 3.5).

    A challengePassword is the base64 of tls-unique, which only TLS 1.2 has; what it is bound to under TLS 1.3
    cannot be checked here, so there it is refused.

    Raises PolicyRefusal.
    """
    password = challenge_password(x509.load_der_x509_csr(csr_der))
    if password is None:
        return
    if peer is None or peer.tls_unique is None:
        raise PolicyRefusal(
            "channel-binding",
            f"the request is bound to a channel, but {peer.version if peer else 'HTTP'} has no tls-unique",
            "leave the challengePassword out, or connect with TLS 1.2",
        )
    expected = base64.b64encode(peer.tls_unique)
    if not hmac.compare_digest(password.encode(), expected):
        raise PolicyRefusal(
            "channel-binding",
            "the request is bound to another channel than this one",
            "do not send it through a proxy that ends TLS; make it on this connection",
        )


def same_names(csr_der: bytes, certificate_der: bytes) -> None:
    """Check that a request for re-enrolment names whom the present certificate names (section 4.2.2).

    The subject has to be the same; alternative names too, if the request has any: without, they come from
    the profile as always.

    Raises PolicyRefusal.
    """
    csr = x509.load_der_x509_csr(csr_der)
    present = x509.load_der_x509_certificate(certificate_der)
    try:
        wanted = {extension.oid: extension.value for extension in csr.extensions}
    except (ValueError, x509.DuplicateExtension) as error:
        raise PolicyRefusal(
            "csr-malformed", "the extensions of the request cannot be read", "make a new request"
        ) from error
    names = wanted.get(x509.SubjectAlternativeName.oid)
    try:
        known = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        known = None
    if csr.subject != present.subject or names not in (None, known):
        raise PolicyRefusal(
            "csr-names-another-device",
            "the request does not name whom the present certificate names",
            f"give it the subject {present.subject.rfc4514_string()}",
        )


def _base64(der: bytes) -> bytes:
    text = base64.b64encode(der)
    return b"\r\n".join(text[start : start + _LINE] for start in range(0, len(text), _LINE)) + b"\r\n"
