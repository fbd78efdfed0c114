"""Symmetric challenge and response: MAC, CheckMac and DeriveKey (508A datasheet, sections of these names).

A board leaves this out whose keys are all private keys. The functions of an open session are for challenges
in TempKey; `response`, `check` and `roll` are one waking each. Message layouts: the vendor's public host-side
calculations.
"""

from .. import const, sha256
from ..errors import CommandError
from . import tempkey

_MAC = const(0x08)
_MAC_MS = const(55)
_CHECKMAC = const(0x28)
_CHECKMAC_MS = const(40)
_DERIVEKEY = const(0x1C)
_DERIVEKEY_MS = const(50)
_MISCOMPARE = const(1)
CHALLENGE_IN_TEMPKEY = const(0x01)
KEY_IN_TEMPKEY = const(0x02)
FIXED_NONCE = const(0x04)
OTP_88 = const(0x10)
OTP_64 = const(0x20)
FULL_SERIAL = const(0x40)
_MAC_MODES = const(0x77)
_CHECKMAC_MODES = const(0x27)


def mac(session, mode, slot, challenge=b""):
    """Return the chip's MAC (32 bytes): `mode` is a sum of the constants above.

    `challenge` has 32 bytes, or none with CHALLENGE_IN_TEMPKEY.
    """
    if mode & ~_MAC_MODES or len(challenge) != (0 if mode & CHALLENGE_IN_TEMPKEY else 32):
        raise ValueError("mode or challenge")
    return session.execute(_MAC, mode, _slot(slot), challenge, 32, _MAC_MS)


def checkmac(session, mode, slot, challenge, response, other):
    """Return whether `response` (32 bytes) is right; `challenge` 32 bytes, `other` 13 (see other_data)."""
    if mode & ~_CHECKMAC_MODES or (len(challenge), len(response), len(other)) != (32, 32, 13):
        raise ValueError("mode, or a length")
    data = bytes(challenge) + bytes(response) + bytes(other)
    try:
        session.execute(_CHECKMAC, mode, _slot(slot), data, 0, _CHECKMAC_MS)
    except CommandError as error:
        if error.status != _MISCOMPARE:
            raise
        return False
    session.holding = True  # It may have left a key in TempKey, or authorised one.
    return True


def derive_key(session, slot, fixed_nonce=False, proof=b""):
    """Replace the key in `slot` by one derived from it, or from its parent, and TempKey.

    `proof` is the parent's MAC (32 bytes) where the slot asks for one (see derive_proof). Nothing is sent
    again after a lost reply: derived twice is another key.
    """
    if len(proof) not in (0, 32):
        raise ValueError("a proof has 32 bytes")
    mode = FIXED_NONCE if fixed_nonce else 0
    session.execute(_DERIVEKEY, mode, _slot(slot), proof, 0, _DERIVEKEY_MS)


def response(element, slot, challenge):
    """Return the chip's MAC of `challenge` (32 bytes) with the key in `slot`."""
    with element.session as session:
        return mac(session, FULL_SERIAL, slot, challenge)


def check(element, slot, challenge, answer, other):
    """Return whether `answer` is the MAC of `challenge` with the key in `slot`."""
    with element.session as session:
        return checkmac(session, 0, slot, challenge, answer, other)


def roll(element, slot, num_in):
    """Replace the key in `slot` by one derived from it; return the 32 bytes that a host needs to follow."""
    with element.session as session:
        random = tempkey.random_nonce(session, num_in)
        derive_key(session, slot)
    return random


# What a host computes.


def mac_value(key, challenge, mode, slot, serial, otp=bytes(11)):
    """Return what MAC gives for `key` and `challenge` (32 bytes each) in the chip with `serial` (9 bytes)."""
    whole = mode & FULL_SERIAL
    message = bytes(key) + bytes(challenge) + bytes((_MAC, mode, slot, 0))
    message += otp[:8] if mode & (OTP_88 | OTP_64) else bytes(8)
    message += otp[8:11] if mode & OTP_88 else bytes(3)
    message += serial[8:] + (serial[4:8] if whole else bytes(4)) + serial[:2]
    return sha256(message + (serial[2:4] if whole else bytes(2))).digest()


def other_data(mode, slot, serial):
    """Return the OtherData (13 bytes) with which CheckMac accepts what MAC of `mode` gave in that chip."""
    whole = mode & FULL_SERIAL
    head = bytes((_MAC, mode, slot, 0)) + bytes(3)
    return head + (serial[4:8] if whole else bytes(4)) + (serial[2:4] if whole else bytes(2))


def derived_value(key, tempkey_value, slot, serial, mode=0):
    """Return the key that derive_key makes of `key` and TempKey."""
    head = bytes((_DERIVEKEY, mode, slot, 0)) + serial[8:] + serial[:2]
    return sha256(bytes(key) + head + bytes(25) + bytes(tempkey_value)).digest()


def derive_proof(parent, slot, serial, mode=0):
    """Return the MAC (32 bytes) that DeriveKey asks for where the slot's WriteConfig says so."""
    return sha256(bytes(parent) + bytes((_DERIVEKEY, mode, slot, 0)) + serial[8:] + serial[:2]).digest()


def _slot(slot):
    if not 0 <= slot <= 15:
        raise ValueError("no slot %d" % slot)
    return slot
