"""Strict COSE_Sign1 with ES256, the only envelope that hri accepts (RFC 9052, docs/protocol.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

# No message of the protocol is longer than a frame (docs/protocol.md, "Frames").
MAX_BYTES = 4096
_MAX_DEPTH = 6
_TAG_SIGN1 = 18
_PROTECTED_ES256 = bytes.fromhex("a10126")


class MalformedError(ValueError):
    """The input is not what the protocol describes, so there is nothing to decide about."""


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 by ES256; `payload` is None where it is detached, `signature` is r ‖ s, 64 bytes."""

    payload: bytes | None
    signature: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Sign1:
        """Parse deterministic CBOR of exactly the shape in docs/protocol.md; raises MalformedError."""
        tagged = decode(data)
        if not isinstance(tagged, cbor2.CBORTag) or tagged.tag != _TAG_SIGN1:
            raise MalformedError("not a COSE_Sign1 (CBOR tag 18)")
        parts = tagged.value
        if not isinstance(parts, (list, tuple)) or len(parts) != 4:
            raise MalformedError("a COSE_Sign1 has four parts")
        protected, unprotected, payload, signature = parts
        if protected != _PROTECTED_ES256:
            raise MalformedError("the protected header must be exactly {1: -7} (ES256)")
        if payload is not None and type(payload) is not bytes:
            raise MalformedError("the payload must be a byte string or nil")
        if type(signature) is not bytes or len(signature) != 64:
            raise MalformedError("an ES256 signature has 64 bytes")
        # Encoding what was understood and comparing bytes leaves no room for a second reading: no other
        # headers, no duplicate keys, no indefinite or over-long lengths, nothing after the end.
        if encode(cbor2.CBORTag(_TAG_SIGN1, [protected, {}, payload, signature])) != data:
            raise MalformedError(
                f"not deterministic CBOR, or unexpected headers: {type(unprotected).__name__}"
            )
        return cls(payload, signature)

    def is_signed_by(self, key: ec.EllipticCurvePublicKey, payload: bytes) -> bool:
        """Whether `key` signed `payload`: the Sig_structure of RFC 9052 section 4.4, no external data."""
        to_be_signed = encode(["Signature1", _PROTECTED_ES256, b"", payload])
        return is_signature(key, self.signature, to_be_signed)


def is_signature(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the 64 bytes r ‖ s are an ECDSA P-256 signature of SHA-256(`message`) by `key`."""
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def public_key(raw: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key of the 64 bytes X ‖ Y; raises MalformedError if they are no point of the curve."""
    if len(raw) != 64:
        raise MalformedError("a P-256 public key has 64 bytes")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw)
    except ValueError as error:
        raise MalformedError("the public key is no point of P-256") from error


def encode(value: Any) -> bytes:
    """Deterministic CBOR (RFC 8949 section 4.2.1)."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> Any:
    """Decode a bounded piece of CBOR; raises MalformedError, whatever the input."""
    if type(data) is not bytes:
        raise MalformedError("not bytes")
    if len(data) > MAX_BYTES:
        raise MalformedError(f"{len(data)} bytes, and no message is longer than {MAX_BYTES}")
    try:
        return cbor2.loads(data, max_depth=_MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, MemoryError, RecursionError) as error:
        raise MalformedError(f"not CBOR: {error}") from error
