"""SecureBoot: whether a digest is that of code which the vendor signed.

Sources: public 608 variant pages, "SecureBoot" (O); the vendor's public headers and host-side
calculations (H).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from hri.rig.atecc.core import OK, Core, sha256, xor
from hri.rig.atecc.eeprom import SECURE_BOOT, VALID_NIBBLE
from hri.rig.atecc.io_protection import io_key
from hri.rig.atecc.p256 import ecdsa_verify
from hri.rig.atecc.packet import Status
from hri.rig.atecc.refusal import Refused, parse_error, require
from hri.rig.atecc.tempkey import RANDOM_SOURCE

_SECUREBOOT = 0x80
_FULL, _FULL_STORE, _FULL_COPY = 5, 6, 7
_PROHIBIT, _WITH_MAC = 0x40, 0x80
_DISABLED, _BOTH, _SIGNATURE, _DIGEST = range(4)


@dataclass(frozen=True, slots=True)
class _Settings:
    """The SecureBoot bytes of the configuration (H)."""

    stores: int
    sets_latch: bool
    needs_random_nonce: bool
    store_slot: int
    key_slot: int

    @classmethod
    def of(cls, core: Core) -> _Settings:
        word = core.eeprom.config[SECURE_BOOT] | core.eeprom.config[SECURE_BOOT + 1] << 8
        return cls(word & 3, bool(word & 8), bool(word & 16), word >> 8 & 0xF, word >> 12)


def secureboot(core: Core, mode: int, zero: int, data: bytes) -> bytes:
    """SecureBoot: verify digest and signature (Full), keep one (FullCopy), or rely on it (FullStore) (O).

    With bit 7 the digest comes masked and a MAC takes the place of 00; with bit 6 success ends the command's
    use until the power fails (H).
    """
    operation = mode & 7
    if mode & 0x38 or operation < _FULL or zero or len(data) != (32 if operation == _FULL_STORE else 96):
        raise parse_error()
    core.require_data_locked()
    settings = _Settings.of(core)
    require(settings.stores != _DISABLED and not core.secure_boot_prohibited)
    # "Both digest and signature always required" (H): there is nothing to store or to rely on.
    require(operation == _FULL or settings.stores != _BOTH)
    if operation == _FULL_COPY:
        _require_store(core, settings)
    key = _session_key(core, settings) if mode & _WITH_MAC else b""
    digest = xor(data[:32], key) if key else data[:32]
    signature = _signature(core, settings, operation, data[32:])
    if not _genuine(core, settings, digest, signature):
        raise Refused(Status.MISCOMPARE)
    if operation == _FULL_COPY:
        kept = digest if settings.stores == _DIGEST else signature
        core.eeprom.slots[settings.store_slot][: len(kept)] = kept
        core.commit()
    core.persistent_latch = core.persistent_latch or settings.sets_latch
    core.secure_boot_prohibited = bool(mode & _PROHIBIT)
    return sha256(key, digest, signature, bytes((_SECUREBOOT, mode, 0, 0))) if key else OK


def _require_store(core: Core, settings: _Settings) -> None:
    policy, slot = core.eeprom.policy(settings.store_slot), settings.store_slot
    require(not policy.is_private and not policy.is_p256_public and not core.eeprom.slot_locked(slot))
    require(len(core.eeprom.slots[slot]) >= (32 if settings.stores == _DIGEST else 64))


def _session_key(core: Core, settings: _Settings) -> bytes:
    """Return SHA-256 of the IO-protection key and TempKey, and use TempKey up (O)."""
    key = core.require_temp_key()
    require(not settings.needs_random_nonce or key.source == RANDOM_SOURCE)
    session = sha256(io_key(core), key.value[:32])
    key.invalidate()
    return session


def _signature(core: Core, settings: _Settings, operation: int, given: bytes) -> bytes:
    """Return the signature to verify: given, stored, or none where a stored digest stands for it."""
    if operation != _FULL_STORE:
        return given
    if settings.stores == _DIGEST:
        return b""
    stored = bytes(core.eeprom.slots[settings.store_slot][:64])
    require(len(stored) == 64 and not core.eeprom.policy(settings.store_slot).is_private)
    return stored


def _genuine(core: Core, settings: _Settings, digest: bytes, signature: bytes) -> bool:
    if not signature:
        require(not core.eeprom.policy(settings.store_slot).is_private)
        return hmac.compare_digest(bytes(core.eeprom.slots[settings.store_slot][:32]), digest)
    policy = core.eeprom.policy(settings.key_slot)
    require(policy.is_p256_public)
    require(not policy.needs_validation or core.eeprom.slots[settings.key_slot][0] & 0xF0 == VALID_NIBBLE)
    return ecdsa_verify(core.stored_public_key(settings.key_slot), signature, digest)
