"""Boards as data: what each one is, how a chip is wired to it, and how it is flashed."""

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
from hri.boards.folder import board_names, boards_folder, load_board

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
    "load_board",
)
