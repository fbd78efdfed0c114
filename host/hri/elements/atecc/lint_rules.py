"""The rules of `lint`: one function a rule, of the whole chip or of one slot; `lint.RULES` says why.

Sources: DS20005927A (SlotConfig, KeyConfig, and the commands named), the public ATECC608 variant pages for
ChipMode, ChipOptions and SecureBoot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .fields import AES, DATA, P256
from .layout import COUNTER_MAX, ChipConfig, Slot

_DIVIDERS = (0, 0x05, 0x0D)
_RESERVED_BYTES = (17, *range(75, 84))
_USE_LOCK_ON = 0x0A


class Found(NamedTuple):
    """A rule that is broken: where (None for the whole chip), its code, and what is so."""

    slot: int | None
    code: str
    message: str


ChipRule = Callable[[ChipConfig], Iterator[Found]]
SlotRule = Callable[[ChipConfig, Slot], Iterator[Found]]


# The whole chip.


def address(chip: ChipConfig) -> Iterator[Found]:
    """The chip can be addressed, for ever, at an address that is nobody else's."""
    if not 0x08 <= chip.i2c_address <= 0x77:
        yield Found(None, "address-reserved", f"I2C address {chip.i2c_address:#04x} is reserved")
    if chip.address_from_user_extra:
        message = "ChipMode bit 0: one write of byte 85 moves the chip to another I2C address"
        yield Found(None, "address-movable", message)


def timing(chip: ChipConfig) -> Iterator[Found]:
    """A long watchdog keeps TempKey alive, a clock divider makes every command slower."""
    if chip.long_watchdog:
        yield Found(None, "long-watchdog", "the watchdog leaves a forgotten session open for about 13 s")
    if chip.clock_divider not in _DIVIDERS:
        yield Found(None, "clock-undefined", f"clock divider {chip.clock_divider} has no defined meaning")
    elif chip.clock_divider:
        yield Found(None, "slow-clock", "ChipMode divides the clock: commands take up to six times as long")


def counters(chip: ChipConfig) -> Iterator[Found]:
    """The counters' bytes are a count, and not at its end: neither can be mended once the zone is locked."""
    for number in (0, 1):
        value = chip.counter(number)
        if value is None:
            yield Found(None, "counter-damaged", f"the eight bytes of counter {number} are no count")
        elif value >= COUNTER_MAX:
            yield Found(None, "counter-spent", f"counter {number} is at its end already")


def reserved(chip: ChipConfig) -> Iterator[Found]:
    """What has no meaning stays zero: nobody knows what a later chip makes of it."""
    bytes_set = [at for at in _RESERVED_BYTES if chip.raw[at]]
    if bytes_set:
        places = ", ".join(map(str, bytes_set))
        yield Found(None, "reserved-bits", f"reserved bytes are not zero: {places}")
    for name, bits in (
        ("ChipOptions", chip.chip_options.reserved),
        ("SecureBoot", chip.secure_boot.reserved),
    ):
        if bits:
            yield Found(None, "reserved-bits", f"reserved bits of {name} are set")


def io_key(chip: ChipConfig) -> Iterator[Found]:
    """The IO-protection key protects only what it keeps secret."""
    options = chip.chip_options
    slot = chip.slot(options.io_key_slot)
    if options.io_key and not slot.secret_data:
        message = "the IO-protection key is in a slot that can be read or holds a private key"
        yield Found(slot.number, "io-key-not-secret", message)
    if not options.io_key and 1 in (options.ecdh_protection, options.kdf_protection):
        message = "ECDH or KDF output is to be encrypted, but the IO-protection key is off"
        yield Found(None, "io-key-missing", message)


def secure_boot(chip: ChipConfig) -> Iterator[Found]:
    """SecureBoot verifies with a P-256 public key, and keeps what it stores where nobody else writes."""
    boot = chip.secure_boot
    if not boot.mode:
        return
    key = chip.slot(boot.key_slot)
    if not key.p256_public:
        yield Found(key.number, "secure-boot-key", "SecureBoot's key slot is not for a P-256 public key")
    if boot.mode == 1:
        return
    store = chip.slot(boot.store_slot)
    if store.key_config.private or store.slot_config.clear_write:
        message = "what SecureBoot stores here can be replaced by anybody, or the slot is for a private key"
        yield Found(store.number, "secure-boot-store", message)
    if boot.mode == 2 and store.size < 64:
        message = f"SecureBoot stores a signature of 64 bytes, and the slot has {store.size}"
        yield Found(store.number, "secure-boot-store", message)


