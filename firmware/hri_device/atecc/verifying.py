"""Verify in the modes that the core does not use: a reply that is proved, and the validity of stored keys.

508A datasheet, "Verify" and "Validate"; MAC of the reply from the vendor's public host-side calculations.
Functions on an open session, since what is verified stands in TempKey or in the message digest buffer.
"""

from .. import const, sha256
from ..errors import CommandError, PacketError

_VERIFY = const(0x45)
_VERIFY_MS = const(1085)
_VALIDATE_EXTERNAL = const(1)
_EXTERNAL = const(2)
_VALIDATE = const(3)
_INVALIDATE = const(7)
_FROM_MESSAGE_DIGEST = const(0x20)
_MAC = const(0x80)
_P256 = const(4)
_MISCOMPARE = const(1)


def verify(session, slot, signature, message_digest=False):
    """Return whether `signature` (64 bytes) of the buffer is by the public key stored in `slot`."""
    mode = _FROM_MESSAGE_DIGEST if message_digest else 0
    return _true(session, mode, _slot(slot), _sized(signature, 64))


def verify_external(session, public_key, signature, message_digest=False):
    """Return whether `signature` of the buffer is by `public_key` (64 bytes)."""
    mode = _EXTERNAL | (_FROM_MESSAGE_DIGEST if message_digest else 0)
    return _true(session, mode, _P256, _sized(signature, 64) + _sized(public_key, 64))


def verify_proved(
    session, io_key, message, nonce, signature, slot=None, public_key=None, message_digest=False
):
    """Return whether the signature is good, and have the chip prove its answer with the IO-protection key.

    So nobody between board and chip can turn a no into a yes. `message` (32 bytes) is what the buffer
    holds, `nonce` (32 bytes) its upper half. One of `slot` and `public_key` names the key. Raises
    PacketError where the answer is not the chip's.
    """
    mode = _MAC | (_FROM_MESSAGE_DIGEST if message_digest else 0)
    data = _sized(signature, 64)
    if public_key is None:
        key_id = _slot(slot)
    else:
        mode |= _EXTERNAL
        key_id = _P256
        data += _sized(public_key, 64)
    try:
        answer = session.execute(_VERIFY, mode, key_id, data, 32, _VERIFY_MS)
    except CommandError as error:
        if error.status != _MISCOMPARE:
            raise
        return False
    tail = bytes((_VERIFY, mode, key_id & 0xFF, key_id >> 8))
    if sha256(_sized(io_key, 32) + message + nonce + bytes(signature) + tail).digest() != answer:
        raise PacketError("verify: the answer is not the chip's")
    return True


def validate(session, slot, signature, other):
    """Return whether the parent's signature made the public key in `slot` valid.

    TempKey holds GenKey's digest of the stored key; `other` is 19 bytes of the parent's message (Sign,
    internal: bytes 33 to 42, 44 to 47 and 50 to 54).
    """
    return _true(session, _VALIDATE, _slot(slot), _sized(signature, 64) + _sized(other, 19))


def invalidate(session, slot, signature, other):
    """Return whether the parent's signature (Sign, internal, to invalidate) made that key invalid."""
    return _true(session, _INVALIDATE, _slot(slot), _sized(signature, 64) + _sized(other, 19))


def validate_external(session, slot, signature, message_digest=False):
    """Return whether a signature over the buffer, an X.509 digest, made the public key in `slot` valid."""
    mode = _VALIDATE_EXTERNAL | (_FROM_MESSAGE_DIGEST if message_digest else 0)
    return _true(session, mode, _slot(slot), _sized(signature, 64))


def _true(session, mode, key_id, data):
    try:
        session.execute(_VERIFY, mode, key_id, data, 0, _VERIFY_MS)
    except CommandError as error:
        if error.status != _MISCOMPARE:
            raise
        return False
    return True


def _slot(slot):
    if not 0 <= slot <= 15:
        raise ValueError("no slot %d" % slot)
    return slot


def _sized(value, size):
    if len(value) != size:
        raise ValueError("%d bytes, not %d" % (len(value), size))
    return bytes(value)
