"""The sources of the Pico image with hri_device frozen in, and the key that changes with any of them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from hri.boards import boards_folder, firmware_folder
from hri.rig.runtimes import versions

NAME = "rpi_pico_frozen"
BOARD_DIR = "boards/rpi_pico/frozen"


def _sources() -> dict[str, Path]:
    """Return path in a checkout -> file, of everything that boards/rpi_pico/frozen/manifest.py names."""
    firmware, boards = firmware_folder(), boards_folder()
    files = [
        *((boards, path, "boards") for path in (boards / "rpi_pico" / "frozen").iterdir() if path.is_file()),
        (boards, boards / "loader" / "main.py", "boards"),
        *((firmware, path, "firmware") for path in (firmware / "hri_device").rglob("*.py")),
    ]
    named = {f"{name}/{path.relative_to(top).as_posix()}": path for top, path, name in files}
    # In the order of their names alone, so that the key is the same wherever they lie.
    return dict(sorted(named.items()))


def sources_key() -> str:
    """Return twelve hex digits that change with the name or the content of any source, or an option."""
    digest = hashlib.sha256(repr(versions.RP2_FROZEN_OPTIONS).encode())
    for name, path in _sources().items():
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def lay_out(folder: Path) -> Path:
    """Copy the sources into ``folder`` as they lie in a checkout; returns the board's folder there."""
    for name, path in _sources().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # Follows the link to firmware/main.py.
        shutil.copyfile(path, target)
    return folder / BOARD_DIR


def image_name() -> str:
    """Return the name of the image's file in the cache, another one for other sources."""
    return f"{NAME}-{sources_key()}.uf2"
