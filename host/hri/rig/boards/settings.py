"""What a board is: its pins, its bus and its runtime, read from ``boards/<name>/board.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hri.rig.runtimes.cache import checkout_root


class BoardError(Exception):
    """A virtual board cannot be made or has failed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class I2cSettings:
    """One I2C bus: controller ``id``, pin numbers (None where there are none), frequencies in hertz."""

    id: int
    hz: int
    wake_hz: int
    chip_address: int
    scl: int | None = None
    sda: int | None = None


@dataclass(frozen=True, slots=True)
class FlashLayout:
    """Where the file system lies in flash: ``offset`` and ``block_size`` in bytes."""

    offset: int
    block_size: int
    block_count: int

    @property
    def size(self) -> int:
        """Return the size of the file system in bytes."""
        return self.block_size * self.block_count


@dataclass(frozen=True, slots=True)
class Proof:
    """What was run, and on what."""

    on: str
    what: str


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """A validated board.toml."""

    name: str
    title: str
    runtime: str
    i2c: I2cSettings
    flash: FlashLayout | None
    proven: tuple[Proof, ...]

    @classmethod
    def from_toml(cls, text: str) -> BoardSettings:
        """Read ``text``, raising BoardError that names the key that is missing, unknown or out of range."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BoardError(f"not a board description: {error}") from error
        try:
            settings = cls(
                name=_text(table, "name"),
                title=_text(table, "title"),
                runtime=_text(table, "runtime"),
                i2c=I2cSettings(**_numbers(table, "i2c")),
                flash=FlashLayout(**_numbers(table, "flash")) if "flash" in table else None,
                proven=tuple(Proof(**entry) for entry in table.pop("proven", [])),
            )
        except TypeError as error:
            raise BoardError(f"not a board description: {error}") from error
        table.pop("i2c")
        table.pop("flash", None)
        if table:
            raise BoardError(f"not a board description: unknown key {next(iter(table))!r}")
        settings._check_ranges()
        return settings

    def _check_ranges(self) -> None:
        if not 0x08 <= self.i2c.chip_address <= 0x77:
            raise BoardError(f"i2c.chip_address {self.i2c.chip_address:#x} is not a 7-bit device address")
        if not 0 < self.i2c.wake_hz <= self.i2c.hz <= 1_000_000:
            raise BoardError("i2c.wake_hz must be above 0 and at most i2c.hz, which is at most 1000000")
        if self.flash and (self.flash.offset < 0 or self.flash.size <= 0):
            raise BoardError("flash.offset, flash.block_size and flash.block_count must be positive")


def _text(table: dict[str, Any], key: str) -> str:
    value = table.pop(key, None)
    if not isinstance(value, str) or not value:
        raise BoardError(f"not a board description: {key} is missing or no text")
    return value


def _numbers(table: dict[str, Any], section: str) -> dict[str, int]:
    values = table.get(section)
    if not isinstance(values, dict):
        raise BoardError(f"not a board description: the section [{section}] is missing")
    for key, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise BoardError(f"not a board description: {section}.{key} is no whole number")
    return values


def boards_folder() -> Path:
    """Return the folder with one folder a board: the checkout's, or the copy in the installed package."""
    packaged = Path(__file__).parent / "data"
    checkout = checkout_root()
    return checkout / "boards" if checkout and not packaged.is_dir() else packaged


def board_names() -> list[str]:
    """Return the names of the boards that have a description, in order."""
    return sorted(path.parent.name for path in boards_folder().glob("*/board.toml"))


def load_settings(name: str) -> BoardSettings:
    """Return the settings of the board ``name``; BoardError lists the boards there are."""
    if name not in board_names():
        raise BoardError(f"no board is called {name!r}; there are {', '.join(board_names())}")
    return BoardSettings.from_toml((boards_folder() / name / "board.toml").read_text(encoding="utf-8"))
