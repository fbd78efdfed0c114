"""What brings a value into TempKey, and what a host computes that it is: Nonce and GenDig in all their modes.

For sequences of a program's own: every function takes an open session (`with element.session as s:`), since
TempKey is gone when it closes. 508A datasheet, "Nonce", "GenDig"; the vendor's public host-side calculations.
"""

from .. import const, sha256

# Targets of a fixed nonce, and zones of GenDig.
TEMPKEY = const(0x00)
MESSAGE_DIGEST = const(0x40)
ALTERNATE = const(0x80)
CONFIG, OTP, DATA, SHARED_NONCE, COUNTER, KEY_CONFIG = range(6)

_NONCE = const(0x16)
_NONCE_MS = const(20)
_NO_SEED_UPDATE = const(0x01)
_FIXED = const(0x03)
_LONG = const(0x20)
_OF_TEMPKEY = const(0x8000)
_NUM_IN = const(20)
_GENDIG = const(0x15)
_GENDIG_MS = const(35)
_SWAPPED = const(0x8000)


def random_nonce(session, num_in, seed_update=True, of_tempkey=False):
    """Mix `num_in` (20 bytes) and the chip's 32 random bytes into TempKey; return the latter.

    With `of_tempkey` TempKey takes the random bytes' place, and the new TempKey is returned.
    """
    if len(num_in) != _NUM_IN:
        raise ValueError("num_in: 20 bytes")
    mode = 0 if seed_update else _NO_SEED_UPDATE
    return session.execute(_NONCE, mode, _OF_TEMPKEY if of_tempkey else 0, num_in, 32, _NONCE_MS)


def fixed_nonce(session, value, target=TEMPKEY):
    """Put `value` as it is into `target`: 32 or 64 bytes, for ALTERNATE 32."""
    size = len(value)
    if size not in (32, 64) or target not in (TEMPKEY, MESSAGE_DIGEST, ALTERNATE):
        raise ValueError("32 or 64 bytes into TEMPKEY, MESSAGE_DIGEST or ALTERNATE")
    if target == ALTERNATE and size != 32:
        raise ValueError("ALTERNATE: 32 bytes")
    session.execute(_NONCE, _FIXED | target | (_LONG if size == 64 else 0), 0, value, 0, _NONCE_MS)


def gendig(session, zone, key_id, other=b"", swapped=False):
    """Mix a value that the chip keeps into TempKey.

    `key_id` is a block of CONFIG or OTP, a slot of DATA or KEY_CONFIG, a number of COUNTER, or, of
    SHARED_NONCE, the low byte of the key id, with `other` the 32 bytes to mix in. Of a slot with NoMac,
    `other` is the four bytes that stand for opcode and parameters.
    """
    if not 0 <= zone <= KEY_CONFIG or not 0 <= key_id <= 0xFF:
        raise ValueError("zone or key id")
    if len(other) not in ((32,) if zone == SHARED_NONCE else (0, 4) if zone == DATA else (0,)):
        raise ValueError("length of other")
    session.execute(_GENDIG, zone, key_id | (_SWAPPED if swapped else 0), other, 0, _GENDIG_MS)


def nonce_value(random, num_in, mode=0):
    """Return TempKey after random_nonce (mode 0 or 1) returned `random`."""
    return sha256(bytes(random) + bytes(num_in) + bytes((_NONCE, mode, 0))).digest()


def gendig_value(tempkey, serial, value, zone, key_id, other=b""):
    """Return TempKey after gendig of `value` (32 bytes of the zone), in the chip with `serial` (9 bytes)."""
    head = other or bytes((_GENDIG, zone, key_id & 0xFF, key_id >> 8))
    return sha256(bytes(value) + head + serial[8:] + serial[:2] + bytes(25) + bytes(tempkey)).digest()
