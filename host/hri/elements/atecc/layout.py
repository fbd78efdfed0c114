"""The ATECC608 configuration zone, field by field.

Sources: the public ATECC508A datasheet (DS20005927A, configuration zone) and, for what the 608 added (bytes
13, 68 to 83, 90 and 91), the public ATECC608 variant pages and the masks of the vendor's public headers.
"""

from __future__ import annotations

from dataclasses import dataclass

from .fields import P256, ChipOptions, KeyConfig, SecureBoot, SlotConfig

__all__ = ["ChipConfig", "ChipOptions", "KeyConfig", "SecureBoot", "Slot", "SlotConfig", "decode"]

CONFIG_BYTES = 128
SLOTS = 16
SLOT_BYTES = (36,) * 8 + (416,) + (72,) * 7

SERIAL_PARTS = (slice(0, 4), slice(8, 13))
REVISION = slice(4, 8)
AES_ENABLE = 13
I2C_ENABLE = 14
I2C_ADDRESS = 16
COUNT_MATCH = 18
CHIP_MODE = 19
SLOT_CONFIG = 20
COUNTERS = slice(52, 68)
USE_LOCK = 68
VOLATILE_KEY = 69
SECURE_BOOT = slice(70, 72)
KDF_IV_LOC = 72
KDF_IV_STR = slice(73, 75)
USER_EXTRA = 84
USER_EXTRA_ADD = 85
LOCK_VALUE = 86
LOCK_CONFIG = 87
SLOT_LOCKED = slice(88, 90)
CHIP_OPTIONS = slice(90, 92)
X509_FORMAT = slice(92, 96)
KEY_CONFIG = 96

COUNTER_MAX = 2_097_151
_UNLOCKED = 0x55


