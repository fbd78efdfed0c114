"""What the bytes of a configuration that belong to no slot mean, in words."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout
from .layout import ChipConfig

_SECURE_BOOT = (
    "secure boot off",
    "secure boot verifies every signature",
    "secure boot with signature stored",
    "secure boot with digest stored",
)
_PROTECTION = ("in clear or encrypted", "encrypted only", "kept in the chip", "undefined")
_DIVIDERS = {0: "fastest clock", 0x05: "clock slower", 0x0D: "clock slowest"}


@dataclass(frozen=True, slots=True)
class FieldWords:
    """One field outside the slots: its place, its bytes in hex, its name in the documents, its meaning."""

    start: int
    length: int
    name: str
    raw: str
    meaning: str

    @property
    def place(self) -> str:
        """`byte 16` or `bytes 90 to 91`."""
        last = self.start + self.length - 1
        return f"byte {self.start}" if self.length == 1 else f"bytes {self.start} to {last}"


# (first byte, length, name); with SlotConfig (20 to 51) and KeyConfig (96 to 127) these are all 128 bytes.
FIELDS = (
    (0, 4, "SN[0:4]"),
    (4, 4, "RevNum"),
    (8, 5, "SN[4:9]"),
    (13, 1, "AES_Enable"),
    (14, 1, "I2C_Enable"),
    (15, 1, "reserved"),
    (16, 1, "I2C_Address"),
    (17, 1, "reserved"),
    (18, 1, "CountMatch"),
    (19, 1, "ChipMode"),
    (52, 8, "Counter[0]"),
    (60, 8, "Counter[1]"),
    (68, 1, "UseLock"),
    (69, 1, "VolatileKeyPermission"),
    (70, 2, "SecureBoot"),
    (72, 1, "KdfIvLoc"),
    (73, 2, "KdfIvStr"),
    (75, 9, "reserved"),
    (84, 1, "UserExtra"),
    (85, 1, "UserExtraAdd"),
    (86, 1, "LockValue"),
    (87, 1, "LockConfig"),
    (88, 2, "SlotLocked"),
    (90, 2, "ChipOptions"),
    (92, 4, "X509format"),
)


def describe_fields(config: ChipConfig) -> tuple[FieldWords, ...]:
    """Every field of the 128 bytes that belongs to no slot, in the order of its bytes."""
    return tuple(
        FieldWords(
            start, length, name, config.raw[start : start + length].hex().upper(), _meaning(config, start)
        )
        for start, length, name in FIELDS
    )


def describe_setting(config: ChipConfig, start: int, length: int) -> str:
    """What the `length` bytes from `start`, which belong to no slot, mean."""
    raw = config.raw[start : start + length].hex().upper()
    within = [field for field, _, _ in FIELDS if start <= field < start + length]
    meanings = dict.fromkeys(_meaning(config, field) for field in within or [start])
    return f"{', '.join(meanings)} ({raw})"


def _meaning(config: ChipConfig, start: int) -> str:
    makers = "set by the maker"
    return {
        0: f"serial number {config.serial_number.hex()}",
        4: _revision(config),
        8: f"serial number {config.serial_number.hex()}",
        13: "AES command on" if config.aes_enabled else "AES command off",
        14: "I2C interface" if config.i2c_enabled else "single-wire interface",
        15: makers,
        16: f"I2C address {config.i2c_address:#04x}",
        18: _count_match(config),
        19: _chip_mode(config),
        52: _counter(config, 0),
        60: _counter(config, 1),
        68: _use_lock(config),
        69: _volatile_key(config),
        70: _secure_boot(config),
        72: f"KDF input must hold KdfIvStr at {config.raw[72]}, where the special mode is used",
        73: f"KdfIvStr {config.raw[73:75].hex()}",
        84: "set by UpdateExtra" if config.raw[84] else "not set",
        85: _user_extra_add(config),
        86: "data zone locked" if config.data_locked else "data zone open",
        87: "configuration zone locked" if config.config_locked else "configuration zone open",
        88: _slot_locks(config),
        90: _chip_options(config),
        92: _x509_formats(config),
    }.get(start, "reserved" if not config.raw[start] else "reserved, and not zero")


def _revision(config: ChipConfig) -> str:
    models = {0x6000: "ATECC608A", 0x6001: "ATECC608A", 0x6002: "ATECC608A", 0x6003: "ATECC608B"}
    number = int.from_bytes(config.revision, "big")
    model = models.get(number) or {0x50: "ATECC508A", 0x60: "a later ATECC608"}.get(
        number >> 8, "unknown chip"
    )
    return f"{model}, revision {config.revision.hex()}"


def _count_match(config: ChipConfig) -> str:
    return (
        f"counter match on, limit in slot {config.count_match_slot}"
        if config.count_match
        else "counter match off"
    )


def _chip_mode(config: ChipConfig) -> str:
    watchdog = "about 13 s" if config.long_watchdog else "about 1.3 s"
    address = "address follows byte 85" if config.address_from_user_extra else "address fixed"
    levels = "fixed input levels" if config.fixed_levels else "input levels follow the supply"
    clock = _DIVIDERS.get(config.clock_divider, f"clock divider {config.clock_divider}, which is undefined")
    return f"watchdog {watchdog}, {address}, {levels}, {clock}"


def _counter(config: ChipConfig, number: int) -> str:
    value = config.counter(number)
    if value is None:
        return f"counter {number}: no count, these bytes are damaged"
    return f"counter {number} at {value} of {layout.COUNTER_MAX}"


def _use_lock(config: ChipConfig) -> str:
    return f"use lock on, opened by slot {config.use_lock_slot}" if config.use_lock else "use lock off"


def _volatile_key(config: ChipConfig) -> str:
    if not config.volatile_key:
        return "volatile key permission off"
    return f"volatile key permission on: slot {config.volatile_key_slot} waits for the persistent latch"


def _secure_boot(config: ChipConfig) -> str:
    boot = config.secure_boot
    words = [_SECURE_BOOT[boot.mode]]
    if boot.mode > 1:
        words[0] += f" in slot {boot.store_slot}"
    if boot.mode:
        words.append(f"public key in slot {boot.key_slot}")
        words += ["sets the persistent latch"] if boot.sets_latch else []
        words += ["needs a random nonce"] if boot.random_nonce else []
    return ", ".join(words)


def _user_extra_add(config: ChipConfig) -> str:
    if not config.raw[layout.USER_EXTRA_ADD]:
        return "not set"
    if config.address_from_user_extra:
        return f"I2C address {config.user_extra_address:#04x}, in place of byte 16"
    return "set, without effect on the address"


def _slot_locks(config: ChipConfig) -> str:
    locked = [str(slot.number) for slot in config.slots if slot.locked]
    return f"slots locked: {', '.join(locked)}" if locked else "no slot locked"


def _chip_options(config: ChipConfig) -> str:
    options = config.chip_options
    words = [
        f"IO-protection key in slot {options.io_key_slot}" if options.io_key else "no IO-protection key",
        "self-test at power-on" if options.self_test else "no self-test at power-on",
        "KDF may use AES" if options.kdf_aes else "KDF without AES",
    ]
    words += ["a health failure clears itself"] if options.clears_health_failure else []
    words.append(f"ECDH output {_PROTECTION[options.ecdh_protection]}")
    words.append(f"KDF output {_PROTECTION[options.kdf_protection]}")
    return ", ".join(words)


def _x509_formats(config: ChipConfig) -> str:
    used = [
        f"format {number}: template of {length} blocks, key in block {position}"
        for number in range(4)
        for position, length in (config.x509_format(number),)
        if position or length
    ]
    return "; ".join(used) or "no X.509 formats"
