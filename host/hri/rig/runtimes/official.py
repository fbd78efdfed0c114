"""The official MicroPython release, where there is internet: one download in place of a cross-compiler."""

from __future__ import annotations

import hashlib
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from hri.rig.runtimes import versions
from hri.rig.runtimes.cache import publish
from hri.rig.runtimes.debian import Progress

# A machine without internet must notice at once: it has a build to do.
_ANSWER_S = 3.0
_DEADLINE_S = 60.0
_PIECE = 1 << 16


def fetch(name: str, target: Path, progress: Progress, url: str | None = None) -> bool:
    """Put the official image of runtime ``name`` at ``target``; return whether that worked.

    Only a file with the pinned SHA-256 is kept. Nothing is raised: whoever asks builds it instead.
    """
    release = versions.OFFICIAL.get(name)
    if release is None:
        return False
    partial = target.with_name(f".{target.name}.{os.getpid()}.download")
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        found = _download(url or release.url, partial, release.size)
        if found != release.sha256:
            progress(f"the official release of {name} is not the one pinned ({found}); building it instead")
            return False
        publish(partial, target)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        progress(f"no official release of {name} from here ({reason}); building it instead")
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def _download(url: str, target: Path, size: int) -> str:
    """Write what ``url`` gives to ``target``, return its SHA-256 in hex; OSError where it takes too long."""
    end = time.monotonic() + _DEADLINE_S
    digest = hashlib.sha256()
    left = size
    with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer, target.open("wb") as file:  # noqa: S310
        while piece := answer.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise OSError(f"it is longer than {size} bytes")
            if time.monotonic() > end:
                raise OSError(f"it takes longer than {_DEADLINE_S:.0f} s")
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
