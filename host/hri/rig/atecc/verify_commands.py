"""Verify: signatures checked with a key from outside or in a slot, and stored public keys (in)validated.

Sources: ATECC508A data sheet DS20005927A (5), public 608 variant pages, "Verify" (O), the vendor's public
host-side calculations (H).
"""

from __future__ import annotations

from hri.rig.atecc.core import OK, Core, sha256
from hri.rig.atecc.eeprom import INVALID_NIBBLE, VALID_NIBBLE, X509_FORMAT
from hri.rig.atecc.io_protection import io_key
from hri.rig.atecc.key_use import require_random_nonce, use_key
from hri.rig.atecc.p256 import ecdsa_verify
from hri.rig.atecc.packet import Status
from hri.rig.atecc.refusal import Refused, parse_error, require

_SIGN, _VERIFY = 0x41, 0x45
_WITH_MAC, _FROM_MESSAGE_DIGEST = 0x80, 0x20
_STORED, _VALIDATE_EXTERNAL, _EXTERNAL, _VALIDATE, _INVALIDATE = 0, 1, 2, 3, 7
_P256 = 4


def verify(core: Core, mode: int, key_id: int, data: bytes) -> bytes:
    """Verify with a key from outside (02) or in a slot (00), or (in)validate a stored one (01, 03, 07).

    Bit 5 takes the digest from the message digest buffer, bit 7 answers a MAC in place of 00 (O).
    """
    operation = mode & 7
    if operation in (_VALIDATE_EXTERNAL, _VALIDATE, _INVALIDATE) and mode == operation:
        return _validate(core, mode, key_id, data)
    if mode & ~(7 | _FROM_MESSAGE_DIGEST | _WITH_MAC) or operation not in (_STORED, _EXTERNAL):
        raise parse_error()
    external = operation == _EXTERNAL
    if len(data) != (128 if external else 64) or (key_id != _P256 if external else key_id > 15):
        raise parse_error()
    core.require_config_locked()
    digest = _digest(core, mode)
    mac_key = _mac_key(core, mode) if mode & _WITH_MAC else ()
    public_key = data[64:] if external else _stored_key(core, key_id)
    genuine = ecdsa_verify(public_key, data[:64], digest)
    core.temp_key.invalidate()
    if not genuine:
        raise Refused(Status.MISCOMPARE)
    if not mac_key:
        return OK
    key, system_nonce = mac_key
    return sha256(key, digest, system_nonce, data[:64], bytes((_VERIFY, mode, key_id, 0)))


def _digest(core: Core, mode: int) -> bytes:
    if mode & _FROM_MESSAGE_DIGEST:
        require(core.message_digest is not None)
        return (core.message_digest or b"")[:32]
    return core.require_temp_key().value[:32]


def _mac_key(core: Core, mode: int) -> tuple[bytes, bytes]:
    """Return the IO-protection key and the host's nonce.

    The nonce is the message digest buffer, or its upper half where the lower one is the message (O).
    """
    buffer = core.message_digest or b""
    nonce = buffer[32:] if mode & _FROM_MESSAGE_DIGEST else buffer[:32]
    require(len(nonce) == 32)
    return io_key(core), nonce


def _stored_key(core: Core, slot: int) -> bytes:
    policy = core.eeprom.policy(slot)
    require(policy.is_p256_public)
    require_random_nonce(core, policy)
    require(not policy.needs_validation or core.eeprom.slots[slot][0] & 0xF0 == VALID_NIBBLE)
    public_key = core.stored_public_key(slot)
    use_key(core, slot)
    return public_key


def _validate(core: Core, mode: int, slot: int, data: bytes) -> bytes:
    """Set or clear the validity of a stored public key, on its parent's signature (O, "Validate")."""
    if len(data) != (64 if mode == _VALIDATE_EXTERNAL else 64 + 19) or slot > 15:
        raise parse_error()
    core.require_config_locked()
    policy, key = core.eeprom.policy(slot), core.temp_key
    require(policy.needs_validation and not core.eeprom.slot_locked(slot))
    if mode == _VALIDATE_EXTERNAL:
        digest = _certificate_digest(core, slot)
    else:
        digest = _internal_digest(core, mode, slot, data[64:])
    require(core.eeprom.policy(policy.read_key).is_p256_public)
    parent = core.stored_public_key(policy.read_key)
    use_key(core, policy.read_key)
    genuine = ecdsa_verify(parent, data[:64], digest)
    key.invalidate()
    if not genuine:
        raise Refused(Status.MISCOMPARE)
    nibble = INVALID_NIBBLE if mode == _INVALIDATE else VALID_NIBBLE
    core.eeprom.slots[slot][0] = core.eeprom.slots[slot][0] & 0x0F | nibble
    core.commit()
    return OK


def _internal_digest(core: Core, mode: int, slot: int, other: bytes) -> bytes:
    """Return the digest that a Sign (internal) on the parent's chip has signed (H)."""
    key = core.temp_key
    require(key.valid and key.gen_key_data and key.key_id == slot)
    # Byte 17 says what the parent signed for: 0 to validate, 1 to invalidate.
    require(other[17] & 1 == (mode == _INVALIDATE))
    serial_number = core.eeprom.serial_number
    return sha256(
        key.value[:32],
        bytes((_SIGN,)),
        other[:10],
        serial_number[8:9],
        other[10:14],
        serial_number[0:2],
        other[14:19],
    )


def _certificate_digest(core: Core, slot: int) -> bytes:
    """Return the digest of a certificate into which SHA (public) has put the key in ``slot``.

    X509format, by the slot's X509id, says in which 64-byte block the key stands (bits 0-3) and how many
    blocks there are (bits 4-7); 0 says nothing (5, "X509format"; the count includes the last, unfinished
    block: assumed).
    """
    key = core.require_temp_key()
    require(key.hashed_key is not None and key.hashed_key[0] == slot)
    layout = core.eeprom.config[X509_FORMAT + core.eeprom.policy(slot).x509_id]
    if layout and key.hashed_key is not None:
        _, offset, length = key.hashed_key
        require(offset == 64 * (layout & 0xF) and (length + 63) // 64 == layout >> 4)
    return key.value[:32]
