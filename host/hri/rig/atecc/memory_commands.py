"""Random, Read, Write, Lock and UpdateExtra.

Sources: ATECC508A data sheet DS20005927A (5), public 608 variant pages (O), the vendor's public headers and
host-side calculations (H). ``docs/virtual-atecc.md`` has the rules one by one.
"""

from __future__ import annotations

import hmac

from hri.rig.atecc.core import OK, Core, sha256, xor
from hri.rig.atecc.eeprom import (
    ENCRYPT_READ,
    INVALID_NIBBLE,
    IS_SECRET,
    LOCK_CONFIG,
    LOCK_VALUE,
    LOCKABLE,
    USER_EXTRA,
    VALID_NIBBLE,
    SlotPolicy,
    data_zone,
)
from hri.rig.atecc.packet import crc16
from hri.rig.atecc.refusal import parse_error, require
from hri.rig.atecc.tempkey import RANDOM_SOURCE

_CONFIG, _OTP, _DATA = 0, 1, 2
_READ, _WRITE = 0x02, 0x12
_ENCRYPTED, _BLOCK = 1 << 6, 1 << 7
_ALWAYS, _PUB_INVALID = 0, 1


def random(core: Core, mode: int, param: int, data: bytes) -> bytes:
    """Random: 32 bytes. TempKey is not touched."""
    if mode > 1 or param or data:
        raise parse_error()
    return core.random(32)


def _locate(core: Core, zone: int, address: int, size: int) -> tuple[bytearray, int, int]:
    """Return the zone's bytes, the offset in them and the slot (0 outside the data zone) (5, "Address").

    Refuses with a parse error what lies outside; a block may begin inside and end outside.
    """
    if zone == _DATA:
        slot, block = address >> 3 & 0xF, address >> 8
        memory = core.eeprom.slots[slot]
    else:
        slot, block = 0, address >> 3
        memory = core.eeprom.config if zone == _CONFIG else core.eeprom.otp
    offset = block * 32 + (0 if size == 32 else (address & 7) * 4)
    if offset >= len(memory):
        raise parse_error()
    return memory, offset, slot


def read(core: Core, zone: int, address: int, data: bytes) -> bytes:
    """Read 4 or 32 bytes (5, "Read")."""
    if data or zone & 0x7C or zone & 3 == 3:
        raise parse_error()
    size = 32 if zone & _BLOCK else 4
    memory, offset, slot = _locate(core, zone & 3, address, size)
    if offset + size > len(memory):
        raise parse_error()
    content = bytes(memory[offset : offset + size])
    if zone & 3 == _CONFIG:
        return content
    require(core.eeprom.data_locked)
    if zone & 3 == _OTP:
        return content
    return _read_slot(core, core.eeprom.policy(slot), content)


def _read_slot(core: Core, policy: SlotPolicy, content: bytes) -> bytes:
    require(not policy.is_private)
    if not policy.slot_config & (IS_SECRET | ENCRYPT_READ):
        return content
    # Secret and not for encrypted reading: never. Secret slots take whole blocks only (5, "IsSecret").
    require(policy.slot_config & ENCRYPT_READ and len(content) == 32)
    key = core.temp_key
    require(key.valid and key.gen_dig_data and key.key_id == policy.read_key)
    require(key.source == RANDOM_SOURCE and not key.no_mac)
    mask = key.value
    key.invalidate()
    return xor(content, mask)


