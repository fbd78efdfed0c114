"""What a slot of a configuration means, in words: every sentence on a slot that a user reads is made here."""

from __future__ import annotations

from .fields import AES, DATA, P256
from .layout import ChipConfig, Slot

_TYPES = {P256: "P-256", AES: "AES", DATA: "data"}


def describe_slot(slot: Slot) -> str:
    """What the slot holds and who may do what with it once the data zone is locked, in one line."""
    parts = _private(slot) if slot.key_config.private else _data(slot)
    return "; ".join((*parts, *_conditions(slot), _permanence(slot)))


def _private(slot: Slot) -> tuple[str, ...]:
    access = slot.slot_config
    uses = [
        words
        for allowed, words in (
            (access.signs_externally, "signs digests it is given"),
            (access.signs_internally, "signs what the chip itself built"),
            (access.allows_ecdh, _ecdh(slot)),
        )
        if allowed
    ]
    return (
        f"{_TYPES.get(slot.key_config.key_type, 'unknown type of')} private key",
        " and ".join(uses) or "no use at all",
        "GenKey may replace it" if access.genkey and not slot.locked else "GenKey refused",
        f"written in under slot {access.write_key}" if access.priv_write else "never written in",
        "never read" if access.is_secret else "NOT SECRET",
    )


def _ecdh(slot: Slot) -> str:
    return f"ECDH into slot {slot.number | 1}" if slot.slot_config.ecdh_into_next else "ECDH"


def _data(slot: Slot) -> tuple[str, ...]:
    kind = {P256: "P-256 public key", AES: "AES key", DATA: "data"}.get(
        slot.key_config.key_type, f"key of undefined type {slot.key_config.key_type}"
    )
    return (f"{kind}, {slot.size} bytes", _reading(slot), _writing(slot))


def _reading(slot: Slot) -> str:
    access = slot.slot_config
    if access.encrypted_read:
        return f"read encrypted under slot {access.read_key}"
    return "never read" if access.is_secret else "read by anybody"


def _writing(slot: Slot) -> str:
    access = slot.slot_config
    if access.clear_write:
        return "written by anybody"
    if access.pub_invalid_write:
        return "written while the public key is not validated"
    ways = []
    if access.encrypted_write:
        ways.append(f"written encrypted under slot {access.write_key}")
    if slot.derivable:
        source = f"slot {access.write_key}" if access.derive_from_parent else "its own key"
        ways.append(f"rolled by DeriveKey from {source}{' with a MAC' if access.derive_needs_mac else ''}")
    return " and ".join(ways) or "never written"


def _conditions(slot: Slot) -> tuple[str, ...]:
    access, key = slot.slot_config, slot.key_config
    return tuple(
        words
        for holds, words in (
            (key.req_random, "needs a random nonce"),
            (key.req_auth, f"needs authorisation by slot {key.auth_key}"),
            (access.limited_use, "a limited number of uses"),
            (access.no_mac and not key.private, "no MAC"),
            (key.persistent_disable, "off until the persistent latch is set"),
            (key.pub_info, _pub_info(slot)),
            (key.x509_id, f"validated by X.509 format {key.x509_id}"),
            (key.reserved, "RESERVED BIT SET"),
        )
        if holds
    )


def _pub_info(slot: Slot) -> str:
    if slot.key_config.private:
        return "public key may be read out"
    if slot.key_config.key_type == P256:
        return f"used only when validated by slot {slot.slot_config.read_key}"
    # On TNGLoRaWAN the bit tells the AES slots that KDF may write from those that it may not (variant pages).
    return "KDF may write it"


def _permanence(slot: Slot) -> str:
    if slot.locked:
        return "slot locked"
    return "can be slot-locked" if slot.key_config.lockable else "cannot be slot-locked"


def still_possible(chip: ChipConfig) -> tuple[str, ...]:
    """What the configuration lets anybody still set in this chip once it is locked, a sentence each."""
    sentences: list[str] = []
    for slot in chip.slots:
        acts = [] if slot.locked else _acts(slot)
        if acts:
            sentences.append(f"slot {slot.number}: {'; '.join(acts)}")
    if chip.address_from_user_extra and not chip.raw[85]:
        sentences.append("byte 85: UpdateExtra gives the chip another I2C address, once")
    return tuple(sentences)


def _acts(slot: Slot) -> list[str]:
    access, lockable = slot.slot_config, slot.key_config.lockable
    until = " until the slot is locked" if lockable else ""
    acts: list[str] = []
    if slot.key_config.private:
        if access.genkey:
            acts.append(f"GenKey may make a new key{until}")
        if access.priv_write:
            acts.append(f"a key may be written in under slot {access.write_key}{until}")
    elif slot.changeable:
        acts.append(f"may be {_writing(slot)}{until}")
    if lockable:
        acts.append("the slot may be locked")
    return acts
