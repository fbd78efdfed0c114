"""The Merkle log as files that any web server or CDN can serve (C2SP tlog-tiles)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hri.ca.files import disk_errors, write_atomically
from hri.checkpoint import Checkpoint
from hri.errors import ConfigurationError, PolicyRefusal
from hri.log_files import entry_bundle, signed_end, tile_hashes
from hri.registry import Registry
from hri.registry.folder_lock import exclusive
from hri.signed_note import NoteError, NoteVerifier
from hri.transparency.tiles import WIDTH, Tile, root_of, tiles_of

_CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: the tree's size before and now, and how many files it wrote."""

    since: int
    size: int
    files: int


def export_log(registry: Registry, verifier: NoteVerifier, folder: Path) -> Exported:
    """Write what the folder lacks: tiles and entries first, each whole or not there, the checkpoint last.

    A reader who has a checkpoint finds all that it speaks of, whenever it reads, and a killed export is
    completed by the next.

    Raises PolicyRefusal where the folder holds a checkpoint that the log does not continue,
    ConfigurationError where it holds another log's, StorageError.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with disk_errors(folder), exclusive(folder, "exporting a log"):
        note, signed = signed_end(registry, verifier)
        since = _published(registry, verifier, folder, signed.size)
        files = 0
        for tile in tiles_of(signed.size, since):
            hashes = tile_hashes(registry, tile)
            if tile.level == 0:
                write_atomically(folder / tile.bundle_path, entry_bundle(registry, tile, hashes))
                files += 1
            write_atomically(folder / tile.path, hashes)
            files += 1
            if tile.width == WIDTH:
                _drop_partial(folder, tile)
        if since != signed.size or not (folder / _CHECKPOINT).exists():
            write_atomically(folder / _CHECKPOINT, note.encode())
            files += 1
        return Exported(since, signed.size, files)


def _published(registry: Registry, verifier: NoteVerifier, folder: Path, size: int) -> int:
    """Return how many entries the folder's checkpoint speaks of, which the log has to continue."""
    path = folder / _CHECKPOINT
    if not path.exists():
        return 0
    try:
        published = Checkpoint.opened(path.read_text(encoding="utf-8"), verifier)
    except (NoteError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "another-log", f"{path} is not this log's: {error}", "export into a folder of its own"
        ) from error
    if published.size > size:
        raise PolicyRefusal(
            "log-shrunk",
            f"{path} speaks of {published.size} entries, and the log has {size}",
            "the registry was set back or changed: look into it before anything is published",
        )
    if root_of(published.size, registry.log_tile) != published.digest:
        raise PolicyRefusal(
            "log-forked",
            f"the log does not continue the tree of {published.size} entries in {path}",
            "the registry was changed: look into it before anything is published",
        )
    return published.size


def _drop_partial(folder: Path, tile: Tile) -> None:
    """Remove the partial tiles in whose place a full one stands (C2SP tlog-tiles, "Partial Tiles")."""
    for path in (tile.path, tile.bundle_path) if tile.level == 0 else (tile.path,):
        partial = folder / f"{path}.p"
        if partial.is_dir():
            for old in partial.iterdir():
                old.unlink()
            partial.rmdir()
