"""Certificate signing requests, checked before anything else looks at them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from hri.errors import PolicyRefusal

_LARGEST = 8192
_ECDSA = ec.ECDSA(hashes.SHA256())
# SubjectPublicKeyInfo of an uncompressed P-256 point up to the coordinates (RFC 5480 section 2).
SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


@dataclass(frozen=True, slots=True)
class CheckedCsr:
    """A request whose signature proves possession of its key.

    `public_bytes` is X ‖ Y (64 bytes), `spki_der` the SubjectPublicKeyInfo, `sha256` the digest of the whole
    request (32 bytes), `public_key_sha256` that of `spki_der` in lower-case hex: the derived device id.
    """

    public_key: ec.EllipticCurvePublicKey
    public_bytes: bytes
    spki_der: bytes
    subject_cn: str | None
    sha256: bytes
    public_key_sha256: str


def check_csr(der: bytes) -> CheckedCsr:
    """Parse a PKCS#10 request strictly and verify its signature (RFC 2986).

    Only P-256 keys and ecdsa-with-SHA256 are accepted. What the request asks for beyond key and common name
    is ignored: the profile alone decides what a certificate says.

    Raises PolicyRefusal.
    """
    if len(der) > _LARGEST:
        raise _refusal("csr-malformed", f"the request has {len(der)} bytes; {_LARGEST} is the most accepted")
    try:
        csr = x509.load_der_x509_csr(der)
        public_key = csr.public_key()
        names = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        algorithm = csr.signature_algorithm_oid
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise _refusal("csr-malformed", "the request is not a well-formed PKCS#10 request") from error
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or not isinstance(
        public_key.curve, ec.SECP256R1
    ):
        raise _refusal("csr-key-type", "the key of the request is not a P-256 key")
    if algorithm != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        raise _refusal("csr-signature-algorithm", "the request is not signed with ecdsa-with-SHA256")
    try:
        # Not `csr.is_signature_valid`, which decodes the key a second time: a fifth of the verification.
        public_key.verify(csr.signature, csr.tbs_certrequest_bytes, _ECDSA)
    except InvalidSignature as error:
        raise _refusal(
            "csr-signature", "the signature of the request does not verify: no proof of possession"
        ) from error
    if not der.endswith(b"\x00" + csr.signature):
        # A BIT STRING that leaves bits unused reads as the same bytes: two requests with one signature.
        raise _refusal("csr-malformed", "the signature of the request is not a whole number of bytes")
    if len(names) > 1:
        raise _refusal("csr-malformed", "the request names more than one common name")
    return _checked(public_key, str(names[0].value) if names else None, der)


@cache
def _small_multiples() -> frozenset[bytes]:
    """Return the abscissae of the keys d and n - d for the smallest d: what a broken generator gives."""
    keys = (ec.derive_private_key(scalar, ec.SECP256R1()).public_key() for scalar in range(1, 257))
    return frozenset(key.public_numbers().x.to_bytes(32, "big") for key in keys)


def checked_public_key(public_key: ec.EllipticCurvePublicKey) -> tuple[bytes, bytes, str]:
    """Return X ‖ Y (64 bytes), the SubjectPublicKeyInfo (DER) and its SHA-256 in hex, for a P-256 key.

    Raises PolicyRefusal.
    """
    if not isinstance(public_key.curve, ec.SECP256R1):
        raise _refusal("csr-key-type", "the key is not a P-256 key")
    return _encoded(public_key)


def _encoded(public_key: ec.EllipticCurvePublicKey) -> tuple[bytes, bytes, str]:
    point = public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    spki = SPKI_HEAD + point
    return point, spki, hashlib.sha256(spki).hexdigest()


def _checked(public_key: ec.EllipticCurvePublicKey, subject_cn: str | None, der: bytes) -> CheckedCsr:
    point, spki, fingerprint = _encoded(public_key)
    if point[:32] in _small_multiples():
        raise _refusal("csr-weak-key", "the private key of the request is one that anybody would guess")
    return CheckedCsr(public_key, point, spki, subject_cn, hashlib.sha256(der).digest(), fingerprint)


def _refusal(code: str, message: str) -> PolicyRefusal:
    return PolicyRefusal(code, message, "make a new request with the device's own key")
