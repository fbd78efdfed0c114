"""COSE_Sign1 with ES256 (RFC 9052 section 4.2, RFC 9053 section 2.1): the envelope of all that a device signs."""

from hashlib import sha256

from . import cbor

_TAG_SIGN1 = 18
# {1: -7}, the serialised protected header of ES256, as a bstr.
_PROTECTED = b"\xa1\x01\x26"


def digest(payload):
    """Return SHA-256 over the Sig_structure of `payload` (bytes), external_aad empty (RFC 9052 section 4.4)."""
    start = bytearray(b"\x84\x6aSignature1\x43\xa1\x01\x26\x40")
    cbor.head(start, 2, len(payload))
    # In two parts, so that the payload is never held twice.
    state = sha256(start)
    state.update(payload)
    return state.digest()


def sign1(payload, sign, detached=False):
    """Return the tagged COSE_Sign1 of `payload` (bytes); `sign(digest32)` gives r || s of 64 bytes.

    A detached one carries nil in the payload's place (RFC 9052 section 4.1).
    """
    signature = sign(digest(payload))
    return cbor.encode(cbor.Tag(_TAG_SIGN1, [_PROTECTED, {}, None if detached else payload, signature]))


def open_sign1(data):
    """Return (payload, digest, signature) of an encoded COSE_Sign1; the caller verifies the signature.

    Raises ValueError unless it is tagged, ES256 in the protected header alone, unprotected header empty, with its
    payload inside and a 64-byte signature.
    """
    message = cbor.decode(data)
    if not isinstance(message, cbor.Tag) or message.number != _TAG_SIGN1:
        raise ValueError("cose: not a COSE_Sign1")
    parts = message.value
    if not isinstance(parts, list) or len(parts) != 4 or parts[0] != _PROTECTED or parts[1] != {}:
        raise ValueError("cose: not ES256, or headers that are not expected")
    payload, signature = parts[2:]
    if not isinstance(payload, bytes) or not isinstance(signature, bytes) or len(signature) != 64:
        raise ValueError("cose: payload or signature missing")
    return payload, digest(payload), signature
