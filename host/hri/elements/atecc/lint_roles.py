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
_DEVICE_KEYS = frozenset({"identity", "attestation", "rotatable"})
_BORN = frozenset({"identity", "attestation"})
_ANCHORS = frozenset({"operator", "trust-anchor"})
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


def device_key(slot: Slot) -> Iterator[Found]:
    """hri can use a device's own keys: nothing stands before them, and their public keys can be read."""
    key = slot.key_config
    if not key.private:
        return
    if key.req_auth or key.persistent_disable:
        message = "the key waits for an authorisation or a latch that nothing of hri ever gives"
        yield Found(slot.number, "device-key-gated", message)
    if not key.pub_info:
        message = "PubInfo is clear: GenKey refuses to give the public key once it was made"
        yield Found(slot.number, "public-key-hidden", message)


def rotatable_key(slot: Slot) -> Iterator[Found]:
    """A rotatable key is made anew and signs challenges, for ever."""
    if not slot.key_config.private or not slot.slot_config.genkey:
        yield Found(slot.number, "never-rotated", "no key could ever be made in this slot")
    if not slot.slot_config.signs_externally:
        yield Found(slot.number, "rotatable-cannot-sign", "a key in this slot could not sign an answer")
    if slot.slot_config.limited_use:
        message = "a key in this slot would die after a number of uses, and so would each after it"
        yield Found(slot.number, "rotatable-limited-use", message)


def anchor(slot: Slot) -> Iterator[Found]:
    """The operator's and the root's public keys can be read and verified with, and never change."""
    if slot.changeable:
        message = "the key that this slot is for could be replaced after the data zone is locked"
        yield Found(slot.number, "anchor-replaceable", message)
    if not slot.p256_public or slot.slot_config.is_secret or slot.key_config.pub_info:
        message = "the slot is not for a P-256 public key that is read and used as it was written"
        yield Found(slot.number, "anchor-unusable", message)


def roles(chip: ChipConfig, profile: Profile) -> Iterator[Found]:
    """Every slot can do what the profile says it is for.

    What has to be possible after the lock is asked of devices' profiles alone: the data zone of any other is
    filled by somebody else, before.
    """
    for described in profile.slots:
        slot = chip.slot(described.number)
        if described.role in _READ_BACK and (slot.slot_config.is_secret or slot.key_config.private):
            yield Found(slot.number, "never-readable", f"the {described.title} could never be read")
        if described.role in _DEVICE_KEYS:
            yield from device_key(slot)
        elif slot.key_config.private and profile.kind in ("device", "custom"):
            message = f"a private key in a slot that is only called {described.role}"
            if slot.slot_config.genkey and not slot.key_config.lockable:
                message += ", and that anybody can replace for ever"
            yield Found(slot.number, "private-key-unnamed", message)
        if described.role == "rotatable":
            yield from rotatable_key(slot)
        if profile.kind != "device":
            continue
        if described.role in _BORN and not slot.slot_config.genkey:
            message = f"the {described.title} could never be made once the data zone is locked"
            yield Found(slot.number, "never-born", message)
        if described.role in _FILLED_LATER and not slot.changeable and not slot.locked:
            message = f"the {described.title} could never be written once the data zone is locked"
            yield Found(slot.number, "never-writable", message)
        if described.role in _ANCHORS:
            yield from anchor(slot)
        yield from _parents_left_zero(chip, slot)


def _parents_left_zero(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A parent that nobody can fill after the lock holds the zeros that everybody knows."""
    access, key = slot.slot_config, slot.key_config
    writes = access.priv_write if key.private else access.encrypted_write
    parents = {
        number
        for used, number in (
            (access.encrypted_read and not key.private, access.read_key),
            (writes or (slot.derivable and access.derive_from_parent), access.write_key),
            (key.req_auth, key.auth_key),
        )
        if used
    }
    for number in sorted(parents):
        parent = chip.slot(number)
        if parent.secret_data and not parent.changeable and not parent.locked:
            message = f"access depends on slot {number}, which could never be written: its key stays zeros"
            yield Found(slot.number, "parent-left-zero", message)


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
