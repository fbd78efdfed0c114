"""GenKey, Sign and PrivWrite.

Sources: ATECC508A data sheet DS20005927A (5), public 608 variant pages (O), the vendor's public host-side
calculations (H).
"""

from __future__ import annotations

import hmac

from hri.rig.atecc.core import OK, Core, sha256, xor
from hri.rig.atecc.eeprom import (
    EXTERNAL_SIGN,
    GENKEY_ALLOWED,
    INTERNAL_SIGN,
    PUB_INFO,
    VALID_NIBBLE,
    WRITE_ENCRYPTED,
    SlotPolicy,
)
from hri.rig.atecc.key_use import require_authorised, require_random_nonce, use_key
from hri.rig.atecc.p256 import ecdsa_sign, is_scalar, public_bytes
from hri.rig.atecc.refusal import parse_error, require
from hri.rig.atecc.tempkey import RANDOM_SOURCE

_GENKEY, _SIGN, _PRIVWRITE = 0x40, 0x41, 0x46
_CREATE, _DIGEST, _CALLERS_DIGEST = 0x04, 0x08, 0x10
_EXTERNAL, _FULL_SERIAL, _FROM_MESSAGE_DIGEST, _INVALIDATE = 0x80, 0x40, 0x20, 0x01
_TEMP_KEY = 0xFFFF


def genkey(core: Core, mode: int, slot: int, data: bytes) -> bytes:
    """GenKey: create a key (04, 0C), give the public key (00, 08), hash a stored public key (10).

    With key id FFFF mode 04 creates a key in TempKey, for one ECDH (O).
    """
    if slot == _TEMP_KEY:
        return _create_in_temp_key(core, mode, data)
    if mode not in (0x00, _CREATE, _DIGEST, _CREATE | _DIGEST, _CALLERS_DIGEST) or slot > 15:
        raise parse_error()
    if len(data) != (3 if mode == _CALLERS_DIGEST else 0):
        raise parse_error()
    core.require_config_locked()
    policy = core.eeprom.policy(slot)
    if mode & (_DIGEST | _CALLERS_DIGEST):
        # Asked before anything is created, so that no key is lost to a forgotten nonce (assumed).
        core.require_temp_key()
        require_random_nonce(core, policy)
    if mode == _CALLERS_DIGEST:
        require(policy.is_p256_public)
        _digest_public_key(core, slot, data, core.stored_public_key(slot))
        return OK
    require(policy.is_p256_private)
    # PersistentDisable stops "all commands other than GenKey"; neither is GenKey a limited use (assumed).
    require_authorised(core, policy)
    if mode & _CREATE:
        _create(core, policy, slot)
    else:
        require(policy.key_config & PUB_INFO)
    public_key = public_bytes(core.private_key(slot))
    if mode & _DIGEST:
        _digest_public_key(core, slot, bytes((mode, slot, 0)), public_key)
    return public_key


def _create_in_temp_key(core: Core, mode: int, data: bytes) -> bytes:
    # The page shows three zeros of OtherData, the public library sends none.
    if mode != _CREATE or data not in (b"", bytes(3)):
        raise parse_error()
    core.require_config_locked()
    scalar = core.new_scalar()
    core.temp_key.load(scalar, RANDOM_SOURCE)
    core.temp_key.private = True
    return public_bytes(core.key_of(scalar))


def _create(core: Core, policy: SlotPolicy, slot: int) -> None:
    require(not core.eeprom.slot_locked(slot))
    # SlotConfig counts only once the data zone is locked (5, "Data zone: personalisation").
    require(policy.slot_config & GENKEY_ALLOWED or not core.eeprom.data_locked)
    core.set_private_key(slot, core.new_scalar())
    core.commit()


def _digest_public_key(core: Core, slot: int, parameters: bytes, public_key: bytes) -> None:
    """Hash the public key into TempKey; ``parameters`` are mode and key id, or the caller's bytes (H, O)."""
    key = core.temp_key
    serial_number = core.eeprom.serial_number
    key.value = sha256(
        key.value[:32],
        bytes((_GENKEY,)),
        parameters,
        serial_number[8:9],
        serial_number[0:2],
        bytes(25),
        public_key,
    )
    key.gen_dig_data, key.gen_key_data, key.key_id, key.derived = False, True, slot, True


