"""Espressif's chips: their images are written by esptool, a program of its makers'."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from hri.boards import BoardDescription
from hri.errors import ConfigurationError, DeviceError

# The first byte of every image that these chips boot (docs.espressif.com, esptool, "Firmware Image Format").
_IMAGE_MAGIC = 0xE9
_BAUD = "460800"

Run = Callable[[Sequence[str]], int]
"""Runs a command with its output on standard error and returns its exit status."""


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False, stdout=sys.stderr, stdin=subprocess.DEVNULL).returncode


def esptool_command(board: BoardDescription, port: str, image: Path) -> list[str]:
    """Return the command of esptool 5 that writes ``image`` to the board at ``port``."""
    return [
        sys.executable,
        "-m",
        "esptool",
        *("--chip", str(board.flashing.mcu)),
        *("--port", port),
        *("--baud", _BAUD),
        "write-flash",
        hex(board.flashing.offset or 0),
        str(image),
    ]


def write_image(board: BoardDescription, port: str, image: Path, run: Run = _run) -> None:
    """Write ``image``, which esptool verifies; raises ConfigurationError, and DeviceError where it fails."""
    if image.read_bytes()[:1] != bytes([_IMAGE_MAGIC]):
        raise ConfigurationError(
            "wrong-image",
            f"{image} is no image for {board.mcu}",
            f"take MicroPython's image {board.runtime.image}, a .bin file",
        )
    if run is _run and not find_spec("esptool"):
        raise ConfigurationError("no-esptool", "esptool is not installed", "pip install 'hri[flash]'")
    status = run(esptool_command(board, port, image))
    if status:
        raise DeviceError(
            "esptool-failed",
            f"esptool ended with status {status}",
            f"its own words stand above; {board.flashing.enter}, then run the same command again",
        )
