"""What the chip keeps without power: the configuration, OTP and data zones.

Source: facts of the ATECC508A data sheet DS20005927A, sections "EEPROM Organization", "Configuration Zone",
"SlotConfig", "KeyConfig"; the 608's differences from the public 608 variant pages and the vendor's public
headers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CONFIG_SIZE = 128
OTP_SIZE = 64
SLOT_SIZES = (36,) * 8 + (416,) + (72,) * 7

AES_ENABLE, COUNT_MATCH, CHIP_MODE, COUNTERS, USE_LOCK, VOLATILE_KEY = 13, 18, 19, 52, 68, 69
SECURE_BOOT, KDF_IV_LOC, KDF_IV_STR, USER_EXTRA = 70, 72, 73, 84
USER_EXTRA_ADD, LOCK_VALUE, LOCK_CONFIG, CHIP_OPTIONS, X509_FORMAT = 85, 86, 87, 90, 92
UNLOCKED = 0x55
COUNTER_MAX = 2_097_151

# ChipOptions
POWER_ON_SELF_TEST, IO_KEY_ENABLED, KDF_AES_ENABLED = 1 << 0, 1 << 1, 1 << 2

# SlotConfig
EXTERNAL_SIGN, INTERNAL_SIGN, ECDH_ALLOWED, ECDH_TO_NEXT_SLOT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
NO_MAC = 1 << 4
LIMITED_USE = 1 << 5
ENCRYPT_READ = 1 << 6
IS_SECRET = 1 << 7
DERIVE_FROM_PARENT = 1 << 12
GENKEY_ALLOWED = DERIVE_ALLOWED = 1 << 13
DERIVE_NEEDS_MAC = 1 << 15
WRITE_ENCRYPTED = 1 << 14

# KeyConfig
PRIVATE = 1 << 0
PUB_INFO = 1 << 1
LOCKABLE = 1 << 5
REQ_RANDOM = 1 << 6
REQ_AUTH = 1 << 7
PERSISTENT_DISABLE = 1 << 12
KEY_TYPE_P256, KEY_TYPE_AES = 4, 6

VALID_NIBBLE, INVALID_NIBBLE = 0x50, 0xA0
"""The top four bits of a stored public key that must be validated (5)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole EEPROM at one moment, immutable: config (128), OTP (64), sixteen slots."""

    config: bytes
    otp: bytes
    slots: tuple[bytes, ...]

    def __post_init__(self) -> None:
        sizes = tuple(len(slot) for slot in self.slots)
        if (len(self.config), len(self.otp), sizes) != (CONFIG_SIZE, OTP_SIZE, SLOT_SIZES):
            raise ValueError("an EEPROM is 128 + 64 bytes and sixteen slots of 36, 416 and 72 bytes")


@dataclass(frozen=True, slots=True)
class SlotPolicy:
    """SlotConfig and KeyConfig of one slot, with the questions that commands ask of them."""

    slot_config: int
    key_config: int

    @property
    def is_private(self) -> bool:
        """The slot holds an ECC private key (KeyConfig.Private)."""
        return bool(self.key_config & PRIVATE)

    @property
    def is_p256(self) -> bool:
        return self.key_config >> 2 & 7 == KEY_TYPE_P256

    @property
    def is_p256_private(self) -> bool:
        return self.is_private and self.is_p256

    @property
    def is_p256_public(self) -> bool:
        return not self.is_private and self.is_p256

    @property
    def needs_validation(self) -> bool:
        """A public key that Verify takes only once it was validated (PubInfo of a public key)."""
        return self.is_p256_public and bool(self.key_config & PUB_INFO)

    @property
    def read_key(self) -> int:
        return self.slot_config & 0xF

    @property
    def write_key(self) -> int:
        return self.slot_config >> 8 & 0xF

    @property
    def write_config(self) -> int:
        return self.slot_config >> 12 & 0xF

    @property
    def auth_key(self) -> int:
        """The slot whose CheckMac authorises this one, where ReqAuth asks for it."""
        return self.key_config >> 8 & 0xF

    @property
    def is_aes(self) -> bool:
        return not self.is_private and self.key_config >> 2 & 7 == KEY_TYPE_AES

    @property
    def x509_id(self) -> int:
        """Which byte of X509format Verify (validate external) goes by."""
        return self.key_config >> 14 & 3


class Eeprom:
    """The three zones, writable."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.config = bytearray(snapshot.config)
        self.otp = bytearray(snapshot.otp)
        self.slots = [bytearray(slot) for slot in snapshot.slots]

    @classmethod
    def blank(cls, config: bytes) -> Eeprom:
        """Return the EEPROM of a new chip: OTP and data are 0xFF (assumed)."""
        return cls(Snapshot(config, b"\xff" * OTP_SIZE, tuple(b"\xff" * size for size in SLOT_SIZES)))

    def snapshot(self) -> Snapshot:
        return Snapshot(bytes(self.config), bytes(self.otp), tuple(bytes(slot) for slot in self.slots))

    @property
    def serial_number(self) -> bytes:
        """SN[0:9]."""
        return bytes(self.config[0:4] + self.config[8:13])

    @property
    def config_locked(self) -> bool:
        return self.config[LOCK_CONFIG] != UNLOCKED

    @property
    def data_locked(self) -> bool:
        return self.config[LOCK_VALUE] != UNLOCKED

    @property
    def i2c_address(self) -> int:
        """The 7-bit address: UserExtraAdd where ChipMode bit 0 says so and it is not zero, else byte 16."""
        moved = self.config[USER_EXTRA_ADD] if self.config[19] & 1 else 0
        return (moved or self.config[16]) >> 1

    @property
    def watchdog_us(self) -> int:
        """About 1.3 s, or about 13 s with ChipMode bit 2."""
        return 13_000_000 if self.config[19] & 4 else 1_300_000

    @property
    def clock_divider(self) -> int:
        """0, 1 or 2 for the fastest to the slowest clock; ChipMode bits 3-7 are 0, 5 or D (H)."""
        return {0x05: 1, 0x0D: 2}.get(self.config[CHIP_MODE] >> 3, 0)

    @property
    def chip_options(self) -> int:
        return self.config[CHIP_OPTIONS] | self.config[CHIP_OPTIONS + 1] << 8

    @property
    def count_limit(self) -> int:
        """Return the value of counter 0 at which limited-use keys end.

        CountMatch bit 0 takes it from a slot, four little-endian bytes twice over (H); where the two differ,
        or the slot is an ECC private key, the limit is 0 (assumed).
        """
        match = self.config[COUNT_MATCH]
        if not match & 1:
            return COUNTER_MAX
        slot = match >> 4
        first, second = self.slots[slot][0:4], self.slots[slot][4:8]
        if first != second or self.policy(slot).is_private:
            return 0
        return min(int.from_bytes(first, "little"), COUNTER_MAX)

    def policy(self, slot: int) -> SlotPolicy:
        return SlotPolicy(
            self.config[20 + 2 * slot] | self.config[21 + 2 * slot] << 8,
            self.config[96 + 2 * slot] | self.config[97 + 2 * slot] << 8,
        )

    def slot_locked(self, slot: int) -> bool:
        """SlotLocked: a cleared bit means locked."""
        return not (self.config[88] | self.config[89] << 8) >> slot & 1

    def lock_slot(self, slot: int) -> None:
        self.config[88 + slot // 8] &= ~(1 << slot % 8) & 0xFF

    def counter(self, index: int) -> int:
        """Return the value of monotonic counter 0 or 1, 0 to 2097151.

        The eight bytes are two pairs of a unary count of the low five bits and a multiple of 32, written in
        turn (vendor's public counter documentation).
        """
        base = COUNTERS + 8 * index
        unary0, unary1, high = (
            int.from_bytes(self.config[at : at + 2], "big") for at in range(base, base + 6, 2)
        )
        low = 16 - unary0.bit_length() if unary0 else 32 - unary1.bit_length()
        return high * 32 + low

    def set_counter(self, index: int, value: int) -> None:
        """Write a counter in the form that :meth:`counter` reads (H)."""
        second, upper = (0xFFFF >> (value - 16) % 32, (value - 16) // 32) if value >= 16 else (0xFFFF, 0)
        parts = (0xFFFF >> value % 32, second, value // 32, upper)
        base = COUNTERS + 8 * index
        self.config[base : base + 8] = b"".join(part.to_bytes(2, "big") for part in parts)


def data_zone(slots: Sequence[bytearray], policies: Sequence[SlotPolicy]) -> bytes:
    """Return what the data lock's CRC covers of the slots: in order, without ECC private keys (508A)."""
    return b"".join(
        bytes(slot) for slot, policy in zip(slots, policies, strict=True) if not policy.is_private
    )
