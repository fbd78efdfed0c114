"""Sign and GenKey in the modes that the core does not use: other buffers, internal messages, ephemeral keys.

508A datasheet, "Sign", "GenKey"; the 608's message digest buffer from its public variant pages. Functions
on an open session, for sequences of a program's own; `digest` at the end shows how they go together.
"""

from .. import const
from . import tempkey

_SIGN = const(0x41)
_SIGN_MS = const(665)
_EXTERNAL = const(0x80)
_FULL_SERIAL = const(0x40)
_FROM_MESSAGE_DIGEST = const(0x20)
_TO_INVALIDATE = const(0x01)
_GENKEY = const(0x40)
_GENKEY_MS = const(653)
_CREATE = const(0x04)
_DIGEST = const(0x08)
_STORED = const(0x10)
_TEMPKEY = const(0xFFFF)


def sign(session, slot, message_digest=False):
    """Return the signature (64 bytes) of TempKey, or of the message digest buffer, by the key in `slot`."""
    mode = _EXTERNAL | (_FROM_MESSAGE_DIGEST if message_digest else 0)
    return session.execute(_SIGN, mode, _slot(slot), b"", 64, _SIGN_MS)


def sign_internal(session, slot, full_serial=True, to_invalidate=False):
    """Return the signature (64 bytes) of the message that the chip builds of TempKey and of what it is."""
    mode = (_FULL_SERIAL if full_serial else 0) | (_TO_INVALIDATE if to_invalidate else 0)
    return session.execute(_SIGN, mode, _slot(slot), b"", 64, _SIGN_MS)


def public_key(session, slot, digest=False):
    """Return the public key (64 bytes) of the private key in `slot`; with `digest` mix it into TempKey."""
    return session.execute(_GENKEY, _DIGEST if digest else 0, _slot(slot), b"", 64, _GENKEY_MS)


def create_key(session, slot, digest=False):
    """Create a private key in `slot` and return its public key; with `digest` mix that into TempKey."""
    return session.execute(_GENKEY, _CREATE | (_DIGEST if digest else 0), _slot(slot), b"", 64, _GENKEY_MS)


def create_ephemeral_key(session):
    """Create a private key in TempKey, for ECDH in the same session, and return its public key."""
    key = session.execute(_GENKEY, _CREATE, _TEMPKEY, b"", 64, _GENKEY_MS)
    session.holding = True
    return key


def digest_stored_key(session, slot, other):
    """Mix the public key stored in `slot` into TempKey; `other` (3 bytes) stand for mode and key id."""
    if len(other) != 3:
        raise ValueError("other: 3 bytes")
    session.execute(_GENKEY, _STORED, _slot(slot), other, 0, _GENKEY_MS)


def digest(element, slot, value):
    """Return the signature of `value` (32 bytes) by the key in `slot`, through the message digest buffer."""
    with element.session as session:
        tempkey.fixed_nonce(session, value, tempkey.MESSAGE_DIGEST)
        return sign(session, slot, True)


def _slot(slot):
    if not 0 <= slot <= 15:
        raise ValueError("no slot %d" % slot)
    return slot
