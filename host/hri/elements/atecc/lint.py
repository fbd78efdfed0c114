"""What must never be locked into a chip, because it bricks it or weakens it: one rule a function.

Sources: DS20005927A (SlotConfig, KeyConfig, and the commands named), the public ATECC608 variant pages for
ChipMode, ChipOptions and SecureBoot, and docs/profile.md for the roles of slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from . import layout
from .layout import ChipConfig, Slot

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; an "error" is refused, a "warning" shown. `slot` is None for the whole chip."""

    severity: Severity
    slot: int | None
    code: str
    message: str

    def as_dict(self) -> dict[str, str | int | None]:
        """The finding as `--json` gives it."""
        return {"severity": self.severity, "slot": self.slot, "code": self.code, "message": self.message}


def lint(
    config: bytes, *, present: bytes | None = None, identity_slot: int = 0, attestation_slot: int = 1
) -> list[Finding]:
    """Everything wrong with locking `config`, over a chip that now holds `present` where that is known.

    Never raises: a configuration of a wrong length is itself a finding, and then the only one.
    """
    if len(config) != layout.CONFIG_BYTES:
        message = (
            f"a configuration zone has 128 bytes and this has {len(config)}: nothing of it can be trusted"
        )
        return [Finding("error", None, "wrong-length", message)]
    chip = ChipConfig(bytes(config))
    findings = [finding for rule in _CHIP_RULES for finding in rule(chip)]
    findings += [finding for slot in chip.slots for rule in _SLOT_RULES for finding in rule(chip, slot)]
    findings += _identity_key(chip.slot(identity_slot))
    findings += _attestation_key(chip.slot(attestation_slot))
    if present is not None and len(present) == layout.CONFIG_BYTES:
        findings += _changes(chip.raw, bytes(present))
    return findings


def _error(slot: int | None, code: str, message: str) -> Finding:
    return Finding("error", slot, code, message)


def _warning(slot: int | None, code: str, message: str) -> Finding:
    return Finding("warning", slot, code, message)


def _changes(wanted: bytes, present: bytes) -> Iterator[Finding]:
    """Bytes that a Write cannot reach, and an address that moves under the driver's feet."""
    if wanted[:16] != present[:16]:
        yield _error(None, "manufacturer-bytes", "bytes 0 to 15 belong to the chip and cannot be written")
    if wanted[84:88] != present[84:88]:
        yield _error(None, "lock-bytes", "bytes 84 to 87 are for UpdateExtra and Lock alone")
    if wanted[layout.I2C_ADDRESS] != present[layout.I2C_ADDRESS]:
        message = f"the chip would move from I2C address {present[16] >> 1:#04x} to {wanted[16] >> 1:#04x}"
        yield _error(None, "address-changes", message)


def _address(chip: ChipConfig) -> Iterator[Finding]:
    """The chip can be addressed, for ever, at an address that is nobody else's."""
    if not 0x08 <= chip.i2c_address <= 0x77:
        yield _error(None, "address-reserved", f"I2C address {chip.i2c_address:#04x} is reserved")
    if chip.address_from_user_extra:
        message = "ChipMode bit 0: one write of byte 85 moves the chip to another I2C address"
        yield _error(None, "address-movable", message)


def _timing(chip: ChipConfig) -> Iterator[Finding]:
    """A long watchdog keeps TempKey alive, a clock divider makes every command slower."""
    if chip.long_watchdog:
        yield _warning(None, "long-watchdog", "the watchdog leaves a forgotten session open for about 13 s")
    if chip.chip_mode >> 3:
        yield _warning(
            None, "slow-clock", "ChipMode divides the clock: commands take up to six times as long"
        )


def _io_key(chip: ChipConfig) -> Iterator[Finding]:
    """The IO-protection key protects only what it keeps secret."""
    slot = chip.slot(chip.io_key_slot)
    if chip.io_key_enabled and not _is_secret_data(slot):
        message = "the IO-protection key is in a slot that can be read or holds a private key"
        yield _error(slot.number, "io-key-not-secret", message)
    if not chip.io_key_enabled and chip.chip_options >> 8 & 0b1010:
        message = "ECDH or KDF output is to be encrypted, but the IO-protection key is off"
        yield _error(None, "io-key-missing", message)


def _secure_boot(chip: ChipConfig) -> Iterator[Finding]:
    """SecureBoot verifies with a P-256 public key; anything else never boots."""
    key = chip.slot(chip.secure_boot >> 12)
    if chip.secure_boot & 3 and (key.key_config.private or key.key_config.key_type != 4):
        yield _error(key.number, "secure-boot-key", "SecureBoot's key slot is not for a P-256 public key")


def _count_match(chip: ChipConfig) -> Iterator[Finding]:
    """Counter match stops counter 0 at a value that a slot holds; whoever writes the slot sets the limit."""
    slot = chip.slot(chip.raw[layout.COUNT_MATCH] >> 4)
    if chip.raw[layout.COUNT_MATCH] & 1:
        yield _warning(slot.number, "count-match", "counter 0 stops at the value that this slot holds")


