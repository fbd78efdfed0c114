"""GenKey, Sign, Verify and PrivWrite.

Sources: ATECC508A data sheet DS20005927A (5), public 608 variant pages (O), the vendor's public host-side
calculations (H).
"""

from __future__ import annotations

import hmac

from hri.rig.atecc.core import (
    OK,
    P256_ORDER,
    Core,
    Refused,
    ecdsa_sign,
    ecdsa_verify,
    parse_error,
    public_bytes,
    require,
    sha256,
)
from hri.rig.atecc.eeprom import (
    EXTERNAL_SIGN,
    GENKEY_ALLOWED,
    INTERNAL_SIGN,
    PUB_INFO,
    REQ_RANDOM,
    WRITE_ENCRYPTED,
    SlotPolicy,
)
from hri.rig.atecc.packet import Status
from hri.rig.atecc.tempkey import RANDOM_SOURCE

_GENKEY, _SIGN, _PRIVWRITE = 0x40, 0x41, 0x46
_CREATE, _DIGEST, _CALLERS_DIGEST = 0x04, 0x08, 0x10
_EXTERNAL, _FULL_SERIAL, _FROM_MESSAGE_DIGEST, _INVALIDATE = 0x80, 0x40, 0x20, 0x01
_STORED, _VERIFY_EXTERNAL, _VERIFY_VALIDATE, _VERIFY_INVALIDATE = 0, 2, 3, 7
_P256 = 4
_VALID_NIBBLE, _INVALID_NIBBLE = 0x50, 0xA0


def genkey(core: Core, mode: int, slot: int, data: bytes) -> bytes:
    """GenKey: create a key (04, 0C), give the public key (00, 08), hash a stored public key (10)."""
    if mode not in (0x00, _CREATE, _DIGEST, _CREATE | _DIGEST, _CALLERS_DIGEST) or slot > 15:
        raise parse_error()
    if len(data) != (3 if mode == _CALLERS_DIGEST else 0):
        raise parse_error()
    core.require_config_locked()
    policy = core.eeprom.policy(slot)
    if mode & (_DIGEST | _CALLERS_DIGEST):
        # Asked before anything is created, so that no key is lost to a forgotten nonce (assumed).
        require(core.temp_key.valid)
        require(not policy.key_config & REQ_RANDOM or core.temp_key.source == RANDOM_SOURCE)
    if mode == _CALLERS_DIGEST:
        require(policy.is_p256_public)
        _digest_public_key(core, slot, data, core.stored_public_key(slot))
        return OK
    require(policy.is_p256_private and not policy.unusable)
    if mode & _CREATE:
        _create(core, policy, slot)
    else:
        require(policy.key_config & PUB_INFO)
    public_key = public_bytes(core.private_key(slot))
    if mode & _DIGEST:
        _digest_public_key(core, slot, bytes((mode, slot, 0)), public_key)
    return public_key


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
    if mode & _EXTERNAL and mode & _INVALIDATE:
        raise parse_error()
    core.require_config_locked()
    policy = core.eeprom.policy(slot)
    require(policy.is_p256_private and not policy.unusable)
    digest = _external_digest(core, mode, policy) if mode & _EXTERNAL else _internal_digest(core, mode, slot)
    signature = ecdsa_sign(core.private_key(slot), digest)
    core.temp_key.invalidate()
    return signature


def _external_digest(core: Core, mode: int, policy: SlotPolicy) -> bytes:
    require(policy.slot_config & EXTERNAL_SIGN)
    if mode & _FROM_MESSAGE_DIGEST:
        require(core.message_digest is not None)
        return (core.message_digest or b"")[:32]
    require(core.temp_key.valid)
    return core.temp_key.value[:32]


