"""Which signatures of an authority count, on lists and on responses.

The same algorithms as cryptography's path verifier allows on certificates: P-256, P-384, P-521 and RSA from
2048 bits, with SHA-256, SHA-384 or SHA-512.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

AuthorityKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_MIN_RSA_BITS = 2048
_PKCS1: dict[x509.ObjectIdentifier, hashes.HashAlgorithm] = {
    SignatureAlgorithmOID.RSA_WITH_SHA256: hashes.SHA256(),
    SignatureAlgorithmOID.RSA_WITH_SHA384: hashes.SHA384(),
    SignatureAlgorithmOID.RSA_WITH_SHA512: hashes.SHA512(),
}
_ECDSA: dict[x509.ObjectIdentifier, ec.ECDSA] = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: ec.ECDSA(hashes.SHA256()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: ec.ECDSA(hashes.SHA384()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: ec.ECDSA(hashes.SHA512()),
}


def signature_is_whole(der: bytes, signature: bytes) -> bool:
    """Say whether the BIT STRING of a signature (found in `der` where it stands last) has no unused bits.

    cryptography does not look at their number, and takes a certificate with another one, which anybody can
    write there, for good: a twin with another fingerprint.
    """
    start = der.rfind(signature)
    return bool(signature) and start > 0 and der[start - 1] == 0


@lru_cache(maxsize=256)
def authority_key(certificate: x509.Certificate) -> AuthorityKey | None:
    """The key of an authority, if it is one whose signatures count."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA_BITS:
        return key
    return None


def list_is_signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Say whether the key of `issuer` signed the list (RFC 5280 section 6.3.3 (g))."""
    key = authority_key(issuer)
    try:
        if key is None or not isinstance(crl.signature_hash_algorithm, _HASHES):
            return False
        return crl.is_signature_valid(key)
    except (TypeError, ValueError, UnsupportedAlgorithm):  # of another family of algorithms
        return False


def is_signed(message: bytes, signature: bytes, algorithm: x509.ObjectIdentifier, key: AuthorityKey) -> bool:
    """Say whether `key` signed a message; `signature` is Ecdsa-Sig-Value (DER) or PKCS #1 version 1.5."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            if algorithm not in _ECDSA:
                return False
            key.verify(signature, message, _ECDSA[algorithm])
        else:
            if algorithm not in _PKCS1:
                return False
            key.verify(signature, message, padding.PKCS1v15(), _PKCS1[algorithm])
    except InvalidSignature:
        return False
    return True


# A responder's certificate comes again with each of its responses.
@lru_cache(maxsize=256)
def certificate_is_signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say whether `issuer` is named as the issuer and its key signed the certificate."""
    try:
        if authority_key(issuer) is None or not isinstance(certificate.signature_hash_algorithm, _HASHES):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
