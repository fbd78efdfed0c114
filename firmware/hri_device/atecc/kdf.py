"""Key derivation in the chip: the PRF of TLS 1.2, AES and HKDF (608 public headers, "KDF").

Where sources and targets may be is the slots' policy and the chip's (ChipOptions). What is sent to a slot is
not sent again after a lost reply: the same inputs give the same key, so calling again does no harm.
"""

from .. import const
from .ecdh import unmasked

_KDF = const(0x56)
_KDF_MS = const(165)
FROM_TEMPKEY, FROM_UPPER_TEMPKEY, FROM_SLOT, FROM_ALTERNATE = range(4)
TO_TEMPKEY, TO_UPPER_TEMPKEY, TO_SLOT, TO_ALTERNATE, TO_OUTPUT, TO_OUTPUT_ENCRYPTED = range(6)
PRF = const(0x00)
AES = const(0x20)
HKDF = const(0x40)
# Details of PRF: length of the key, of the result, and the split for AEAD suites.
KEY_16, KEY_32, KEY_48, KEY_64 = range(4)
_TARGET_64 = const(0x100)
_AEAD = const(0x600)
# Details of HKDF: where the message is.
MESSAGE_IN_SLOT, MESSAGE_IN_TEMPKEY, MESSAGE, MESSAGE_WITH_IV = range(4)
_ZERO_KEY = const(0x04)
_MESSAGE_LIMIT = const(128)


def prf(session, message, source=FROM_SLOT, target=TO_OUTPUT, source_slot=0, target_slot=0, **options):
    """Derive 32 bytes, or 64 with `long`, by P_SHA256 of TLS 1.2 (RFC 5246 section 5) from `message`.

    `message` is label and seed; `key_length` is one of KEY_16 to KEY_64; `aead` keeps what an AEAD suite
    does not use in the chip. Returns the result, b"" where it stays in the chip.
    """
    details = options.get("key_length", KEY_32)
    if options.get("long"):
        details |= _TARGET_64
    if options.get("aead"):
        details |= _AEAD
    size = 64 if options.get("long") else 32
    return _kdf(session, PRF, source, target, source_slot, target_slot, details, message, size)


def aes(session, message, source=FROM_SLOT, target=TO_OUTPUT, source_slot=0, target_slot=0, key_block=0):
    """Derive 32 bytes: `message` (16 bytes) encrypted by block `key_block` of the source, and 16 zeros."""
    if len(message) != 16 or not 0 <= key_block <= 3:
        raise ValueError("16 bytes, and a block of the key")
    return _kdf(session, AES, source, target, source_slot, target_slot, key_block, message, 32)


def hkdf(session, message, source=FROM_SLOT, target=TO_OUTPUT, source_slot=0, target_slot=0, **options):
    """Derive 32 bytes: HMAC-SHA-256 of a message with the source as its key (one step of RFC 5869).

    `place` is one of MESSAGE (as given), MESSAGE_IN_SLOT (`message_slot`), MESSAGE_IN_TEMPKEY and
    MESSAGE_WITH_IV; `zero_key` takes 32 zeros in the source's place. Where the chip has the message, give
    b"", and `length` if TempKey holds 64 bytes of it, not 32 (assumed: the public headers do not say).
    """
    place = options.get("place", MESSAGE)
    details = place | options.get("message_slot", 0) << 8
    if place in (MESSAGE_IN_SLOT, MESSAGE_IN_TEMPKEY):
        if message:
            raise ValueError("the chip has the message")
        details |= options.get("length", 32) << 24
    if options.get("zero_key"):
        details |= _ZERO_KEY
    return _kdf(session, HKDF, source, target, source_slot, target_slot, details, message, 32)


def output(element, algorithm, message, slot, io_key=None, **options):
    """Return what `algorithm` (prf, aes or hkdf) derives from the key in `slot`, in one waking.

    With `io_key` (32 bytes) the result is masked on the bus.
    """
    target = TO_OUTPUT if io_key is None else TO_OUTPUT_ENCRYPTED
    with element.session as session:
        answer = algorithm(session, message, FROM_SLOT, target, slot, 0, **options)
    return answer if io_key is None else unmasked(answer, io_key)


def _kdf(session, algorithm, source, target, source_slot, target_slot, details, message, size):
    if not (0 <= source <= 3 and 0 <= target <= 5 and 0 <= source_slot <= 15 and 0 <= target_slot <= 15):
        raise ValueError("source, target or slot")
    length = len(message)
    if length > _MESSAGE_LIMIT:
        raise ValueError("a message has at most 128 bytes")
    if algorithm != AES:  # Whose message is always one block.
        details |= length << 24
    data = details.to_bytes(4, "little") + bytes(message)
    if target < TO_OUTPUT:
        # An AEAD split gives half of a long result away, and keeps the other.
        size = -32 if details & _AEAD and algorithm == PRF else 0
    elif target == TO_OUTPUT_ENCRYPTED:
        size += 32
    mode = source | target << 2 | algorithm
    answer = session.execute(_KDF, mode, source_slot | target_slot << 8, data, size, _KDF_MS)
    if target in (TO_TEMPKEY, TO_UPPER_TEMPKEY, TO_ALTERNATE):
        session.holding = True
    return answer
