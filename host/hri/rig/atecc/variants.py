"""The chips that can be opened, from ``variants.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of chip: its name, revision (4 bytes) and configuration zone as delivered (128 bytes)."""

    name: str
    revision: bytes
    default_config: bytes

    def __post_init__(self) -> None:
        if len(self.revision) != 4 or len(self.default_config) != 128:
            raise ValueError(f"variant {self.name}: wrong length of the revision or the configuration zone")

    def blank_config(self, serial_number: bytes) -> bytes:
        """Return the configuration zone of a new chip with this 9-byte serial number."""
        config = bytearray(self.default_config)
        config[0:4] = serial_number[0:4]
        config[4:8] = self.revision
        config[8:13] = serial_number[4:9]
        return bytes(config)


@cache
def variants() -> dict[str, Variant]:
    """Return every known variant by name."""
    text = resources.files(__package__).joinpath("variants.toml").read_text(encoding="utf-8")
    return {
        name: Variant(name, bytes.fromhex(entry["revision"]), bytes.fromhex(entry["default_config"]))
        for name, entry in tomllib.loads(text).items()
    }
