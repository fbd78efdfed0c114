"""P-256 as the chip's commands use it: raw 32-byte scalars, 64-byte points and signatures."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from hri.rig.atecc.refusal import execution_error

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""FIPS 186-4, D.1.2.3."""

_ECDSA_SHA256_DIGEST = ec.ECDSA(Prehashed(hashes.SHA256()))


def is_scalar(value: bytes | bytearray) -> bool:
    """Return whether these bytes, read as a big-endian number, are a private key."""
    return 0 < int.from_bytes(value, "big") < P256_ORDER


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return X and Y, 64 bytes."""
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def ecdsa_sign(key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
    """Return R and S over a 32-byte digest, 64 bytes."""
    r, s = decode_dss_signature(key.sign(digest, _ECDSA_SHA256_DIGEST))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def load_public_key(public_key: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key with these X and Y; a point that is not on the curve is refused with 0F, not 05."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    except ValueError:
        raise execution_error() from None


def ecdsa_verify(public_key: bytes, signature: bytes, digest: bytes) -> bool:
    """Return whether R and S are a signature of ``digest`` by X and Y."""
    key = load_public_key(public_key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), digest, _ECDSA_SHA256_DIGEST)
    except InvalidSignature:
        return False
    return True


def shared_secret(key: ec.EllipticCurvePrivateKey, public_key: bytes) -> bytes:
    """Return the X coordinate of the shared point, 32 bytes (SP 800-56A, 5.7.1.2)."""
    return key.exchange(ec.ECDH(), load_public_key(public_key))
