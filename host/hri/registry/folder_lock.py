"""One process at a time in a folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hri.errors import StorageError

_PATIENCE_SECONDS = 30.0


@contextmanager
def exclusive(folder: Path, doing: str, patience: float = _PATIENCE_SECONDS) -> Iterator[None]:
    """Hold a folder while the block runs; waits up to `patience` seconds for who holds it now.

    The lock is on the folder itself (flock(2)): it leaves no file behind, does not meet SQLite's own locks,
    and ends with the process.

    Raises StorageError and, where the folder cannot be opened, OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise StorageError(
                        "folder-busy",
                        f"another process has been {doing} in {folder} for {patience:.0f} s",
                        "wait for it or end it, and run the command again",
                    ) from error
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)