def _private_key_kept(_: ChipConfig, slot: Slot) -> Iterator[Finding]:
    """A private key is a P-256 key, is never read and is never written in."""
    if not slot.key_config.private:
        return
    if not slot.slot_config.is_secret:
        yield _error(slot.number, "private-key-readable", "a private key is in a slot that is not secret")
    if slot.slot_config.priv_write:
        yield _error(slot.number, "private-key-writable", "a private key can be written in from outside")
    if slot.key_config.key_type != 4:
        yield _error(slot.number, "private-key-type", "a private key that is not P-256 cannot be used")


def _signs_for_one_purpose(_: ChipConfig, slot: Slot) -> Iterator[Finding]:
    """A key that attests and also signs what it is given attests anything."""
    access = slot.slot_config
    if slot.key_config.private and access.signs_internally and access.signs_externally:
        message = "the key attests (internal Sign) and also signs any digest: it would attest anything"
        yield _error(slot.number, "attests-anything", message)


def _limited_use(_: ChipConfig, slot: Slot) -> Iterator[Finding]:
    """Every use of a limited-use key is counted by counter 0, and at its end the key is dead."""
    if slot.slot_config.limited_use:
        yield _warning(slot.number, "limited-use", "the key dies when counter 0 is used up")


def _reading(_: ChipConfig, slot: Slot) -> Iterator[Finding]:
    """EncryptRead without IsSecret is prohibited (DS20005927A, SlotConfig)."""
    access = slot.slot_config
    if not slot.key_config.private and access.encrypted_read and not access.is_secret:
        yield _error(slot.number, "encrypted-read-of-clear", "EncryptRead needs IsSecret")


def _secret_written_by_anybody(_: ChipConfig, slot: Slot) -> Iterator[Finding]:
    """A secret that anybody can replace for ever is no secret of ours."""
    replaceable = slot.slot_config.clear_write and not slot.key_config.lockable and not slot.locked
    if _is_secret_data(slot) and replaceable:
        message = "anybody can replace this secret, and the slot can never be locked"
        yield _warning(slot.number, "secret-replaceable", message)


def _references(chip: ChipConfig, slot: Slot) -> Iterator[Finding]:
    """A slot that access depends on holds the kind of key that this access takes."""
    access, key = slot.slot_config, slot.key_config
    if not key.private and access.encrypted_read and not _is_secret_data(chip.slot(access.read_key)):
        message = f"encrypted reads depend on slot {access.read_key}, which holds no secret key"
        yield _error(slot.number, "read-key-missing", message)
    writes = access.priv_write if key.private else access.encrypted_write
    if writes and not _is_secret_data(chip.slot(access.write_key)):
        message = f"encrypted writes depend on slot {access.write_key}, which holds no secret key"
        yield _error(slot.number, "write-key-missing", message)
    if key.req_auth and not _can_authorise(chip.slot(key.auth_key)):
        message = f"use depends on authorisation by slot {key.auth_key}, which holds no secret or public key"
        yield _error(slot.number, "auth-key-missing", message)


def _latch(chip: ChipConfig, slot: Slot) -> Iterator[Finding]:
    """A key that waits for the persistent latch needs something that can set it."""
    sets_latch = chip.raw[layout.VOLATILE_KEY] & 0x80 or (chip.secure_boot & 3 and chip.secure_boot & 8)
    if slot.key_config.persistent_disable and not sets_latch:
        message = "the key waits for the persistent latch, which nothing sets"
        yield _error(slot.number, "latch-never-set", message)


def _identity_key(slot: Slot) -> Iterator[Finding]:
    """The identity key is a private key that signs challenges and can be made permanent."""
    if not slot.key_config.private or not slot.slot_config.signs_externally:
        yield _error(slot.number, "identity-cannot-sign", "the identity slot cannot sign an answer")
    if slot.slot_config.genkey and not slot.key_config.lockable:
        message = "the identity key can be replaced for ever: GenKey is allowed and the slot cannot be locked"
        yield _error(slot.number, "identity-replaceable", message)
    if slot.slot_config.limited_use:
        yield _error(slot.number, "identity-limited-use", "the identity key would die after a number of uses")


def _attestation_key(slot: Slot) -> Iterator[Finding]:
    """The attestation key is a private key that signs what the chip built, and can be made permanent."""
    if not slot.key_config.private or not slot.slot_config.signs_internally:
        yield _error(slot.number, "attestation-cannot-sign", "the attestation slot cannot attest")
    if slot.slot_config.genkey and not slot.key_config.lockable:
        message = "the attestation key can be replaced for ever, and with it goes its endorsement"
        yield _error(slot.number, "attestation-replaceable", message)
    if slot.slot_config.limited_use:
        message = "the attestation key would die after a number of uses"
        yield _error(slot.number, "attestation-limited-use", message)


def _is_secret_data(slot: Slot) -> bool:
    access = slot.slot_config
    return access.is_secret and not slot.key_config.private


def _can_authorise(slot: Slot) -> bool:
    return not slot.key_config.private and (slot.slot_config.is_secret or slot.key_config.key_type == 4)


_CHIP_RULES: tuple[Callable[[ChipConfig], Iterator[Finding]], ...] = (
    _address,
    _timing,
    _io_key,
    _secure_boot,
    _count_match,
)
_SLOT_RULES: tuple[Callable[[ChipConfig, Slot], Iterator[Finding]], ...] = (
    _private_key_kept,
    _signs_for_one_purpose,
    _limited_use,
    _reading,
    _secret_written_by_anybody,
    _references,
    _latch,
)
