"""A home folder copied while others work in it, and put back in one step (docs/backup.md)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hri.ca.files import disk_errors, read_input, sync_folder
from hri.errors import ConfigurationError, StorageError
from hri.registry.folder_lock import exclusive
from hri.registry.schema import APPLICATION_ID

MANIFEST = "backup.json"
DATABASE = "hri.db"
_VERSION = 1
_DRAFT = ".hri-draft-"
_MAX_MANIFEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """When a backup was made, whether the registry is in it, and the SHA-256 of its files by their paths."""

    made_at: str
    database: bool
    files: dict[str, str]

    def to_json(self) -> bytes:
        """Return the manifest."""
        members = {"version": _VERSION, "made_at": self.made_at, "database": self.database}
        return json.dumps({**members, "files": self.files}, indent=1).encode()


def make_backup(home: Path, folder: Path, now: datetime, *, database: bool) -> Backup:
    """Copy a home into a new folder: keys, configuration, lists and, with `database`, its SQLite registry.

    The registry is copied as of one moment, under whoever writes it; keys stand still meanwhile. The folder
    is there in full or not at all, and only its owner may read it.

    Raises ConfigurationError where the folder is there already, StorageError.
    """
    if folder.exists():
        raise ConfigurationError("backup-exists", f"{folder} is there already", "name a new folder")
    if folder.resolve().is_relative_to(home.resolve()):
        raise ConfigurationError(
            "backup-inside", f"{folder} would be lost together with {home}", "save outside of the home folder"
        )
    with _draft(folder) as draft:
        # Those who make or renew CAs, and those who make keys: a registry copied between their two steps
        # could know of keys that are not in the copy.
        with exclusive(home, "making a backup"), exclusive(home / "ca", "making a backup"):
            if database:
                _copy_database(home / DATABASE, draft / DATABASE)
            _copy_files(home, draft)
        files = {str(path.relative_to(draft)): _sha256(path) for path in _files(draft)}
        backup = Backup(now.isoformat(), database, files)
        _write(draft / MANIFEST, backup.to_json())
        _put(draft, folder, "backup-exists")
    return backup


def restore_backup(folder: Path, home: Path, complete: Callable[[Path, Backup], None]) -> Backup:
    """Make a home of a backup; `complete` works on the draft of it, and where it fails there is no home.

    Raises ConfigurationError (no backup, a damaged one, a home that is there already), StorageError, and what
    `complete` raises.
    """
    if home.exists() and any(home.iterdir()):
        raise _home_exists(home)
    backup = read_backup(folder)
    with _draft(home) as draft:
        for name, digest in backup.files.items():
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _copy(folder / name, target)
            if _sha256(target) != digest:
                raise _damaged(folder, f"{name} is not what was saved")
        complete(draft, backup)
        for path in _files(draft):
            _sync(path)
        _put(draft, home, "home-exists")
    return backup


def read_backup(folder: Path) -> Backup:
    """Return what a backup holds. Raises ConfigurationError where it is none, or files are missing."""
    data = read_input(folder / MANIFEST, "the backup's manifest", limit=_MAX_MANIFEST)
    try:
        said = json.loads(data)
        version, files = said["version"], dict(said["files"])
        backup = Backup(str(said["made_at"]), bool(said["database"]), files)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{MANIFEST} is not what hri writes") from error
    if version != _VERSION:
        raise ConfigurationError(
            "backup-newer", f"{folder} was made by another version of this program", "use that version"
        )
    for name in files:
        parts = Path(name).parts
        if not parts or Path(name).is_absolute() or ".." in parts or not (folder / name).is_file():
            raise _damaged(folder, f"{name} is missing")
    return backup


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """Make a folder beside `target` that is gone at the end, unless it took its place."""
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=target.parent))
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _put(draft: Path, target: Path, code: str) -> None:
    for path in sorted((draft, *(one for one in draft.rglob("*") if one.is_dir())), reverse=True):
        sync_folder(path)
    try:
        # rename(2) onto a folder that holds something fails: the loser of a race changes nothing.
        os.rename(draft, target)
    except OSError as error:
        if target.exists():
            raise ConfigurationError(code, f"{target} is there already", "give another folder") from error
        raise
    sync_folder(target.parent)


def _copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database as of one moment (sqlite.org/backup.html): all pages in one step."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        writing = sqlite3.connect(target)
        try:
            reading.execute("PRAGMA busy_timeout = 10000")
            reading.backup(writing, pages=-1)
            answer = writing.execute("PRAGMA integrity_check(1)").fetchone()[0]
            owner = writing.execute("PRAGMA application_id").fetchone()[0]
        finally:
            writing.close()
            reading.close()
    except sqlite3.Error as error:
        raise StorageError(
            "backup-failed", f"the registry {source} cannot be copied: {error}", "try again"
        ) from error
    if (answer, owner) != ("ok", APPLICATION_ID):
        raise StorageError(
            "database-damaged", f"the registry {source} is damaged", "restore it from an earlier backup"
        )
    _sync(target)


def _copy_files(home: Path, draft: Path) -> None:
    for path in _files(home):
        name = path.relative_to(home)
        # Drafts of files and folders that are being written begin with a dot; the registry has its own copy.
        hidden = any(part.startswith(".") for part in name.parts)
        if hidden or name.parts[0].startswith(DATABASE) or name.suffix == ".draft":
            continue
        target = draft / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy(path, target)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    shutil.copymode(source, target)
    _sync(target)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _home_exists(home: Path) -> ConfigurationError:
    return ConfigurationError(
        "home-exists",
        f"there is something in {home}, and nothing is overwritten",
        "move it away, or give another --home",
    )


def _damaged(folder: Path, what: str) -> ConfigurationError:
    return ConfigurationError("backup-damaged", f"{folder}: {what}", "take another copy of the backup")
