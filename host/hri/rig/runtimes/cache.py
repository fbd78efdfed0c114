"""Where built things are kept, and how two processes share that place."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs

_PROJECT_LINE = 'name = "hri"'


class RuntimeUnavailableError(Exception):
    """A runtime is neither cached nor can it be built here; the message says what to do."""


def checkout_root() -> Path | None:
    """Return the checkout this package runs from, or None where it is installed."""
    for folder in Path(__file__).resolve().parents:
        project = folder / "pyproject.toml"
        if project.is_file():
            return folder if _PROJECT_LINE in project.read_text(encoding="utf-8") else None
    return None


def cache_root() -> Path:
    """Return the folder for built things: ``build/`` in a checkout, the user's cache otherwise.

    ``HRI_CACHE`` names another one.
    """
    named = os.environ.get("HRI_CACHE")
    if named:
        return Path(named)
    checkout = checkout_root()
    return checkout / "build" if checkout else Path(platformdirs.user_cache_dir("hri"))


@contextlib.contextmanager
def locked(path: Path, deadline_s: float) -> Iterator[None]:
    """Hold the lock file ``path`` for the block, waiting at most ``deadline_s`` seconds for it.

    The kernel drops the lock with its holder, so a killed build blocks nobody.

    Raises RuntimeUnavailableError when the deadline passes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + deadline_s
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise RuntimeUnavailableError(
                        f"another process has been building for more than {deadline_s:.0f} s and holds "
                        f"{path}; wait for it or end it, then try again"
                    ) from None
                time.sleep(0.1)
        yield


def publish(source: Path, target: Path) -> None:
    """Put a copy of ``source`` at ``target`` so that a reader sees all of it or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_bytes(source.read_bytes())
        temporary.chmod(source.stat().st_mode & 0o777)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
