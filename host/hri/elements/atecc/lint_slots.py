"""The rules of `lint` on each slot by itself and with the slots that it points at; `lint.RULES` says why.

Sources: DS20005927A (SlotConfig, KeyConfig, and the commands named).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .fields import AES, DATA, P256
from .layout import ChipConfig, Slot
from .lint_rules import Found, can_authorise

SlotRule = Callable[[ChipConfig, Slot], Iterator[Found]]


def private_key_kept(_: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A private key is a P-256 key, is never read and is never written in."""
    if not slot.key_config.private:
        return
    if not slot.slot_config.is_secret:
        yield Found(slot.number, "private-key-readable", "a private key is in a slot that is not secret")
    if slot.slot_config.priv_write:
        yield Found(slot.number, "private-key-writable", "a private key can be written in from outside")
    if slot.key_config.key_type != P256:
        yield Found(slot.number, "private-key-type", "a private key that is not P-256 cannot be used")


def signs_for_one_purpose(_: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A key that attests and also signs what it is given attests anything."""
    access = slot.slot_config
    if slot.key_config.private and access.signs_internally and access.signs_externally:
        message = "the key attests (internal Sign) and also signs any digest: it would attest anything"
        yield Found(slot.number, "attests-anything", message)


def ecdh_result(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """ECDH into a slot (ReadKey bit 3) needs an even slot, and a secret in the one above it."""
    if not (slot.key_config.private and slot.slot_config.ecdh_into_next):
        return
    result = chip.slot(slot.number | 1)
    if result.number == slot.number or not result.secret_data:
        message = f"ECDH leaves its result in slot {result.number}, which keeps no secret"
        yield Found(slot.number, "ecdh-result-readable", message)


def key_type(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A slot is long enough for its kind of key, and the chip knows that kind."""
    key = slot.key_config
    if key.private:
        return
    if key.key_type not in (P256, AES, DATA):
        yield Found(slot.number, "key-type-undefined", f"key type {key.key_type} has no defined meaning")
    if key.key_type == P256 and slot.size < 72:
        message = f"a P-256 public key takes 72 bytes, and the slot has {slot.size}"
        yield Found(slot.number, "public-key-too-long", message)
    if key.key_type == AES and not chip.aes_enabled:
        yield Found(slot.number, "aes-off", "an AES key is of no use: the AES command is off in this chip")


def symmetric_key_kept(_: ChipConfig, slot: Slot) -> Iterator[Found]:
    """An AES key is never read in clear."""
    key = slot.key_config
    if key.key_type == AES and not key.private and not slot.slot_config.is_secret:
        yield Found(slot.number, "symmetric-key-readable", "an AES key is in a slot that is not secret")


def limited_use(_: ChipConfig, slot: Slot) -> Iterator[Found]:
    """Every use of a limited-use key is counted by counter 0, and at its end the key is dead."""
    if slot.slot_config.limited_use:
        yield Found(slot.number, "limited-use", "the key dies when counter 0 is used up")


def reading(_: ChipConfig, slot: Slot) -> Iterator[Found]:
    """EncryptRead without IsSecret is prohibited (DS20005927A, SlotConfig)."""
    access = slot.slot_config
    if not slot.key_config.private and access.encrypted_read and not access.is_secret:
        yield Found(slot.number, "encrypted-read-of-clear", "EncryptRead needs IsSecret")


def secret_written_by_anybody(_: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A secret that anybody can replace for ever is no secret of ours."""
    replaceable = slot.slot_config.clear_write and not slot.key_config.lockable and not slot.locked
    if slot.secret_data and replaceable:
        message = "anybody can replace this secret, and the slot can never be locked"
        yield Found(slot.number, "secret-replaceable", message)


def read_parent(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """An encrypted read is under a secret key of another slot."""
    parent = slot.slot_config.read_key
    if slot.key_config.private or not slot.slot_config.encrypted_read:
        return
    if not chip.slot(parent).secret_data:
        message = f"encrypted reads depend on slot {parent}, which holds no secret key"
        yield Found(slot.number, "read-key-missing", message)
    elif parent == slot.number:
        message = "encrypted reads depend on the very key that they would read"
        yield Found(slot.number, "read-key-itself", message)


def write_parent(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """An encrypted write, a PrivWrite and a DeriveKey from a parent are under a secret key."""
    access, parent = slot.slot_config, slot.slot_config.write_key
    writes = access.priv_write if slot.key_config.private else access.encrypted_write
    if writes and not chip.slot(parent).secret_data:
        message = f"encrypted writes depend on slot {parent}, which holds no secret key"
        yield Found(slot.number, "write-key-missing", message)
    elif writes and parent == slot.number:
        message = "encrypted writes depend on the very key that they would replace"
        yield Found(slot.number, "write-key-itself", message)
    if slot.derivable and access.derive_from_parent and not chip.slot(parent).secret_data:
        message = f"DeriveKey starts from slot {parent}, which holds no secret key"
        yield Found(slot.number, "derive-key-missing", message)


def validation_parent(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A public key that is to be validated has another public key as its parent (PubInfo, ReadKey)."""
    parent = slot.slot_config.read_key
    if not (slot.p256_public and slot.key_config.pub_info):
        return
    if parent == slot.number or not chip.slot(parent).p256_public:
        message = f"the key is validated by slot {parent}, which is no other slot for a P-256 public key"
        yield Found(slot.number, "validation-key-missing", message)


def auth_parent(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """Authorisation is by a secret or a public key of another slot."""
    key = slot.key_config
    if not key.req_auth:
        return
    if not can_authorise(chip.slot(key.auth_key)):
        message = f"use depends on authorisation by slot {key.auth_key}, which holds no secret or public key"
        yield Found(slot.number, "auth-key-missing", message)
    elif key.auth_key == slot.number:
        message = "use depends on authorisation by this key, which is itself a use"
        yield Found(slot.number, "auth-key-itself", message)


def latch(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A key that waits for the persistent latch needs something that can set it."""
    if slot.key_config.persistent_disable and not chip.latch_can_be_set:
        message = "the key waits for the persistent latch, which nothing sets"
        yield Found(slot.number, "latch-never-set", message)


def x509(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """X509id is for public keys, and names a format that there is."""
    number = slot.key_config.x509_id
    if not number:
        return
    if not slot.p256_public:
        message = f"X509id is {number}, and the slot is not for a public key"
        yield Found(slot.number, "x509-id-misplaced", message)
    elif not any(chip.x509_format(number)):
        message = f"the key is to be validated by X.509 format {number}, which is empty"
        yield Found(slot.number, "x509-format-missing", message)


def reserved_in_slot(_: ChipConfig, slot: Slot) -> Iterator[Found]:
    """What has no meaning stays zero, in KeyConfig too."""
    if slot.key_config.reserved:
        yield Found(slot.number, "reserved-bits", "the reserved bit of KeyConfig is set")


SLOT_RULES: tuple[SlotRule, ...] = (
    private_key_kept,
    signs_for_one_purpose,
    ecdh_result,
    key_type,
    symmetric_key_kept,
    limited_use,
    reading,
    secret_written_by_anybody,
    read_parent,
    write_parent,
    validation_parent,
    auth_parent,
    latch,
    x509,
    reserved_in_slot,
)
