"""COSE_Sign1 with ES256 (RFC 9052 section 4.2, RFC 9053 section 2.1): the envelope of what a device signs."""

from . import cbor, sha256

# Tag 18, array of four, the protected header {1: -7} as a bstr, the unprotected header {}. The profile of
# docs/protocol.md leaves no choice in any of them, so they are compared as bytes.
_START = b"\xd2\x84\x43\xa1\x01\x26\xa0"


def digest(payload):
    """Return SHA-256 over the Sig_structure of `payload`, external_aad empty (RFC 9052 section 4.4)."""
    start = bytearray(b"\x84\x6aSignature1\x43\xa1\x01\x26\x40")
    cbor.head(start, 2, len(payload))
    # In two parts, so that the payload is never held twice.
    state = sha256(start)
    state.update(payload)
    return state.digest()


def sign1(element, slot, payload, detached=False):
    """Return the tagged COSE_Sign1 of `payload` (bytes) by the key in `slot` of `element`.

    A detached one carries nil in the payload's place (RFC 9052 section 4.1).
    """
    out = bytearray(_START)
    cbor.encode_into(out, None if detached else payload)
    cbor.encode_into(out, element.sign(slot, digest(payload)))
    return bytes(out)


def open_sign1(data):
    """Return (payload, digest, signature) of an encoded COSE_Sign1; the caller verifies the signature.

    Raises ValueError unless it is tagged, ES256 in the protected header alone, unprotected header empty, with
    its payload inside and a 64-byte signature.
    """
    if data[:7] != _START:
        raise ValueError("cose: headers")
    payload, signature = cbor.decode(b"\x82" + data[7:])
    if not isinstance(payload, bytes) or not isinstance(signature, bytes) or len(signature) != 64:
        raise ValueError("cose: payload or signature")
    return payload, digest(payload), signature
