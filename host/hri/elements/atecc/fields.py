"""The 16-bit words of an ATECC608 configuration, bit by bit.

Sources: the public ATECC508A datasheet (DS20005927A: SlotConfig, KeyConfig), and for SecureBoot and
ChipOptions, which the 608 added, the public variant pages and the field masks of the vendor's public headers.
"""

from __future__ import annotations

from dataclasses import dataclass

P256, AES, DATA = 4, 6, 7
"""The key types that are defined (KeyConfig bits 2 to 4)."""


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
    def ecdh_into_next(self) -> bool:
        """In a private key's slot: ECDH leaves its result in slot N | 1 (ReadKey bit 3, with bit 2)."""
        return self.raw & 0x0C == 0x0C

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
    def derive_key(self) -> bool:
        """In a data slot: DeriveKey may write the slot (WriteConfig bit 1)."""
        return bool(self.write_config & 0x2)

    @property
    def derive_from_parent(self) -> bool:
        """In a data slot: DeriveKey starts from the key in WriteKey, not from the slot's own (bit 0)."""
        return bool(self.write_config & 0x1)

    @property
    def derive_needs_mac(self) -> bool:
        """In a data slot: DeriveKey is refused without a MAC over the parent (WriteConfig bit 3)."""
        return bool(self.write_config & 0x8)

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

    @property
    def reserved(self) -> int:
        """Bit 13, which has no meaning."""
        return self.raw & 0x2000


@dataclass(frozen=True, slots=True)
class SecureBoot:
    """What the SecureBoot command does (16 bits; variant pages and public headers of the 608)."""

    raw: int

    @property
    def mode(self) -> int:
        """0 off, 1 every signature is verified, 2 the signature is stored, 3 the digest is stored."""
        return self.raw & 3

    @property
    def sets_latch(self) -> bool:
        """A boot that succeeds sets the persistent latch (bit 3)."""
        return bool(self.mode and self.raw & 8)

    @property
    def random_nonce(self) -> bool:
        return bool(self.raw & 0x10)

    @property
    def store_slot(self) -> int:
        """Slot of the stored digest or signature."""
        return self.raw >> 8 & 0xF

    @property
    def key_slot(self) -> int:
        """Slot of the public key."""
        return self.raw >> 12

    @property
    def reserved(self) -> int:
        """Bits 2 and 5 to 7, which have no meaning."""
        return self.raw & 0xE4


@dataclass(frozen=True, slots=True)
class ChipOptions:
    """What the chip does at power-on and how it protects its output (16 bits; public headers of the 608)."""

    raw: int

    @property
    def self_test(self) -> bool:
        return bool(self.raw & 0x01)

    @property
    def io_key(self) -> bool:
        return bool(self.raw & 0x02)

    @property
    def kdf_aes(self) -> bool:
        return bool(self.raw & 0x04)

    @property
    def clears_health_failure(self) -> bool:
        """A failed health test is forgotten after the command that it failed (bit 3)."""
        return bool(self.raw & 0x08)

    @property
    def reserved(self) -> int:
        """Bits 4 to 7, which have no meaning."""
        return self.raw & 0xF0

    @property
    def ecdh_protection(self) -> int:
        """0 clear or encrypted, 1 encrypted only, 2 TempKey or slot only, 3 none (undefined)."""
        return self.raw >> 8 & 3

    @property
    def kdf_protection(self) -> int:
        """As `ecdh_protection`, for KDF."""
        return self.raw >> 10 & 3

    @property
    def io_key_slot(self) -> int:
        return self.raw >> 12
