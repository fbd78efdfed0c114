"""MAC and CheckMac: a digest over a key and a challenge, made and checked.

Sources: ATECC508A data sheet DS20005927A (5); public 608 variant pages, "CheckMac" (O); the vendor's public
host-side calculations (H).
"""

from __future__ import annotations

import hmac

from hri.rig.atecc.core import OK, Core, sha256
from hri.rig.atecc.eeprom import NO_MAC, REQ_RANDOM
from hri.rig.atecc.key_use import authorise, require_random_nonce, use_key
from hri.rig.atecc.packet import Status
from hri.rig.atecc.refusal import Refused, execution_error, parse_error, require
from hri.rig.atecc.tempkey import INPUT_SOURCE, RANDOM_SOURCE

_MAC = 0x08
_SECOND_FROM_TEMPKEY, _FIRST_FROM_TEMPKEY, _SOURCE_IS_INPUT = 0x01, 0x02, 0x04
_OTP_88, _OTP_64, _FULL_SERIAL = 0x10, 0x20, 0x40


def mac(core: Core, mode: int, slot: int, data: bytes) -> bytes:
    """MAC: SHA-256 of 88 bytes, a key and a challenge first; either may be TempKey (5, H)."""
    if mode & 0x88 or slot > 15 or len(data) != (0 if mode & _SECOND_FROM_TEMPKEY else 32):
        raise parse_error()
    core.require_data_locked()
    temp_key = _temp_key(core, mode)
    # NoMac: "intended for verification usage and cannot be used by the MAC command" (5).
    first = temp_key if mode & _FIRST_FROM_TEMPKEY else _slot_key(core, mode, slot, forbidden=NO_MAC)
    serial_number, otp = core.eeprom.serial_number, bytes(core.eeprom.otp)
    full = bool(mode & _FULL_SERIAL)
    digest = sha256(
        first,
        temp_key if mode & _SECOND_FROM_TEMPKEY else data,
        bytes((_MAC, mode, slot, 0)),
        otp[:8] if mode & (_OTP_88 | _OTP_64) else bytes(8),
        otp[8:11] if mode & _OTP_88 else bytes(3),
        serial_number[8:9],
        serial_number[4:8] if full else bytes(4),
        serial_number[0:2],
        serial_number[2:4] if full else bytes(2),
    )
    if mode & (_FIRST_FROM_TEMPKEY | _SECOND_FROM_TEMPKEY):
        core.temp_key.invalidate()
    return digest


def checkmac(core: Core, mode: int, slot: int, data: bytes) -> bytes:
    """CheckMac: compare a response with the one that this key and challenge give (O, H).

    ``data`` is the challenge (32), the response (32) and OtherData (13). A success over a random nonce
    authorises, and one over TempKey may copy a slot into it (5).
    """
    if mode & ~0x27 or slot > 15 or len(data) != 77:
        raise parse_error()
    core.require_data_locked()
    challenge, response, other = data[:32], data[32:64], data[64:]
    temp_key = _temp_key(core, mode, no_mac_too=True)
    by_slot = not mode & _FIRST_FROM_TEMPKEY
    expected = sha256(
        _slot_key(core, mode, slot) if by_slot else temp_key,
        temp_key if mode & _SECOND_FROM_TEMPKEY else challenge,
        other[:4],
        bytes(core.eeprom.otp[:8]) if mode & _OTP_64 else bytes(8),
        other[4:7],
        core.eeprom.serial_number[8:9],
        other[7:11],
        core.eeprom.serial_number[0:2],
        other[11:13],
    )
    over_nonce = by_slot and bool(mode & _SECOND_FROM_TEMPKEY)
    random_nonce = core.temp_key.source == RANDOM_SOURCE
    if mode & (_FIRST_FROM_TEMPKEY | _SECOND_FROM_TEMPKEY):
        core.temp_key.invalidate()
    if not hmac.compare_digest(expected, response):
        core.authorized_key = None
        raise Refused(Status.MISCOMPARE)
    if over_nonce:
        if random_nonce:
            authorise(core, slot)
        if not mode & _OTP_64:
            _copy(core, slot)
    return OK


def _temp_key(core: Core, mode: int, *, no_mac_too: bool = False) -> bytes:
    """Return the first 32 bytes of TempKey where the mode uses them; refuses what does not fit it (H)."""
    if not mode & (_FIRST_FROM_TEMPKEY | _SECOND_FROM_TEMPKEY):
        return b""
    key = core.temp_key
    source = INPUT_SOURCE if mode & _SOURCE_IS_INPUT else RANDOM_SOURCE
    if not key.valid or key.private or key.source != source or (key.no_mac and not no_mac_too):
        # "Invalidate TempKey, then return" (H).
        key.invalidate()
        raise execution_error()
    return key.value[:32]


def _slot_key(core: Core, mode: int, slot: int, *, forbidden: int = 0) -> bytes:
    policy = core.eeprom.policy(slot)
    require(not policy.is_private and not policy.slot_config & forbidden)
    # A random nonce that the digest does not hold protects nothing (5, KeyConfig.ReqRandom).
    require(not policy.key_config & REQ_RANDOM or mode & _SECOND_FROM_TEMPKEY)
    require_random_nonce(core, policy)
    use_key(core, slot)
    return bytes(core.eeprom.slots[slot][:32])


def _copy(core: Core, slot: int) -> None:
    """Put KeyID's slot, or the odd one above an even one, into TempKey if its ReadKey is 0 (5)."""
    target = slot | 1
    policy = core.eeprom.policy(target)
    if policy.is_private or policy.read_key != 0:
        return
    core.temp_key.load(bytes(core.eeprom.slots[target][:32]), INPUT_SOURCE)