def count_match(chip: ChipConfig) -> Iterator[Found]:
    """Counter match stops counter 0 at a value that a slot holds; whoever writes the slot sets the limit."""
    if chip.count_match:
        message = "counter 0 stops at the value that this slot holds"
        yield Found(chip.count_match_slot, "count-match", message)


def gates(chip: ChipConfig) -> Iterator[Found]:
    """A chip that waits for a key before it does anything is mute for whoever does not have it."""
    if chip.use_lock == _USE_LOCK_ON:
        message = f"UseLock: the chip works only after authorisation with slot {chip.use_lock_slot}"
        yield Found(chip.use_lock_slot, "use-lock", message)
    if chip.volatile_key and not _can_authorise(chip.slot(chip.volatile_key_slot)):
        message = "the volatile key permission depends on a slot that holds no secret or public key"
        yield Found(chip.volatile_key_slot, "volatile-key-missing", message)


# Each slot.


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


def parents(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A slot that access depends on holds the kind of key that this access takes."""
    access, key = slot.slot_config, slot.key_config
    if not key.private and access.encrypted_read and not chip.slot(access.read_key).secret_data:
        message = f"encrypted reads depend on slot {access.read_key}, which holds no secret key"
        yield Found(slot.number, "read-key-missing", message)
    writes = access.priv_write if key.private else access.encrypted_write
    if writes and not chip.slot(access.write_key).secret_data:
        message = f"encrypted writes depend on slot {access.write_key}, which holds no secret key"
        yield Found(slot.number, "write-key-missing", message)
    from_parent = slot.derivable and access.derive_from_parent
    if from_parent and not chip.slot(access.write_key).secret_data:
        message = f"DeriveKey starts from slot {access.write_key}, which holds no secret key"
        yield Found(slot.number, "derive-key-missing", message)
    if slot.p256_public and key.pub_info and not chip.slot(access.read_key).p256_public:
        message = f"the key is validated by slot {access.read_key}, which is not for a P-256 public key"
        yield Found(slot.number, "validation-key-missing", message)
    if key.req_auth and not _can_authorise(chip.slot(key.auth_key)):
        message = f"use depends on authorisation by slot {key.auth_key}, which holds no secret or public key"
        yield Found(slot.number, "auth-key-missing", message)


def latch(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A key that waits for the persistent latch needs something that can set it."""
    if slot.key_config.persistent_disable and not chip.latch_can_be_set:
        message = "the key waits for the persistent latch, which nothing sets"
        yield Found(slot.number, "latch-never-set", message)


def x509(chip: ChipConfig, slot: Slot) -> Iterator[Found]:
    """A validation against an X.509 format needs that format."""
    number = slot.key_config.x509_id
    if number and not any(chip.x509_format(number)):
        message = f"the key is to be validated by X.509 format {number}, which is empty"
        yield Found(slot.number, "x509-format-missing", message)


def reserved_in_slot(_: ChipConfig, slot: Slot) -> Iterator[Found]:
    """What has no meaning stays zero, in KeyConfig too."""
    if slot.key_config.reserved:
        yield Found(slot.number, "reserved-bits", "the reserved bit of KeyConfig is set")


def _can_authorise(slot: Slot) -> bool:
    return slot.secret_data or slot.p256_public


CHIP_RULES: tuple[ChipRule, ...] = (
    address,
    timing,
    counters,
    reserved,
    io_key,
    secure_boot,
    count_match,
    gates,
)
SLOT_RULES: tuple[SlotRule, ...] = (
    private_key_kept,
    signs_for_one_purpose,
    key_type,
    limited_use,
    reading,
    secret_written_by_anybody,
    parents,
    latch,
    x509,
    reserved_in_slot,
)
