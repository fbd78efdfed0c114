"""Installs a runtime's image, in the way that the board's own bootloader takes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from hri.boards import BoardDescription
from hri.errors import ConfigurationError, DeviceError
from hri.flash import esptool, uf2_drive
from hri.flash.repl import SerialRepl
from hri.flash.uf2_image import Uf2Image

# How long a computer may take to mount the drive of a board that has just entered its bootloader.
_MOUNT_S = 15.0


def install_runtime(
    board: BoardDescription,
    image: Path,
    *,
    port: str | None,
    drive: Path | None = None,
    progress: uf2_drive.OnBytes = lambda _done, _total: None,
    drives: Callable[[], Iterable[Path]] = uf2_drive.mounted_drives,
    mount_s: float = _MOUNT_S,
) -> None:
    """Write ``image`` to ``board``: over ``drive``, else the one found, or with esptool at ``port``.

    A board that runs MicroPython at ``port`` is sent into its UF2 bootloader. Raises ConfigurationError for
    an image or a board that does not fit, before anything is written, and DeviceError.
    """
    if not image.is_file():
        raise ConfigurationError("no-file", f"there is no file {image}", "name the runtime's image")
    if board.flashing.method == "esptool":
        if port is None:
            raise ConfigurationError("no-port", "esptool needs the board's port", "give --port")
        esptool.write_image(board, port, image)
        return
    if board.flashing.method == "none":
        raise ConfigurationError(
            "no-bootloader", f"{board.title} takes no image", "leave --runtime out, or name another --board"
        )
    try:
        checked = Uf2Image.from_bytes(image.read_bytes())
    except ValueError as error:
        raise ConfigurationError(
            "wrong-image",
            f"{image} is no whole uf2 file: {error}",
            f"take MicroPython's image {board.runtime.image}",
        ) from error
    if drive is None:
        drive = _bootloader(board, port, drives, mount_s)
    uf2_drive.write_image(board, drive, checked, progress)


def _bootloader(
    board: BoardDescription, port: str | None, drives: Callable[[], Iterable[Path]], mount_s: float
) -> Path:
    try:
        return uf2_drive.find_drive(board, drives)
    except DeviceError:
        if port is None:
            raise
    enter_bootloader(port)
    return uf2_drive.find_drive(board, drives, wait_s=mount_s)


def enter_bootloader(port: str) -> None:
    """Have the MicroPython at ``port`` restart into the bootloader; ScriptFailed where it knows none."""
    with SerialRepl(port) as repl:
        repl.run("import machine\nmachine.bootloader")
        # A board that obeys is gone before it can answer; it waits until it has been heard out.
        repl.start("import time\ntime.sleep_ms(100)\nmachine.bootloader()")