def write(core: Core, zone: int, address: int, data: bytes) -> bytes:
    """Write 4 or 32 bytes, in clear or encrypted with a MAC (5, "Write")."""
    if zone & 0x3C or zone & 3 == 3:
        raise parse_error()
    size = 32 if zone & _BLOCK else 4
    # A MAC behind the block says that it is encrypted: the 608 pages leave bit 6 clear then (O, "Data Zone -
    # Encrypted Write"), the vendor's clients set it (H).
    encrypted = len(data) == 64
    if len(data) not in ((4,) if size == 4 else (32, 64)) or (zone & _ENCRYPTED and not encrypted):
        raise parse_error()
    memory, offset, slot = _locate(core, zone & 3, address, size)
    if zone & 3 == _CONFIG:
        _check_config_write(core, offset, size, encrypted)
    else:
        require(core.eeprom.config_locked)
        if zone & 3 == _OTP:
            require(not core.eeprom.data_locked)
        else:
            _check_slot_write(core, slot, size, encrypted)
        # Before the data zone is locked only whole blocks are written (5, "Write").
        require(core.eeprom.data_locked or size == 32)
    plain = _decrypt(core, zone, address, slot, data) if encrypted else data
    memory[offset : offset + size] = plain[: len(memory) - offset]
    if zone & 3 == _DATA and offset == 0 and core.eeprom.policy(slot).needs_validation:
        memory[0] = memory[0] & 0x0F | INVALID_NIBBLE
    core.commit()
    return OK


def _check_config_write(core: Core, offset: int, size: int, encrypted: bool) -> None:
    require(not encrypted and not core.eeprom.config_locked)
    require(offset >= 16)
    require(offset + size <= 84 or offset >= 88)


def _check_slot_write(core: Core, slot: int, size: int, encrypted: bool) -> None:
    policy = core.eeprom.policy(slot)
    require(not core.eeprom.slot_locked(slot))
    require(not policy.is_private)
    if not core.eeprom.data_locked:
        return
    require(size == 32 or not policy.slot_config & IS_SECRET)
    if policy.write_config & 4:
        require(encrypted)
    elif policy.write_config == _PUB_INVALID:
        require(not encrypted and policy.is_p256_public)
        require(core.eeprom.slots[slot][0] & 0xF0 != VALID_NIBBLE)
    else:
        require(policy.write_config == _ALWAYS and not encrypted)


def _decrypt(core: Core, zone: int, address: int, slot: int, data: bytes) -> bytes:
    """Return the plain text of an encrypted write whose MAC is right (H, write MAC); uses TempKey up."""
    key = core.temp_key
    require(key.valid and key.gen_dig_data and not key.no_mac)
    require(zone & 3 == _OTP or key.key_id == core.eeprom.policy(slot).write_key)
    mask = key.value
    key.invalidate()
    plain = xor(data[:32], mask)
    mac = sha256(mask[:32], core.identified(_WRITE, zone, address), bytes(25), plain)
    require(hmac.compare_digest(mac, data[32:]))
    return plain


def lock(core: Core, mode: int, summary: int, data: bytes) -> bytes:
    """Lock the configuration zone, the data and OTP zones, or one slot, for ever (5, "Lock"; O)."""
    if data or mode & 0x40 or mode & 3 == 3:
        raise parse_error()
    if mode & 3 == 2:
        return _lock_slot(core, mode >> 2 & 0xF)
    if mode & 0x3C:
        raise parse_error()
    eeprom = core.eeprom
    if mode & 3 == 0:
        require(not eeprom.config_locked)
        content, at = bytes(eeprom.config), LOCK_CONFIG
    else:
        require(eeprom.config_locked and not eeprom.data_locked)
        policies = [eeprom.policy(slot) for slot in range(16)]
        content, at = data_zone(eeprom.slots, policies) + eeprom.otp, LOCK_VALUE
    require(mode & 0x80 or crc16(content) == summary)
    eeprom.config[at] = 0
    core.commit()
    return OK


def _lock_slot(core: Core, slot: int) -> bytes:
    eeprom = core.eeprom
    require(eeprom.config_locked and not eeprom.slot_locked(slot))
    require(eeprom.policy(slot).key_config & LOCKABLE)
    eeprom.lock_slot(slot)
    core.commit()
    return OK


def updateextra(core: Core, mode: int, value: int, data: bytes) -> bytes:
    """UpdateExtra: write UserExtra (0) or UserExtraAdd (1) once, while it is 00 (5, O).

    Mode 2, the 508A's count of uses by key, ends with the 608, which has no such bytes (assumed).
    """
    if mode > 1 or value > 0xFF or data:
        raise parse_error()
    require(core.eeprom.config[USER_EXTRA + mode] == 0)
    core.eeprom.config[USER_EXTRA + mode] = value
    core.commit()
    return OK
