"""The files a board boots from, placed on its flash before power comes on."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from hri.boards import BoardError

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


def place_in_folder(
    folder: Path, files: Mapping[str, bytes], unless_there: Mapping[str, bytes] = MappingProxyType({})
) -> None:
    """Write those of ``files`` that differ from what lies in ``folder``, each at once or not at all.

    A file of ``unless_there`` is written only where there is none of its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**unless_there, **files}.items():
        path = folder / name
        if path.is_file() and (name not in files or path.read_bytes() == content):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(content)
        temporary.replace(path)


def pack_folder(folder: Path) -> bytes:
    """Return every file in ``folder`` as one tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(folder, arcname=".")
    return archive.getvalue()


def unpack_folder(folder: Path, archive: bytes) -> None:
    """Put what `pack_folder` made in the place of everything in ``folder``; raises ValueError for no archive.

    What was there stays until all of the archive is unpacked beside it.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(fresh, filter="data")
        _swap(folder, fresh)
    except tarfile.TarError as error:
        raise ValueError(f"this is no flash of a board: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(folder: Path, fresh: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


class FlashLock:
    """Keeps two boards from having one flash: a lock on ``<name>.lock`` beside it, which ends with us.

    Raises BoardError where another board has it. The lock file stays: removing it would let two boards lock
    two different files of that name.
    """

    def __init__(self, flash: Path) -> None:
        flash.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(
            flash.with_name(f"{flash.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise BoardError(
                f"another board has the flash {flash}: stop that one, or give this one a flash of its own"
            ) from None

    def release(self) -> None:
        """Let another board have the flash; safe to call twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
