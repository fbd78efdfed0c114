"""The drive that a UF2 bootloader shows, found by what its INFO_UF2.TXT says, and written whole."""

from __future__ import annotations

import errno
import os
import string
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hri.boards import BoardDescription
from hri.errors import ConfigurationError, DeviceError
from hri.flash.uf2_image import Uf2Image

_INFO = "INFO_UF2.TXT"
_BOARD_ID = "board-id:"
_TARGET = "HRI.UF2"
_PIECE = 64 * 1024
_POLL_S = 0.25
# The board restarts as soon as it has the last block, often before the host has closed the file.
_GONE = frozenset({errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ESTALE})

OnBytes = Callable[[int, int], None]
"""Called with the bytes written and the bytes in all."""


def mounted_drives() -> Iterator[Path]:
    """Yield the folders where this machine mounts removable drives."""
    if sys.platform == "win32":
        yield from (Path(f"{letter}:\\") for letter in string.ascii_uppercase[3:])
        return
    for root, depth in (("/media", 2), ("/run/media", 2), ("/Volumes", 1), ("/mnt", 1)):
        for pattern in ("*/" * count for count in range(1, depth + 1)):
            yield from sorted(Path(root).glob(pattern.rstrip("/")))


def board_id(drive: Path) -> str | None:
    """Return the Board-ID that the drive's INFO_UF2.TXT states, or None where there is none."""
    try:
        text = (drive / _INFO).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.lower().startswith(_BOARD_ID):
            return line[len(_BOARD_ID) :].strip()
    return None


def is_for(board: BoardDescription, stated: str | None) -> bool:
    """Return whether a Board-ID is one of ``board``'s."""
    known = board.flashing.board_ids
    return stated is not None and any(stated == one or stated.startswith(f"{one}-") for one in known)


def find_drive(
    board: BoardDescription, candidates: Callable[[], Iterable[Path]] = mounted_drives, wait_s: float = 0.0
) -> Path:
    """Return the one drive that is ``board``'s bootloader, waiting ``wait_s`` seconds for it to appear.

    Raises DeviceError where there is none, and ConfigurationError where there are several.
    """
    end = time.monotonic() + wait_s
    while not (found := [drive for drive in candidates() if is_for(board, board_id(drive))]):
        if time.monotonic() >= end:
            raise DeviceError(
                "no-drive",
                f"no drive of a {board.title} in its bootloader is mounted",
                f"{board.flashing.enter}; a drive called {board.flashing.drive} appears",
            )
        time.sleep(_POLL_S)
    if len(found) > 1:
        raise ConfigurationError(
            "several-drives",
            f"several boards are in their bootloader: {', '.join(map(str, found))}",
            "name one with --drive",
        )
    return found[0]


def write_image(
    board: BoardDescription, drive: Path, image: Uf2Image, progress: OnBytes = lambda _done, _total: None
) -> None:
    """Write ``image`` to ``drive``; raises ConfigurationError for another board's, DeviceError for a cut.

    The bootloader takes block by block, so a cut leaves it without a runtime, in the bootloader: repeat it.
    """
    stated = board_id(drive)
    if not is_for(board, stated):
        found = f"the bootloader of {stated}" if stated else "no uf2 bootloader"
        raise ConfigurationError(
            "wrong-drive",
            f"{drive} is {found}, and the board is {board.title}",
            f"{board.flashing.enter}; its drive is called {board.flashing.drive}",
        )
    if image.families != {board.flashing.family}:
        raise ConfigurationError(
            "wrong-image",
            "the image is for another microcontroller",
            f"take MicroPython's image {board.runtime.image}",
        )
    total, done = len(image.content), 0
    try:
        with (drive / _TARGET).open("wb", buffering=0) as file:
            while done < total:
                done += file.write(image.content[done : done + _PIECE]) or 0
                progress(done, total)
            os.fsync(file.fileno())
    except OSError as error:
        if done < total or error.errno not in _GONE:
            raise DeviceError(
                "flash-interrupted",
                f"the drive took {done} of {total} bytes: {(error.strerror or str(error)).lower()}",
                "plug the board in again, start its bootloader, and run the same command again",
            ) from error