def _internal_digest(core: Core, mode: int, slot: int) -> bytes:
    """Return the digest of the 55-byte message (H, O "Sign - Internal Message")."""
    policy, key = core.eeprom.policy(slot), core.temp_key
    require(policy.slot_config & INTERNAL_SIGN)
    # "The value in TempKey must be generated using either the GenDig or the GenKey command" (O).
    require(key.valid and key.derived)
    require(not policy.key_config & REQ_RANDOM or key.source == RANDOM_SOURCE)
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
    return core.eeprom.policy(slot).needs_validation and core.eeprom.slots[slot][0] & 0xF0 == _VALID_NIBBLE


def verify(core: Core, mode: int, key_id: int, data: bytes) -> bytes:
    """Verify with a key from outside (02) or in a slot (00), or (in)validate a stored public key (03, 07)."""
    operation = mode & 7
    if mode & ~(7 | _FROM_MESSAGE_DIGEST):
        raise parse_error()
    if operation in (_VERIFY_VALIDATE, _VERIFY_INVALIDATE):
        return _validate(core, mode, key_id, data)
    if operation not in (_STORED, _VERIFY_EXTERNAL):
        raise parse_error()
    external = operation == _VERIFY_EXTERNAL
    if len(data) != (128 if external else 64) or (key_id != _P256 if external else key_id > 15):
        raise parse_error()
    core.require_config_locked()
    if mode & _FROM_MESSAGE_DIGEST:
        require(core.message_digest is not None)
        digest = (core.message_digest or b"")[:32]
    else:
        require(core.temp_key.valid)
        digest = core.temp_key.value[:32]
    public_key = data[64:] if external else _verification_key(core, key_id)
    genuine = ecdsa_verify(public_key, data[:64], digest)
    core.temp_key.invalidate()
    return _verdict(genuine)


def _verdict(genuine: bool) -> bytes:
    if not genuine:
        raise Refused(Status.MISCOMPARE)
    return OK


def _verification_key(core: Core, slot: int) -> bytes:
    policy = core.eeprom.policy(slot)
    require(policy.is_p256_public and not policy.unusable)
    require(not policy.key_config & REQ_RANDOM or core.temp_key.source == RANDOM_SOURCE)
    require(not policy.needs_validation or core.eeprom.slots[slot][0] & 0xF0 == _VALID_NIBBLE)
    return core.stored_public_key(slot)


def _validate(core: Core, mode: int, slot: int, data: bytes) -> bytes:
    """Set or clear the validity of a stored public key, on its parent's signature (O, "Validate")."""
    if len(data) != 64 + 19 or slot > 15 or mode & _FROM_MESSAGE_DIGEST:
        raise parse_error()
    core.require_config_locked()
    policy, key = core.eeprom.policy(slot), core.temp_key
    signature, other = data[:64], data[64:]
    require(policy.needs_validation and not core.eeprom.slot_locked(slot))
    require(key.valid and key.gen_key_data and key.key_id == slot)
    # Byte 17 says what the parent signed for: 0 to validate, 1 to invalidate.
    require(other[17] & 1 == mode >> 2)
    parent = policy.read_key
    require(core.eeprom.policy(parent).is_p256_public)
    serial_number = core.eeprom.serial_number
    digest = sha256(
        key.value[:32],
        bytes((_SIGN,)),
        other[:10],
        serial_number[8:9],
        other[10:14],
        serial_number[0:2],
        other[14:19],
    )
    genuine = ecdsa_verify(core.stored_public_key(parent), signature, digest)
    key.invalidate()
    if genuine:
        nibble = _VALID_NIBBLE if mode & 7 == _VERIFY_VALIDATE else _INVALID_NIBBLE
        core.eeprom.slots[slot][0] = core.eeprom.slots[slot][0] & 0x0F | nibble
        core.commit()
    return _verdict(genuine)


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
    require(0 < int.from_bytes(plain, "big") < P256_ORDER)
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
    plain = bytes(a ^ b for a, b in zip(data[:36], mask, strict=True))
    mac = sha256(session, core.identified(_PRIVWRITE, 0x40, slot), bytes(21), plain)
    require(hmac.compare_digest(mac, data[36:]))
    return plain
