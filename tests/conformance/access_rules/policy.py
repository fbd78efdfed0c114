"""What a configuration zone says, in the words that the table of rules uses.

Layout: ATECC508A data sheet DS20005927A, section "Configuration Zone"; bytes 13-19 and 68-92 from the
vendor's public headers for the ATECC608.
"""

from __future__ import annotations

from functools import lru_cache

SLOT_SIZES = (36,) * 8 + (416,) + (72,) * 7
COUNTER_MOST = 2_097_151


class SlotPolicy:
    """SlotConfig, KeyConfig and lock bit of one slot."""

    __slots__ = (
        "auth_key",
        "encrypt_read",
        "is_secret",
        "limited_use",
        "lockable",
        "locked",
        "no_mac",
        "number",
        "p256",
        "persistent_disable",
        "private",
        "pub_info",
        "read_key",
        "req_auth",
        "req_random",
        "size",
        "type",
        "write_config",
        "write_key",
    )

    def __init__(self, config: bytes, number: int) -> None:
        slot_low, slot_high = config[20 + 2 * number : 22 + 2 * number]
        key_low, key_high = config[96 + 2 * number : 98 + 2 * number]
        self.number = number
        self.size = SLOT_SIZES[number]
        self.read_key = slot_low & 15
        self.no_mac = bool(slot_low & 0x10)
        self.limited_use = bool(slot_low & 0x20)
        self.encrypt_read = bool(slot_low & 0x40)
        self.is_secret = bool(slot_low & 0x80)
        self.write_key = slot_high & 15
        self.write_config = slot_high >> 4
        self.private = bool(key_low & 1)
        self.pub_info = bool(key_low & 2)
        self.type = key_low >> 2 & 7
        self.p256 = self.type == 4
        self.lockable = bool(key_low & 0x20)
        self.req_random = bool(key_low & 0x40)
        self.req_auth = bool(key_low & 0x80)
        self.auth_key = key_high & 15
        self.persistent_disable = bool(key_high & 0x10)
        self.locked = not (config[88 + (number >> 3)] >> (number & 7)) & 1


def decode_counter(cells: bytes) -> int:
    """Return what the eight bytes of a counter hold.

    Two unary halves take turns over sixteen counts each; each has its own count of whole turns behind it.
    The first half is used up while the second one counts.
    """
    first, second, turns, _ = (int.from_bytes(cells[start : start + 2], "big") for start in (0, 2, 4, 6))
    return turns * 32 + (16 - first.bit_count() if first else 32 - second.bit_count())


def encode_counter(value: int) -> bytes:
    """Return the eight bytes of a counter that holds ``value``: four big-endian halves."""
    later = value - 16
    halves = (
        0xFFFF >> min(value % 32, 16),
        0xFFFF if later < 0 else 0xFFFF >> min(later % 32, 16),
        value // 32,
        0 if later < 0 else later // 32,
    )
    return b"".join(half.to_bytes(2, "big") for half in halves)


class Policy:
    """A configuration zone, decoded once."""

    def __init__(self, config: bytes) -> None:
        self.config = config
        self.slots = tuple(SlotPolicy(config, number) for number in range(16))
        self.config_locked = config[87] != 0x55
        self.data_locked = config[86] != 0x55
        self.data_open = self.config_locked and not self.data_locked
        self.aes_enabled = bool(config[13] & 1)
        options = int.from_bytes(config[90:92], "little")
        self.io_key_enabled = bool(options & 2)
        self.kdf_aes_enabled = bool(options & 4)
        self.ecdh_protection = options >> 8 & 3
        self.kdf_protection = options >> 10 & 3
        self.io_key_slot = options >> 12
        secure_boot = int.from_bytes(config[70:72], "little")
        self.secure_boot_mode = secure_boot & 3
        self.secure_boot_random = bool(secure_boot & 0x10)
        self.secure_boot_slot = secure_boot >> 8 & 15
        self.secure_boot_key = secure_boot >> 12
        self.count_match = bool(config[18] & 1)
        self.count_match_slot = config[18] >> 4
        self.counters = (decode_counter(config[52:60]), decode_counter(config[60:68]))
        self.secret_slots = tuple(slot.number for slot in self.slots if slot.private or slot.is_secret)

    def slots_at(self, number: int) -> SlotPolicy:
        """Return the slot that the low four bits of ``number`` name."""
        return self.slots[number & 15]


policy_of = lru_cache(maxsize=4096)(Policy)
"""The policy of a configuration zone: most of a sequence's commands meet the same one."""
