"""Files that are either there in full or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hri.errors import ConfigurationError, StorageError


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            "storage",
            f"cannot use {error.filename or path}: {(error.strerror or str(error)).lower()}",
            "make room or correct the permissions, and run the same command again",
        ) from error


def read_input(path: Path, what: str, *, limit: int = 1 << 20) -> bytes:
    """Return the content of a file that the user named, `what` it is meant to be in a word or two.

    Raises ConfigurationError where there is none, or it is no file, or longer than `limit` bytes, and
    StorageError where the disk fails.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise ConfigurationError(
            "no-file",
            f"cannot read {what} {path}: {(error.strerror or str(error)).lower()}",
            "give the path of an existing file that you may read",
        ) from error
    except OSError as error:
        raise StorageError(
            "storage", f"cannot read {what} {path}: {(error.strerror or str(error)).lower()}", "try again"
        ) from error
    if len(data) > limit:
        raise ConfigurationError(
            "file-too-long", f"{what} {path} has more than {limit} bytes", "give another file"
        )
    return data


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file so that after a crash it holds the old content or the new, never a part.

    Raises StorageError.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft_of(path, mode) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(data)


@contextmanager
def written_atomically(path: Path, mode: int = 0o644) -> Iterator[TextIO]:
    """Open a text file (UTF-8, line ends as written) that takes its place when the block ends without error.

    Raises StorageError.
    """
    with (
        disk_errors(path),
        _draft_of(path, mode) as descriptor,
        os.fdopen(descriptor, "w", encoding="utf-8", newline="", closefd=False) as stream,
    ):
        yield stream


@contextmanager
def _draft_of(path: Path, mode: int) -> Iterator[int]:
    """Open a file beside `path` that takes its place, on the disk, when the block ends without error."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        try:
            yield descriptor
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
