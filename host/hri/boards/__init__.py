"""Boards as data, and the firmware for them: what each board is, how it is wired to a chip and flashed."""

from hri.boards.description import (
    BoardDescription,
    BoardError,
    Chip,
    FileSystem,
    Flashing,
    I2c,
    Proof,
    Runtime,
    Usb,
    Wire,
)
from hri.boards.folder import board_names, boards_folder, firmware_folder, load_board

__all__ = (
    "BoardDescription",
    "BoardError",
    "Chip",
    "FileSystem",
    "Flashing",
    "I2c",
    "Proof",
    "Runtime",
    "Usb",
    "Wire",
    "board_names",
    "boards_folder",
    "firmware_folder",
    "load_board",
)
