"""The files of a board under test: hri_device and the project's own, and a hash over all of them."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hri.boards import load_board
from hri.rig.boards.files import read_package
from hri.rig.firmware import device_package
from hri.rig.runtimes import compile_package

_SETTINGS = "hri_board.json"
# MicroPython starts these by their names, and only as sources.
_STARTED = ("boot.py", "main.py")


def board_files(board: str, project: Path | None, *, compiled: bool, device: bool = True) -> dict[str, bytes]:
    """Return path on the flash -> content: hri_device, the board's settings, and `project` over both.

    A file of the project takes the place of ours of that name; with a main.py of its own the service of
    hri_device does not start by itself. `compiled` turns the project's other .py files into .mpy; without
    `device` hri_device is left out. Raises FileNotFoundError, RuntimeUnavailableError, SyntaxError and
    ValueError.
    """
    files: dict[str, bytes] = {_SETTINGS: json.dumps(load_board(board).settings()).encode()}
    if device:
        files |= device_package()
    if project is None:
        return files
    return files | (_compiled(project) if compiled else read_package(project))


def _compiled(project: Path) -> dict[str, bytes]:
    files = read_package(project)
    sources = {name: files.pop(name) for name in list(files) if _is_compiled(name)}
    if not sources:
        return files
    with tempfile.TemporaryDirectory(prefix="hri-project-") as scratch:
        top, out = Path(scratch, "source"), Path(scratch, "compiled")
        for name, content in sources.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(content)
        compile_package(top, out)
        made = {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.mpy"))}
    return files | made


def _is_compiled(name: str) -> bool:
    return name.endswith(".py") and name not in _STARTED


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file, in hex."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def package_hash(digests: Mapping[str, str]) -> str:
    """Return one SHA-256 over names and digests: of the lines `DIGEST  NAME`, in the order of the names.

    That is what `sha256sum` prints for the files, so anybody can work it out.
    """
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
