"""SHA: SHA-256 and HMAC over messages of any length, in steps.

Sources: public 608 variant pages, "SHA" (O); the vendor's public headers (H); ATECC508A data sheet (5).
"""

from __future__ import annotations

from hri.rig.atecc.core import OK, Core
from hri.rig.atecc.eeprom import NO_MAC
from hri.rig.atecc.key_use import require_random_nonce, use_key
from hri.rig.atecc.refusal import execution_error, parse_error, require
from hri.rig.atecc.sha256 import Hash
from hri.rig.atecc.tempkey import INPUT_SOURCE

_START, _UPDATE, _END, _PUBLIC, _HMAC_START, _HMAC_END_508, _READ_CONTEXT, _WRITE_CONTEXT = range(8)
_TO_TEMPKEY, _TO_MESSAGE_DIGEST, _RESERVED, _TO_OUTPUT_ONLY = range(4)
_TEMP_KEY = 0xFFFF


def sha(core: Core, mode: int, param: int, data: bytes) -> bytes:
    """SHA: start, update (1-64 bytes), end (0-64), public, HMAC start, read and write the context (O)."""
    operation, target = mode & 7, mode >> 6
    # The 608 ends an HMAC as it ends a SHA-256; mode 5 was the 508A's.
    if mode & 0x38 or operation == _HMAC_END_508 or (target and operation != _END) or target == _RESERVED:
        raise parse_error()
    if operation in (_UPDATE, _END, _WRITE_CONTEXT):
        if param != len(data):
            raise parse_error()
    elif data:
        raise parse_error()
    if operation == _START:
        return _start(core, param)
    if operation == _HMAC_START:
        return _hmac_start(core, param)
    if operation == _WRITE_CONTEXT:
        return _write_context(core, data)
    under_way = core.hash
    if operation == _UPDATE:
        return _update(under_way, data)
    if operation == _END:
        return _end(core, under_way, target, data)
    if operation == _PUBLIC:
        return _public(core, under_way, param)
    return _read_context(under_way, param)


def _start(core: Core, zero: int) -> bytes:
    if zero:
        raise parse_error()
    core.hash = Hash()
    return OK


def _hmac_start(core: Core, key_id: int) -> bytes:
    """Begin an HMAC under TempKey or the first 32 bytes of a slot."""
    if key_id == _TEMP_KEY:
        core.hash = Hash.hmac(core.require_temp_key().value[:32])
        return OK
    if key_id > 15:
        raise parse_error()
    core.require_data_locked()
    policy = core.eeprom.policy(key_id)
    # NoMac: not for MAC, nor for HMAC (5).
    require(not policy.is_private and not policy.slot_config & NO_MAC)
    require_random_nonce(core, policy)
    use_key(core, key_id)
    core.hash = Hash.hmac(bytes(core.eeprom.slots[key_id][:32]))
    return OK


def _update(under_way: Hash | None, data: bytes) -> bytes:
    if not 1 <= len(data) <= 64:
        raise parse_error()
    if under_way is None:
        raise execution_error()
    under_way.update(data)
    return OK


def _end(core: Core, under_way: Hash | None, target: int, data: bytes) -> bytes:
    if len(data) > 64:
        raise parse_error()
    if under_way is None:
        raise execution_error()
    under_way.update(data)
    digest = under_way.digest()
    core.hash = None
    if target == _TO_TEMPKEY:
        core.temp_key.load(digest, INPUT_SOURCE)
        if len(under_way.hashed_keys) == 1 and under_way.outer_key is None:
            core.temp_key.hashed_key = (*under_way.hashed_keys[0], under_way.length)
    elif target == _TO_MESSAGE_DIGEST:
        core.message_digest = digest
    return digest


def _public(core: Core, under_way: Hash | None, slot: int) -> bytes:
    """Take the 64 bytes of a stored public key into the message (H)."""
    if slot > 15:
        raise parse_error()
    if under_way is None:
        raise execution_error()
    core.require_data_locked()
    require(core.eeprom.policy(slot).is_p256_public)
    public_key = core.stored_public_key(slot)
    under_way.hashed_keys.append((slot, under_way.length))
    under_way.update(public_key)
    return OK


def _read_context(under_way: Hash | None, zero: int) -> bytes:
    """Answer the context, which stays; SHA-256 only, an HMAC's holds a key (O).

    One that a stored public key went into is kept back (assumed): it would show bytes of the slot.
    """
    if zero:
        raise parse_error()
    if under_way is None or under_way.outer_key is not None or under_way.hashed_keys:
        raise execution_error()
    return under_way.context()


def _write_context(core: Core, data: bytes) -> bytes:
    try:
        core.hash = Hash.from_context(data)
    except ValueError:
        raise parse_error() from None
    return OK
