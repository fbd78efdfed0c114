"""A chip profile: the one configuration that a chip is locked with, and what goes into its data slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hri.errors import ConfigurationError

from . import layout
from .crc import crc16

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
]
# Bytes that a profile never sets: made by the manufacturer, or written only by UpdateExtra and Lock.
KEPT = frozenset({*range(16), *range(84, 88)})
# The OTP zone as a blank chip is shipped; hri writes nothing there (DS20005927A, OTP zone).
BLANK_OTP = b"\xff" * 64


@dataclass(frozen=True, slots=True)
class ProfileSlot:
    """What one slot is for, and the two words that make it so."""

    number: int
    role: Role
    title: str
    slot_config: int
    key_config: int


@dataclass(frozen=True)
class Profile:
    """A named configuration: the bytes outside the slots, and sixteen slots. Build it with `load_profile`."""

    name: str
    version: int
    settings: Mapping[int, bytes]
    slots: tuple[ProfileSlot, ...]

    def __post_init__(self) -> None:
        if tuple(slot.number for slot in self.slots) != tuple(range(layout.SLOTS)):
            raise ValueError("a profile describes slots 0 to 15, in this order")
        written = [at for start, value in self.settings.items() for at in range(start, start + len(value))]
        slot_words = [*range(layout.SLOT_CONFIG, 52), *range(layout.KEY_CONFIG, layout.CONFIG_BYTES)]
        if sorted([*written, *slot_words, *KEPT]) != list(range(layout.CONFIG_BYTES)):
            raise ValueError(
                "the settings must give every byte that is neither the chip's nor a slot's, once"
            )
        for role in ("identity", "attestation", "certificate", "trust-anchor", "operator"):
            if len(self._with_role(role)) != 1:
                raise ValueError(f"a profile has exactly one {role} slot")

    def _with_role(self, *roles: str) -> tuple[int, ...]:
        return tuple(slot.number for slot in self.slots if slot.role in roles)

    @cached_property
    def identity_slot(self) -> int:
        """The slot of the permanent key."""
        return self._with_role("identity")[0]

    @cached_property
    def attestation_slot(self) -> int:
        return self._with_role("attestation")[0]

    @cached_property
    def rotatable_slots(self) -> tuple[int, ...]:
        return self._with_role("rotatable")

    @cached_property
    def identity_slots(self) -> frozenset[int]:
        """Every slot that may hold an identity key, permanent or rotatable."""
        return frozenset(self._with_role("identity", "rotatable"))

    @cached_property
    def certificate_slot(self) -> int:
        return self._with_role("certificate")[0]

    @cached_property
    def operator_slot(self) -> int:
        return self._with_role("operator")[0]

    @cached_property
    def trust_anchor_slot(self) -> int:
        return self._with_role("trust-anchor")[0]

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

    def data_slots(self, operator_key: bytes, trust_anchor: bytes | None) -> dict[int, bytes]:
        """What is written, in this order, before the data zone is locked: slot -> its full length.

        Every slot that is not a private key; zeros where there is nothing to write yet. Keys are 64 bytes
        (X ‖ Y). Raises ValueError.
        """
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


_Word = Annotated[int, Field(ge=0, le=0xFFFF)]


class _SlotEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    slot: Annotated[int, Field(ge=0, lt=layout.SLOTS)]
    role: Role
    title: str
    slot_config: _Word
    key_config: _Word


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    version: int
    settings: dict[int, Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2})+$")]]
    slots: list[_SlotEntry]


def load_profile(source: str | Path) -> Profile:
    """The profile of that name that ships with hri, or the one in a YAML file; raises ConfigurationError."""
    try:
        parsed = _File.model_validate(yaml.safe_load(_text(source)))
        return Profile(
            parsed.name,
            parsed.version,
            {start: bytes.fromhex(value) for start, value in parsed.settings.items()},
            tuple(
                ProfileSlot(entry.slot, entry.role, entry.title, entry.slot_config, entry.key_config)
                for entry in parsed.slots
            ),
        )
    except (OSError, UnicodeError, yaml.YAMLError, ValidationError, ValueError) as error:
        raise ConfigurationError(
            "profile-invalid",
            f"the chip profile {source} cannot be used: {error}",
            "use `hri-device`, or correct the file",
        ) from error


def _text(source: str | Path) -> str:
    shipped = resources.files(__package__).joinpath("profiles")
    if isinstance(source, str) and source.replace("-", "").isalnum():
        file = shipped.joinpath(f"{source}.yaml")
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return Path(source).read_text(encoding="utf-8")