def sign(core: Core, mode: int, slot: int, data: bytes) -> bytes:
    """Sign a digest from outside, or a message about the inside that only the chip can build."""
    if data or slot > 15 or mode & ~(_EXTERNAL | _FULL_SERIAL | _FROM_MESSAGE_DIGEST | _INVALIDATE):
        raise parse_error()
    if mode & (_INVALIDATE if mode & _EXTERNAL else _FROM_MESSAGE_DIGEST):
        raise parse_error()
    core.require_config_locked()
    policy = core.eeprom.policy(slot)
    require(policy.is_p256_private)
    digest = _external_digest(core, mode, policy) if mode & _EXTERNAL else _internal_digest(core, mode, slot)
    private_key = core.private_key(slot)
    use_key(core, slot)
    signature = ecdsa_sign(private_key, digest)
    core.temp_key.invalidate()
    return signature


def _external_digest(core: Core, mode: int, policy: SlotPolicy) -> bytes:
    require(policy.slot_config & EXTERNAL_SIGN)
    if mode & _FROM_MESSAGE_DIGEST:
        require(core.message_digest is not None)
        return (core.message_digest or b"")[:32]
    return core.require_temp_key().value[:32]


def _internal_digest(core: Core, mode: int, slot: int) -> bytes:
    """Return the digest of the 55-byte message (H, O "Sign - Internal Message")."""
    policy, key = core.eeprom.policy(slot), core.temp_key
    require(policy.slot_config & INTERNAL_SIGN)
    # "The value in TempKey must be generated using either the GenDig or the GenKey command" (O).
    require(key.valid and key.derived)
    require_random_nonce(core, policy)
    config, of_key = core.eeprom.config, key.key_id
    serial_number = core.eeprom.serial_number
    full = bool(mode & _FULL_SERIAL)
    message = b"".join(
        (
            key.value[:32],
            bytes((_SIGN, mode, slot, 0)),
            config[20 + 2 * of_key : 22 + 2 * of_key],
            config[96 + 2 * of_key : 98 + 2 * of_key],
            bytes((key.flags, 0, 0)),
            serial_number[8:9],
            serial_number[4:8] if full else bytes(4),
            serial_number[0:2],
            serial_number[2:4] if full else bytes(2),
            bytes((not core.eeprom.slot_locked(of_key), _public_key_valid(core, of_key), 0)),
        )
    )
    return sha256(message)


def _public_key_valid(core: Core, slot: int) -> bool:
    """01 only for a public key that must be validated and is (H, comment on byte 53)."""
    return core.eeprom.policy(slot).needs_validation and core.eeprom.slots[slot][0] & 0xF0 == VALID_NIBBLE


def privwrite(core: Core, zone: int, slot: int, data: bytes) -> bytes:
    """PrivWrite: put a private key into a slot, in clear only before the data zone is locked (5)."""
    encrypted = zone == 0x40
    if zone not in (0x00, 0x40) or slot > 15 or len(data) != (68 if encrypted else 36):
        raise parse_error()
    core.require_config_locked()
    policy = core.eeprom.policy(slot)
    require(policy.is_p256_private and not core.eeprom.slot_locked(slot))
    if core.eeprom.data_locked:
        require(encrypted and policy.slot_config & WRITE_ENCRYPTED)
    plain = _decrypt_private_key(core, slot, policy, data) if encrypted else data
    require(is_scalar(plain))
    core.set_private_key(slot, plain[4:])
    core.commit()
    return OK


def _decrypt_private_key(core: Core, slot: int, policy: SlotPolicy, data: bytes) -> bytes:
    """Return the 36 plain bytes of an encrypted PrivWrite whose MAC is right (H); uses TempKey up."""
    key = core.temp_key
    require(key.valid and key.gen_dig_data and key.key_id == policy.write_key and not key.no_mac)
    session = key.value[:32]
    key.invalidate()
    mask = session + sha256(session)[:4]
    plain = xor(data[:36], mask)
    mac = sha256(session, core.identified(_PRIVWRITE, 0x40, slot), bytes(21), plain)
    require(hmac.compare_digest(mac, data[36:]))
    return plain
