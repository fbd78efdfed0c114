"""Nonce and GenDig: what brings a value into TempKey.

Sources: public 608 variant pages, "Nonce" and "GenDig" (O); the vendor's public host-side calculations (H).
"""

from __future__ import annotations

from hri.rig.atecc.core import OK, Core, sha256
from hri.rig.atecc.eeprom import NO_MAC
from hri.rig.atecc.key_use import require_random_nonce, use_key
from hri.rig.atecc.refusal import parse_error, require
from hri.rig.atecc.tempkey import INPUT_SOURCE, RANDOM_SOURCE

_NONCE, _GENDIG = 0x16, 0x15
_CALCULATE_FROM_TEMPKEY = 0x8000
_CONFIG, _OTP, _DATA, _SHARED_NONCE, _COUNTER, _KEY_CONFIG = range(6)


def nonce(core: Core, mode: int, zero: int, data: bytes) -> bytes:
    """Nonce: random (00, 01) or fixed (03) with its lengths and targets."""
    if mode in (0x00, 0x01):
        return _random_nonce(core, mode, zero, data)
    if mode & 0x1F == 0x03:
        return _fixed_nonce(core, mode, zero, data)
    raise parse_error()


def _random_nonce(core: Core, mode: int, zero: int, data: bytes) -> bytes:
    if zero not in (0, _CALCULATE_FROM_TEMPKEY) or len(data) != 20:
        raise parse_error()
    key = core.temp_key
    if zero:
        # SourceFlag stays (H): a fixed value does not become a random one this way. What GenDig and GenKey
        # vouched for ends here (assumed): the value is shown, and would unmask an encrypted read.
        core.require_temp_key()
        key.value = sha256(key.value[:32], data, bytes((_NONCE, mode, 0)))
        key.gen_dig_data = key.gen_key_data = key.derived = False
        key.key_id, key.hashed_key = 0, None
        return key.value
    random = core.random(32)
    key.load(sha256(random, data, bytes((_NONCE, mode, 0))), RANDOM_SOURCE)
    return random


def _fixed_nonce(core: Core, mode: int, zero: int, data: bytes) -> bytes:
    target = mode >> 6
    if zero or target == 3 or len(data) != (64 if mode & 0x20 else 32):
        raise parse_error()
    if target == 0:
        core.temp_key.load(data, INPUT_SOURCE)
    elif target == 1:
        core.message_digest = data
    elif len(data) == 32:
        core.alternate_key = data
    else:
        raise parse_error()
    return OK


def gendig(core: Core, zone: int, key_id: int, data: bytes) -> bytes:
    """GenDig: hash TempKey together with something the chip keeps (H, "atcah_gen_dig")."""
    if zone > _KEY_CONFIG:
        raise parse_error()
    key = core.temp_key
    parameters = core.identified(_GENDIG, zone, key_id)
    zeros = bytes(25)
    no_mac = False
    if zone in (_CONFIG, _OTP):
        stored = _zone_block(core, zone, key_id, data)
    elif zone == _DATA:
        stored, no_mac = _slot_value(core, key_id, data)
        if no_mac:
            # The caller chooses what is hashed as opcode and parameters; the flag tells of it ever after.
            parameters = data + parameters[4:]
    elif zone == _SHARED_NONCE:
        return _shared_nonce(core, key_id, data)
    else:
        stored, zeros = bytes(32), _status_bytes(core, zone, key_id, data)
    _require_tempkey(core)
    key.value = sha256(stored, parameters, zeros, key.value[:32])
    key.derived = True
    key.gen_dig_data, key.key_id = (True, key_id) if zone == _DATA else (False, 0)
    if no_mac:
        key.no_mac = True
    return OK


def _require_tempkey(core: Core) -> None:
    core.require_config_locked()
    core.require_temp_key()


def _zone_block(core: Core, zone: int, block: int, data: bytes) -> bytes:
    memory = core.eeprom.config if zone == _CONFIG else core.eeprom.otp
    if data or block * 32 >= len(memory):
        raise parse_error()
    return bytes(memory[block * 32 : block * 32 + 32])


def _slot_value(core: Core, slot: int, data: bytes) -> tuple[bytes, bool]:
    if slot > 15:
        raise parse_error()
    policy = core.eeprom.policy(slot)
    no_mac = bool(policy.slot_config & NO_MAC)
    if len(data) != (4 if no_mac else 0):
        raise parse_error()
    _require_tempkey(core)
    require(not policy.is_private)
    require_random_nonce(core, policy)
    use_key(core, slot)
    return bytes(core.eeprom.slots[slot][:32]), no_mac


def _shared_nonce(core: Core, key_id: int, data: bytes) -> bytes:
    if len(data) != 32 or key_id & 0x7F00:
        raise parse_error()
    _require_tempkey(core)
    key = core.temp_key
    first, last = (key.value[:32], data) if key_id & 0x8000 else (data, key.value[:32])
    key.value = sha256(first, core.identified(_GENDIG, _SHARED_NONCE, key_id & 0xFF), bytes(25), last)
    key.derived, key.gen_dig_data, key.key_id = True, False, 0
    return OK


def _status_bytes(core: Core, zone: int, key_id: int, data: bytes) -> bytes:
    """Return the 25 bytes that stand for the zeros in the counter and key configuration modes."""
    if data or key_id > (1 if zone == _COUNTER else 15):
        raise parse_error()
    if zone == _COUNTER:
        return b"\0" + core.eeprom.counter(key_id).to_bytes(4, "little") + bytes(20)
    config = core.eeprom.config
    policies = config[20 + 2 * key_id : 22 + 2 * key_id] + config[96 + 2 * key_id : 98 + 2 * key_id]
    return b"\0" + policies + bytes((not core.eeprom.slot_locked(key_id),)) + bytes(19)
