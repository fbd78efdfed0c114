"""The files a board boots from, placed on its flash before power comes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Package = Mapping[str, bytes] | Path


def read_package(package: Package) -> dict[str, bytes]:
    """Return path on the flash (relative, with forward slashes) to content, of a mapping or of a folder.

    Python's own caches are left out. Raises ValueError for a path that leaves the flash.
    """
    if isinstance(package, Path):
        files = {
            path.relative_to(package).as_posix(): path.read_bytes()
            for path in sorted(package.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
    else:
        files = {name.removeprefix("/"): bytes(content) for name, content in package.items()}
    for name in files:
        parts = name.split("/")
        if "" in parts or ".." in parts or "." in parts:
            raise ValueError(f"{name!r} is no path on a board's flash")
    return files


def place_in_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write those of ``files`` that differ from what lies in ``folder``, each at once or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(content)
        temporary.replace(path)
