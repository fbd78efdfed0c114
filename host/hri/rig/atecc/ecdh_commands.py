"""ECDH: the shared secret of a private key in a slot or in TempKey and a public key from outside.

Sources: ATECC508A data sheet DS20005927A, "ECDH" (5); public 608 variant pages, "ECDH" (O); the vendor's
public headers (H).
"""

from __future__ import annotations

from hri.rig.atecc.core import OK, Core
from hri.rig.atecc.eeprom import ECDH_ALLOWED, ECDH_TO_NEXT_SLOT
from hri.rig.atecc.io_protection import ECDH_PROTECTION, output_encrypted, protected
from hri.rig.atecc.key_use import use_key
from hri.rig.atecc.p256 import load_public_key, shared_secret
from hri.rig.atecc.refusal import parse_error, require
from hri.rig.atecc.tempkey import INPUT_SOURCE

_FROM_TEMPKEY, _ENCRYPTED = 0x01, 0x02
_AS_CONFIGURED, _TO_SLOT, _TO_TEMPKEY, _TO_OUTPUT = 0x00, 0x04, 0x08, 0x0C
_ALWAYS = 0


def ecdh(core: Core, mode: int, slot: int, data: bytes) -> bytes:
    """ECDH: leave the secret in a slot or in TempKey, or answer it, in clear or encrypted (O)."""
    target, encrypted = mode & 0x0C, bool(mode & _ENCRYPTED)
    if mode & 0xF0 or slot > 15 or len(data) != 64 or (encrypted and target != _TO_OUTPUT):
        raise parse_error()
    if mode & _FROM_TEMPKEY and target == _AS_CONFIGURED:
        raise parse_error()
    core.require_data_locked()
    load_public_key(data)
    if mode & _FROM_TEMPKEY:
        return _with_temp_key(core, target, encrypted, slot, data)
    return _with_slot(core, target, encrypted, slot, data)


def _with_temp_key(core: Core, target: int, encrypted: bool, slot: int, data: bytes) -> bytes:
    key = core.temp_key
    require(key.valid and key.private)
    if target == _TO_SLOT:
        # Nothing in the configuration names this slot: it must be one that anybody may write (assumed).
        require(core.eeprom.policy(slot).write_config == _ALWAYS)
        _require_target(core, slot)
    elif target == _TO_OUTPUT:
        encrypted = output_encrypted(core, encrypted, ECDH_PROTECTION)
    secret = shared_secret(core.key_of(key.value), data)
    # "Once the TempKey has been used by the ECDH command, the TempKey.Valid flag is reset" (O).
    key.invalidate()
    return _deliver(core, target, encrypted, slot, secret)


def _with_slot(core: Core, target: int, encrypted: bool, slot: int, data: bytes) -> bytes:
    policy = core.eeprom.policy(slot)
    require(policy.is_p256_private and policy.slot_config & ECDH_ALLOWED)
    private_key = core.private_key(slot)
    # SlotConfig bit 3: the secret goes to the next slot and nowhere else (5).
    to_slot = bool(policy.slot_config & ECDH_TO_NEXT_SLOT)
    if target == _AS_CONFIGURED:
        target = _TO_SLOT if to_slot else _TO_OUTPUT
    require((target == _TO_SLOT) == to_slot)
    if to_slot:
        require(slot | 1 != slot)
        _require_target(core, slot | 1)
    elif target == _TO_OUTPUT:
        encrypted = output_encrypted(core, encrypted, ECDH_PROTECTION)
    use_key(core, slot)
    return _deliver(core, target, encrypted, slot | 1, shared_secret(private_key, data))


def _require_target(core: Core, slot: int) -> None:
    policy = core.eeprom.policy(slot)
    require(not policy.is_private and not policy.is_p256_public and not core.eeprom.slot_locked(slot))


def _deliver(core: Core, target: int, encrypted: bool, slot: int, secret: bytes) -> bytes:
    if target == _TO_OUTPUT:
        return protected(core, secret) if encrypted else secret
    if target == _TO_TEMPKEY:
        core.temp_key.load(secret, INPUT_SOURCE)
    else:
        core.eeprom.slots[slot][:32] = secret
        core.commit()
    return OK
