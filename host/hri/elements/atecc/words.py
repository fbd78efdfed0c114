"""What a configuration means, in words: every sentence about it that a user reads is made here."""

from __future__ import annotations

from .layout import ChipConfig, Slot

_TYPES = {4: "P-256", 6: "AES", 7: "data"}


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
            (access.allows_ecdh, "ECDH"),
        )
        if allowed
    ]
    return (
        f"{_TYPES.get(slot.key_config.key_type, 'unknown type of')} private key",
        " and ".join(uses) or "no use at all",
        "GenKey may replace it" if access.genkey else "GenKey refused",
        f"written in under slot {access.write_key}" if access.priv_write else "never written in",
        "never read" if access.is_secret else "NOT SECRET",
    )


def _data(slot: Slot) -> tuple[str, ...]:
    kind = {4: "P-256 public key", 6: "AES key"}.get(slot.key_config.key_type, "data")
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
    if access.encrypted_write:
        return f"written encrypted under slot {access.write_key}"
    return "never written"


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
            (key.pub_info and not key.private, "used only when validated"),
            (key.pub_info and key.private, "public key may be read out"),
        )
        if holds
    )


def _permanence(slot: Slot) -> str:
    if slot.locked:
        return "slot locked"
    return "can be slot-locked" if slot.key_config.lockable else "cannot be slot-locked"


def describe_setting(config: ChipConfig, start: int, length: int) -> str:
    """What the `length` bytes from `start`, which belong to no slot, mean."""
    raw = config.raw[start : start + length].hex().upper()
    meaning = {
        16: f"I2C address {config.i2c_address:#04x}",
        18: "counter match " + ("on" if config.raw[18] & 1 else "off"),
        19: _chip_mode(config),
        52: "counters",
        68: "use lock " + ("on" if config.raw[68] & 0x0F else "off"),
        69: "volatile key permission " + ("on" if config.raw[69] & 0x80 else "off"),
        70: _secure_boot(config),
        88: _slot_locks(config),
        90: _chip_options(config),
        92: "X.509 formats",
    }.get(start, "reserved")
    return f"{meaning} ({raw})"


def _chip_mode(config: ChipConfig) -> str:
    watchdog = "about 13 s" if config.long_watchdog else "about 1.3 s"
    address = "address follows byte 85" if config.address_from_user_extra else "address fixed"
    return f"watchdog {watchdog}, {address}"


def _secure_boot(config: ChipConfig) -> str:
    mode = ("off", "digest and signature", "signature stored", "digest stored")[config.secure_boot & 3]
    if mode == "off":
        return "secure boot off"
    store, key = config.secure_boot >> 8 & 0xF, config.secure_boot >> 12
    return f"secure boot with {mode} in slot {store}, public key in slot {key}"


def _slot_locks(config: ChipConfig) -> str:
    locked = [str(slot.number) for slot in config.slots if slot.locked]
    return f"slots locked: {', '.join(locked)}" if locked else "no slot locked"


def _chip_options(config: ChipConfig) -> str:
    key = (
        f"IO-protection key in slot {config.io_key_slot}" if config.io_key_enabled else "no IO-protection key"
    )
    test = "self-test at power-on" if config.chip_options & 1 else "no self-test at power-on"
    return f"{key}, {test}"
