"""The secure element of the board under test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hri.rig.atecc import Chip
from hri.rig.bus import Bus

# ATECC608 configuration zone (508A datasheet, "Configuration zone"): SN[0:4] 0-3, RevNum 4-7, SN[4:9] 8-12,
# LockValue 86, LockConfig 87; 0x55 is open. RevNum[2:4] is 60 02 on the A and 60 03 on the B.
CONFIG_SIZE = 128
_OPEN = 0x55
_TYPES = {b"\x60\x02": "atecc608a", b"\x60\x03": "atecc608b"}


@dataclass(frozen=True, slots=True)
class ChipFacts:
    """What a chip says of itself: `serial_number` (9 bytes) and `revision` (4) in hex, the zones' locks."""

    type: str
    serial_number: str
    revision: str
    config_locked: bool
    data_locked: bool

    @classmethod
    def from_config(cls, config: bytes) -> ChipFacts:
        """Read the configuration zone, 128 bytes; raises ValueError for another length."""
        if len(config) != CONFIG_SIZE:
            raise ValueError(f"a configuration zone has {CONFIG_SIZE} bytes, not {len(config)}")
        revision = config[4:8]
        return cls(
            type=_TYPES.get(revision[2:], "atecc608"),
            serial_number=(config[:4] + config[8:13]).hex(),
            revision=revision.hex(),
            config_locked=config[87] != _OPEN,
            data_locked=config[86] != _OPEN,
        )


class HriChip(Protocol):
    """A chip, virtual or real."""

    @property
    def facts(self) -> ChipFacts:
        """What the chip holds now."""

    @property
    def serial_number(self) -> str:
        """The nine bytes of its serial number, in hex."""

    @property
    def state(self) -> str:
        """``asleep``, ``idle`` or ``awake``; a real chip does not tell, and the test is skipped."""

    @property
    def virtual(self) -> Chip:
        """The virtual chip itself, whose EEPROM can be looked into; on a real one the test is skipped."""

    def power_cycle(self) -> None:
        """Take the supply from the chip alone and give it back; on a real one the test is skipped."""


class VirtualChip:
    """A virtual chip on a bus."""

    def __init__(self, chip: Chip, bus: Bus) -> None:
        self._chip = chip
        self._bus = bus

    @property
    def facts(self) -> ChipFacts:
        return ChipFacts.from_config(bytes(self._chip.eeprom.config))

    @property
    def serial_number(self) -> str:
        return self._chip.serial_number.hex()

    @property
    def state(self) -> str:
        return self._chip.state

    @property
    def virtual(self) -> Chip:
        return self._chip

    def power_cycle(self) -> None:
        self._bus.power_cycle()
