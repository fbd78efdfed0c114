"""A described configuration: the value that a profile is, and what goes into the data slots of its chips.

`profile` reads it from YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from . import layout
from .crc import crc16
from .words import describe_slot

Kind = Literal["device", "custom", "provisioned", "factory", "faulty"]
"""device: hri makes devices with it. custom: hri writes and locks the configuration, and nothing else.

The others are descriptions that a chip is compared with, and are never written: provisioned by the maker, as
it leaves the factory, or the fault of a known driver.
"""
Role = Literal[
    "identity",
    "attestation",
    "rotatable",
    "board-record",
    "io-protection",
    "secure-boot-digest",
    "certificate",
    "symmetric",
    "compressed-certificate",
    "signer-key",
    "signer-certificate",
    "trust-anchor",
    "operator",
    "firmware-vendor",
    "mac-address",
    "general-data",
    "validated-key",
    "reserved",
]
# Bytes that a profile never sets: made by the manufacturer, or written only by UpdateExtra and Lock.
KEPT = frozenset({*range(16), *range(84, 88)})
# The OTP zone as a blank chip is shipped; hri writes nothing there (DS20005927A, OTP zone).
BLANK_OTP = b"\xff" * 64


@dataclass(frozen=True, slots=True)
class ProfileSlot:
    """What one slot is for, the two words that make it so, and which of their bits a customer may choose."""

    number: int
    role: Role
    title: str
    slot_config: int
    key_config: int
    slot_config_varies: int = 0
    key_config_varies: int = 0

    @property
    def words(self) -> str:
        """What the two words mean, as `describe_slot` has it, with the slot not locked."""
        slot_config, key_config = layout.SlotConfig(self.slot_config), layout.KeyConfig(self.key_config)
        return describe_slot(layout.Slot(self.number, slot_config, key_config, locked=False))


@dataclass(frozen=True)
class Profile:
    """A named configuration: the bytes outside the slots, and sixteen slots. Build it with `load_profile`.

    `varies` are bits outside the slots that differ among chips of this profile: first byte -> mask.
    """

    name: str
    version: int
    settings: Mapping[int, bytes]
    slots: tuple[ProfileSlot, ...]
    kind: Kind
    title: str
    purpose: str
    source: str
    varies: Mapping[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if tuple(slot.number for slot in self.slots) != tuple(range(layout.SLOTS)):
            raise ValueError("a profile describes slots 0 to 15, in this order")
        written = [at for start, value in self.settings.items() for at in range(start, start + len(value))]
        slot_words = [*range(layout.SLOT_CONFIG, 52), *range(layout.KEY_CONFIG, layout.CONFIG_BYTES)]
        if sorted([*written, *slot_words, *KEPT]) != list(range(layout.CONFIG_BYTES)):
            raise ValueError(
                "the settings must give every byte that is neither the chip's nor a slot's, once"
            )
        if any(at + len(mask) > layout.CONFIG_BYTES for at, mask in self.varies.items()):
            raise ValueError("what varies must lie within the 128 bytes")
        if self.writable and (
            self.varies or any(s.slot_config_varies | s.key_config_varies for s in self.slots)
        ):
            raise ValueError("a profile that is written leaves nothing open: varies is for descriptions")
        if self.kind == "device":
            for role in ("identity", "attestation", "certificate", "trust-anchor", "operator"):
                if len(self._with_role(role)) != 1:
                    raise ValueError(f"a profile for devices has exactly one {role} slot")

    @property
    def writable(self) -> bool:
        """hri may write it; everything else is a description that a chip is compared with."""
        return self.kind in ("device", "custom")

    def _with_role(self, *roles: str) -> tuple[int, ...]:
        return tuple(slot.number for slot in self.slots if slot.role in roles)

    def _only(self, role: Role) -> int:
        slots = self._with_role(role)
        if len(slots) != 1:
            raise ValueError(f"the profile {self.name} has no {role} slot")
        return slots[0]

    def slot_of(self, role: Role) -> int | None:
        """The first slot with that role, None where the profile has none."""
        return next(iter(self._with_role(role)), None)

    @cached_property
    def identity_slot(self) -> int:
        """The slot of the permanent key."""
        return self._only("identity")

    @cached_property
    def attestation_slot(self) -> int:
        return self._only("attestation")

    @cached_property
    def rotatable_slots(self) -> tuple[int, ...]:
        return self._with_role("rotatable")

    @cached_property
    def identity_slots(self) -> frozenset[int]:
        """Every slot that may hold an identity key, permanent or rotatable."""
        return frozenset(self._with_role("identity", "rotatable"))

    @cached_property
    def certificate_slot(self) -> int:
        return self._only("certificate")

    @cached_property
    def operator_slot(self) -> int:
        return self._only("operator")

    @cached_property
    def trust_anchor_slot(self) -> int:
        return self._only("trust-anchor")

    def config_bytes(self, base: bytes) -> bytes:
        """The 128 bytes wanted for the chip whose configuration zone is `base`; keeps 0-15 and 84-87.

        Raises ValueError unless `base` has 128 bytes.
        """
        config = bytearray(layout.decode(base).raw)
        for start, value in self.settings.items():
            config[start : start + len(value)] = value
        for slot in self.slots:
            at = 2 * slot.number
            config[layout.SLOT_CONFIG + at : layout.SLOT_CONFIG + at + 2] = slot.slot_config.to_bytes(
                2, "little"
            )
            config[layout.KEY_CONFIG + at : layout.KEY_CONFIG + at + 2] = slot.key_config.to_bytes(
                2, "little"
            )
        return bytes(config)

    @cached_property
    def open_bits(self) -> bytes:
        """128 bytes: the bits in which chips of this profile may differ from `config_bytes`."""
        mask = bytearray(layout.CONFIG_BYTES)
        for start, value in self.varies.items():
            mask[start : start + len(value)] = value
        for slot in self.slots:
            at = 2 * slot.number
            for base, bits in (
                (layout.SLOT_CONFIG, slot.slot_config_varies),
                (layout.KEY_CONFIG, slot.key_config_varies),
            ):
                mask[base + at : base + at + 2] = bits.to_bytes(2, "little")
        return bytes(mask)

    def data_slots(self, operator_key: bytes, trust_anchor: bytes | None) -> dict[int, bytes]:
        """What is written, in this order, before the data zone is locked: slot -> its full length.

        Every slot that is not a private key; zeros where there is nothing to write yet. Keys are 64 bytes
        (X ‖ Y). Raises ValueError, also for a profile that is not for devices.
        """
        if self.kind != "device":
            raise ValueError(f"hri does not know what belongs into the data slots of {self.name}")
        contents = {
            number: bytes(layout.SLOT_BYTES[number])
            for number in range(layout.SLOTS)
            if not self._is_private(number)
        }
        contents[self.operator_slot] = padded_public_key(operator_key)
        if trust_anchor is not None:
            contents[self.trust_anchor_slot] = padded_public_key(trust_anchor)
        return contents

    def data_crc(self, contents: Mapping[int, bytes], otp: bytes = BLANK_OTP) -> int:
        """The CRC for `chip.lock_data`: slots in ascending order without private keys, then the OTP zone.

        Source: DS20005927A, Lock command, presumed for the 608. Raises ValueError unless `contents` is
        complete.
        """
        wanted = [number for number in range(layout.SLOTS) if not self._is_private(number)]
        if sorted(contents) != wanted:
            raise ValueError("the checksum covers every slot that is not a private key")
        if any(len(contents[number]) != layout.SLOT_BYTES[number] for number in wanted) or len(otp) != 64:
            raise ValueError("the checksum covers every slot in full")
        return crc16(b"".join(contents[number] for number in wanted) + otp)

    def _is_private(self, number: int) -> bool:
        return layout.KeyConfig(self.slots[number].key_config).private


def padded_public_key(raw: bytes) -> bytes:
    """The 72 bytes in which a slot holds the P-256 key X ‖ Y: each half after four zeros (DS20005927A)."""
    if len(raw) != 64:
        raise ValueError("a P-256 public key has 64 bytes")
    return bytes(4) + raw[:32] + bytes(4) + raw[32:]
