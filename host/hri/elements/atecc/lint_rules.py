"""The rules of `lint` on the zone as a whole; `lint.RULES` says why, `lint_slots` has those of each slot.

Sources: DS20005927A (configuration zone), and for ChipMode, ChipOptions, SecureBoot, UseLock and
VolatileKeyPermission the public ATECC608 variant pages and the field masks of the vendor's public headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from . import layout
from .layout import COUNTER_MAX, ChipConfig, Slot

_DIVIDERS = (0, 0x05, 0x0D)
_RESERVED_BYTES = (17, *range(75, 84))


class Found(NamedTuple):
    """A rule that is broken: where (None for the whole chip), its code, and what is so."""

    slot: int | None
    code: str
    message: str


ChipRule = Callable[[ChipConfig], Iterator[Found]]


def can_authorise(slot: Slot) -> bool:
    """The slot may hold a key that CheckMac or Verify authorises with."""
    return slot.secret_data or slot.p256_public


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
        ("CountMatch", chip.raw[layout.COUNT_MATCH] & 0x0E),
        ("VolatileKeyPermission", chip.raw[layout.VOLATILE_KEY] & 0x70),
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
    if options.io_key and not slot.changeable and not slot.locked:
        message = "no IO-protection key can be written once the data zone is locked"
        yield Found(slot.number, "io-key-never-written", message)
    protections = (options.ecdh_protection, options.kdf_protection)
    if not options.io_key and 1 in protections:
        message = "ECDH or KDF output is to be encrypted, but the IO-protection key is off"
        yield Found(None, "io-key-missing", message)
    if 3 in protections:
        yield Found(None, "protection-undefined", "the protection of ECDH or KDF output is an undefined one")


def secure_boot(chip: ChipConfig) -> Iterator[Found]:
    """SecureBoot verifies with a P-256 public key, which stays the one that it is."""
    key = chip.slot(chip.secure_boot.key_slot)
    if not chip.secure_boot.mode:
        return
    if not key.p256_public:
        yield Found(key.number, "secure-boot-key", "SecureBoot's key slot is not for a P-256 public key")
    if key.slot_config.clear_write and not key.key_config.lockable and not key.locked:
        message = "anybody can replace SecureBoot's key, and the slot can never be locked"
        yield Found(key.number, "secure-boot-key-replaceable", message)


def secure_boot_store(chip: ChipConfig) -> Iterator[Found]:
    """What SecureBoot stores is kept where nothing else writes, and fits (modes 2 and 3)."""
    boot = chip.secure_boot
    if boot.mode < 2:
        return
    store = chip.slot(boot.store_slot)
    if store.key_config.private or store.changeable:
        message = "what SecureBoot stores here other commands can replace, or the slot is for a private key"
        yield Found(store.number, "secure-boot-store", message)
    if boot.mode == 2 and store.size < 64:
        message = f"SecureBoot stores a signature of 64 bytes, and the slot has {store.size}"
        yield Found(store.number, "secure-boot-store", message)


def count_match(chip: ChipConfig) -> Iterator[Found]:
    """Counter match stops counter 0 at a value that a slot holds; whoever writes the slot sets the limit."""
    if chip.count_match:
        message = "counter 0 stops at the value that this slot holds"
        yield Found(chip.count_match_slot, "count-match", message)


def use_lock(chip: ChipConfig) -> Iterator[Found]:
    """A chip that waits for a key before it does anything is mute for whoever does not have it."""
    if chip.use_lock:
        message = f"UseLock: the chip works only after authorisation with slot {chip.use_lock_slot}"
        yield Found(chip.use_lock_slot, "use-lock", message)


def volatile_key(chip: ChipConfig) -> Iterator[Found]:
    """The key of the volatile key permission waits for a latch that only authorisation with it sets."""
    if not chip.volatile_key:
        return
    slot = chip.slot(chip.volatile_key_slot)
    if can_authorise(slot):
        message = "the key is of no use until the persistent latch is set, anew after each loss of power"
        yield Found(slot.number, "volatile-key", message)
    else:
        message = "the volatile key permission depends on a slot that holds no secret or public key"
        yield Found(slot.number, "volatile-key-missing", message)


def x509_formats(chip: ChipConfig) -> Iterator[Found]:
    """A format names a block of its template: one that is past the end no certificate can have.

    That PublicPosition counts the same blocks as TemplateLength is assumed.
    """
    for number in range(4):
        position, length = chip.x509_format(number)
        if position and position >= length:
            message = f"X.509 format {number}: the key in block {position} of a template of {length} blocks"
            yield Found(None, "x509-format-impossible", message)


CHIP_RULES: tuple[ChipRule, ...] = (
    address,
    timing,
    counters,
    reserved,
    io_key,
    secure_boot,
    secure_boot_store,
    count_match,
    use_lock,
    volatile_key,
    x509_formats,
)
