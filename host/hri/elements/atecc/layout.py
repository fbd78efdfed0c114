"""The ATECC608 configuration zone, field by field.

Sources: the public ATECC508A datasheet (DS20005927A, configuration zone) and the public ATECC608 variant
pages for what the 608 added (bytes 13, 68 to 83, 90 and 91).
"""

from __future__ import annotations

from dataclasses import dataclass

CONFIG_BYTES = 128
SLOTS = 16
SLOT_BYTES = (36,) * 8 + (416,) + (72,) * 7

SERIAL_PARTS = (slice(0, 4), slice(8, 13))
REVISION = slice(4, 8)
I2C_ADDRESS = 16
COUNT_MATCH = 18
CHIP_MODE = 19
SLOT_CONFIG = 20
COUNTERS = slice(52, 68)
USE_LOCK = 68
VOLATILE_KEY = 69
SECURE_BOOT = slice(70, 72)
USER_EXTRA = 84
USER_EXTRA_ADD = 85
LOCK_VALUE = 86
LOCK_CONFIG = 87
SLOT_LOCKED = slice(88, 90)
CHIP_OPTIONS = slice(90, 92)
X509_FORMAT = slice(92, 96)
KEY_CONFIG = 96

_UNLOCKED = 0x55


def _u16(config: bytes, at: int) -> int:
    return int.from_bytes(config[at : at + 2], "little")


@dataclass(frozen=True, slots=True)
class SlotConfig:
    """The access rules of a slot (16 bits; DS20005927A, SlotConfig)."""

    raw: int

    @property
    def read_key(self) -> int:
        """Slot of the key for encrypted reads; in a private key's slot, the uses that are allowed."""
        return self.raw & 0xF

    @property
    def signs_externally(self) -> bool:
        """In a private key's slot: Sign over a digest of the caller's is allowed (ReadKey bit 0)."""
        return bool(self.raw & 0x01)

    @property
    def signs_internally(self) -> bool:
        """In a private key's slot: Sign over what the chip itself built is allowed (ReadKey bit 1)."""
        return bool(self.raw & 0x02)

    @property
    def allows_ecdh(self) -> bool:
        """In a private key's slot: ECDH is allowed (ReadKey bit 2)."""
        return bool(self.raw & 0x04)

    @property
    def no_mac(self) -> bool:
        return bool(self.raw & 0x10)

    @property
    def limited_use(self) -> bool:
        return bool(self.raw & 0x20)

    @property
    def encrypted_read(self) -> bool:
        return bool(self.raw & 0x40)

    @property
    def is_secret(self) -> bool:
        return bool(self.raw & 0x80)

    @property
    def write_key(self) -> int:
        return self.raw >> 8 & 0xF

    @property
    def write_config(self) -> int:
        return self.raw >> 12

    @property
    def clear_write(self) -> bool:
        """Write in clear is allowed for ever (WriteConfig 0000)."""
        return self.write_config == 0

    @property
    def pub_invalid_write(self) -> bool:
        """Write in clear is allowed while the public key is not validated (WriteConfig 0001)."""
        return self.write_config == 1

    @property
    def encrypted_write(self) -> bool:
        """In a data slot: Write under WriteKey is allowed (WriteConfig x1xx)."""
        return bool(self.write_config & 0x4)

    @property
    def genkey(self) -> bool:
        """In a private key's slot: GenKey may make a new key (WriteConfig bit 1)."""
        return bool(self.write_config & 0x2)

    @property
    def priv_write(self) -> bool:
        """In a private key's slot: PrivWrite may bring in a key under WriteKey (WriteConfig bit 2)."""
        return bool(self.write_config & 0x4)


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """What a slot holds and what its use takes (16 bits; DS20005927A, KeyConfig)."""

    raw: int

    @property
    def private(self) -> bool:
        return bool(self.raw & 0x01)

    @property
    def pub_info(self) -> bool:
        return bool(self.raw & 0x02)

    @property
    def key_type(self) -> int:
        """4 P-256, 6 AES, 7 anything else."""
        return self.raw >> 2 & 0x7

    @property
    def lockable(self) -> bool:
        return bool(self.raw & 0x20)

    @property
    def req_random(self) -> bool:
        return bool(self.raw & 0x40)

    @property
    def req_auth(self) -> bool:
        return bool(self.raw & 0x80)

    @property
    def auth_key(self) -> int:
        return self.raw >> 8 & 0xF

    @property
    def persistent_disable(self) -> bool:
        return bool(self.raw & 0x1000)

    @property
    def x509_id(self) -> int:
        return self.raw >> 14


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
        return self.key_config.private and self.key_config.key_type == 4


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
    def secure_boot(self) -> int:
        return _u16(self.raw, SECURE_BOOT.start)

    @property
    def chip_options(self) -> int:
        return _u16(self.raw, CHIP_OPTIONS.start)

    @property
    def io_key_enabled(self) -> bool:
        return bool(self.chip_options & 0x02)

    @property
    def io_key_slot(self) -> int:
        return self.chip_options >> 12

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


def decode(config: bytes) -> ChipConfig:
    """Read a configuration zone of 128 bytes; raises ValueError for any other length."""
    return ChipConfig(config)