def _u16(config: bytes, at: int) -> int:
    return int.from_bytes(config[at : at + 2], "little")


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the sixteen slots as the configuration zone describes it; `size` in bytes."""

    number: int
    slot_config: SlotConfig
    key_config: KeyConfig
    locked: bool

    @property
    def size(self) -> int:
        return SLOT_BYTES[self.number]

    @property
    def p256_private(self) -> bool:
        """The slot holds a P-256 private key."""
        return self.key_config.private and self.key_config.key_type == P256

    @property
    def p256_public(self) -> bool:
        """The slot is for a P-256 public key."""
        return not self.key_config.private and self.key_config.key_type == P256

    @property
    def secret_data(self) -> bool:
        """The slot holds a secret that is not a private key: what parent keys are made of."""
        return self.slot_config.is_secret and not self.key_config.private

    @property
    def derivable(self) -> bool:
        """DeriveKey may write the slot: it holds a symmetric key, and its WriteConfig says so."""
        key = self.key_config
        return self.slot_config.derive_key and not key.private and key.key_type != P256

    @property
    def changeable(self) -> bool:
        """Once the data zone is locked, some command can still change what the slot holds."""
        access = self.slot_config
        if self.locked:
            return False
        if self.key_config.private:
            return access.genkey or access.priv_write
        return access.clear_write or access.pub_invalid_write or access.encrypted_write or self.derivable


@dataclass(frozen=True, slots=True)
class ChipConfig:
    """A whole configuration zone; `raw` is its 128 bytes, everything else is read from them."""

    raw: bytes

    def __post_init__(self) -> None:
        if type(self.raw) is not bytes or len(self.raw) != CONFIG_BYTES:
            raise ValueError(f"a configuration zone has {CONFIG_BYTES} bytes, not {len(self.raw)}")

    @property
    def serial_number(self) -> bytes:
        """SN[0:9], 9 bytes."""
        return b"".join(self.raw[part] for part in SERIAL_PARTS)

    @property
    def revision(self) -> bytes:
        return self.raw[REVISION]

    @property
    def i2c_address(self) -> int:
        """The address in seven bits as the configuration gives it."""
        return self.raw[I2C_ADDRESS] >> 1

    @property
    def chip_mode(self) -> int:
        return self.raw[CHIP_MODE]

    @property
    def aes_enabled(self) -> bool:
        """The AES command works (byte 13 bit 0; set when the chip was made)."""
        return bool(self.raw[AES_ENABLE] & 0x01)

    @property
    def i2c_enabled(self) -> bool:
        """The chip talks I2C, not the single-wire interface (byte 14 bit 0; set when the chip was made)."""
        return bool(self.raw[I2C_ENABLE] & 0x01)

    @property
    def user_extra_address(self) -> int:
        """Byte 85 in seven bits: the address where ChipMode bit 0 is set and the byte is not zero."""
        return self.raw[USER_EXTRA_ADD] >> 1

    @property
    def count_match(self) -> bool:
        return bool(self.raw[COUNT_MATCH] & 0x01)

    @property
    def count_match_slot(self) -> int:
        return self.raw[COUNT_MATCH] >> 4

    @property
    def fixed_levels(self) -> bool:
        """ChipMode bit 1 clear: input levels are fixed and do not follow the supply."""
        return not self.chip_mode & 0x02

    @property
    def clock_divider(self) -> int:
        """ChipMode bits 3 to 7: 0 fastest, 5, or 13 slowest; anything else is undefined."""
        return self.chip_mode >> 3

    @property
    def use_lock(self) -> int:
        """Byte 68 bits 0 to 3; not zero: use of the chip is gated by `use_lock_slot`."""
        return self.raw[USE_LOCK] & 0x0F

    @property
    def use_lock_slot(self) -> int:
        return self.raw[USE_LOCK] >> 4

    @property
    def volatile_key(self) -> bool:
        """Byte 69 bit 7: the persistent latch is set by authorising with `volatile_key_slot`."""
        return bool(self.raw[VOLATILE_KEY] & 0x80)

    @property
    def volatile_key_slot(self) -> int:
        return self.raw[VOLATILE_KEY] & 0x0F

    def counter(self, number: int) -> int | None:
        """What monotonic counter 0 or 1 stands at; None where its eight bytes are no count.

        The layout is that of the vendor's public host calculations: two unary and two binary halves.
        """
        at = COUNTERS.start + 8 * number
        halves = [int.from_bytes(self.raw[i : i + 2], "big") for i in range(at, at + 8, 2)]
        spent = _spent(halves[0]) if halves[0] else 16 + _spent(halves[1])
        value = halves[2] * 32 + spent
        return value if halves == _counter_halves(value) else None

    def x509_format(self, number: int) -> tuple[int, int]:
        """(PublicPosition, TemplateLength) of X509format 0 to 3."""
        raw = self.raw[X509_FORMAT.start + number]
        return raw & 0x0F, raw >> 4

    @property
    def address_from_user_extra(self) -> bool:
        """ChipMode bit 0: byte 85, once written, becomes the I2C address."""
        return bool(self.chip_mode & 0x01)

    @property
    def long_watchdog(self) -> bool:
        """ChipMode bit 2: about 13 s in place of about 1.3 s."""
        return bool(self.chip_mode & 0x04)

    @property
    def config_locked(self) -> bool:
        return self.raw[LOCK_CONFIG] != _UNLOCKED

    @property
    def data_locked(self) -> bool:
        return self.raw[LOCK_VALUE] != _UNLOCKED

    @property
    def secure_boot(self) -> SecureBoot:
        return SecureBoot(_u16(self.raw, SECURE_BOOT.start))

    @property
    def chip_options(self) -> ChipOptions:
        return ChipOptions(_u16(self.raw, CHIP_OPTIONS.start))

    @property
    def latch_can_be_set(self) -> bool:
        """Something sets the persistent latch: a volatile key permission or a secure boot."""
        return self.volatile_key or self.secure_boot.sets_latch

    def slot(self, number: int) -> Slot:
        """Slot 0 to 15; raises ValueError for any other number."""
        if not 0 <= number < SLOTS:
            raise ValueError(f"there is no slot {number}")
        return Slot(
            number,
            SlotConfig(_u16(self.raw, SLOT_CONFIG + 2 * number)),
            KeyConfig(_u16(self.raw, KEY_CONFIG + 2 * number)),
            not _u16(self.raw, SLOT_LOCKED.start) >> number & 1,
        )

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(self.slot(number) for number in range(SLOTS))


def _spent(half: int) -> int:
    """How many bits of a unary half are used up, counted from its top."""
    return 16 - half.bit_length()


def _counter_halves(value: int) -> list[int]:
    """The four halves of a counter that stands at `value`."""
    late = max(value - 16, 0)
    first, second = 0xFFFF >> value % 32, 0xFFFF if value < 16 else 0xFFFF >> late % 32
    return [first, second, value // 32, late // 32]


def decode(config: bytes) -> ChipConfig:
    """Read a configuration zone of 128 bytes; raises ValueError for any other length."""
    return ChipConfig(config)
