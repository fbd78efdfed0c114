"""The rules of `lint` that depend on what a slot is for, and on what the chip holds now."""

from __future__ import annotations

from collections.abc import Iterator

from . import layout
from .description import Profile
from .layout import ChipConfig, Slot
from .lint_rules import Found

# Slots that are of use only if something can be written into them after the data zone is locked, because hri
# fills them with zeros before.
_FILLED_LATER = frozenset(
    {
        "io-protection",
        "certificate",
        "symmetric",
        "compressed-certificate",
        "signer-key",
        "signer-certificate",
        "firmware-vendor",
        "board-record",
        "general-data",
    }
)
_READ_BACK = frozenset({"certificate", "compressed-certificate", "signer-key", "signer-certificate"})


def identity_key(slot: Slot) -> Iterator[Found]:
    """The identity key is a private key that signs challenges and can be made permanent."""
    if not slot.key_config.private or not slot.slot_config.signs_externally:
        yield Found(slot.number, "identity-cannot-sign", "the identity slot cannot sign an answer")
    if slot.slot_config.genkey and not slot.key_config.lockable:
        message = "the identity key can be replaced for ever: GenKey is allowed and the slot cannot be locked"
        yield Found(slot.number, "identity-replaceable", message)
    if slot.slot_config.limited_use:
        yield Found(slot.number, "identity-limited-use", "the identity key would die after a number of uses")


def attestation_key(slot: Slot) -> Iterator[Found]:
    """The attestation key is a private key that signs what the chip built, and can be made permanent."""
    if not slot.key_config.private or not slot.slot_config.signs_internally:
        yield Found(slot.number, "attestation-cannot-sign", "the attestation slot cannot attest")
    if slot.slot_config.genkey and not slot.key_config.lockable:
        message = "the attestation key can be replaced for ever, and with it goes its endorsement"
        yield Found(slot.number, "attestation-replaceable", message)
    if slot.slot_config.limited_use:
        message = "the attestation key would die after a number of uses"
        yield Found(slot.number, "attestation-limited-use", message)


def roles(chip: ChipConfig, profile: Profile) -> Iterator[Found]:
    """Every slot of a device's profile can do what the profile says it is for."""
    for described in profile.slots:
        slot = chip.slot(described.number)
        if described.role in _FILLED_LATER and not slot.changeable:
            message = f"the {described.title} could never be written once the data zone is locked"
            yield Found(slot.number, "never-writable", message)
        if described.role in _READ_BACK and (slot.slot_config.is_secret or slot.key_config.private):
            yield Found(slot.number, "never-readable", f"the {described.title} could never be read")
        if described.role == "rotatable" and not slot.slot_config.genkey:
            yield Found(slot.number, "never-rotated", "no key could ever be made in this slot")


def changes(wanted: bytes, present: bytes) -> Iterator[Found]:
    """Bytes that a Write cannot reach, an address that moves under the driver's feet, locks by accident."""
    if wanted[:16] != present[:16]:
        message = "bytes 0 to 15 belong to the chip and cannot be written"
        yield Found(None, "manufacturer-bytes", message)
    if wanted[84:88] != present[84:88]:
        yield Found(None, "lock-bytes", "bytes 84 to 87 are for UpdateExtra and Lock alone")
    if wanted[layout.I2C_ADDRESS] != present[layout.I2C_ADDRESS]:
        message = f"the chip would move from I2C address {present[16] >> 1:#04x} to {wanted[16] >> 1:#04x}"
        yield Found(None, "address-changes", message)
    before, after = ChipConfig(present), ChipConfig(wanted)
    if not before.config_locked:
        for old, new in zip(before.slots, after.slots, strict=True):
            if new.locked and not old.locked:
                message = "writing the configuration would lock this slot before it holds anything"
                yield Found(new.number, "slot-locked-by-write", message)
