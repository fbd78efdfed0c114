"""Putting a folder of files into place: the whole folder or nothing, whenever the process ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from hri.ca.files import disk_errors, sync_folder, write_atomically
from hri.errors import HriError
from hri.registry.folder_lock import exclusive

Files = Mapping[str, tuple[bytes, int]]
"""Content and mode by name."""
_DRAFT = ".ca-draft-"


def place(folder: Path, files: Files, already_there: Callable[[], HriError]) -> None:
    """Make `folder` with these files in one step; `already_there` is raised where there is one.

    Raises StorageError.
    """
    with disk_errors(folder):
        missing = [above for above in folder.parents if not above.exists()]
        folder.parent.mkdir(parents=True, exist_ok=True)
        for made in missing:
            sync_folder(made.parent)
    with disk_errors(folder), exclusive(folder.parent, "making an authority"):
        for left_over in folder.parent.glob(f"{_DRAFT}*"):
            # Of a ceremony that was killed: nobody else is at work here now.
            shutil.rmtree(left_over, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder.parent))
        try:
            for name, (data, mode) in files.items():
                write_atomically(draft / name, data, mode)
            try:
                # rename(2) onto a folder that holds something fails: the loser of a race changes nothing.
                os.rename(draft, folder)
            except OSError as error:
                if folder.exists():
                    raise already_there() from error
                raise
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
