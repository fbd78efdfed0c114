"""The Merkle log as the files of C2SP tlog-tiles: what each of them holds, read from the registry."""

from __future__ import annotations

from hri.checkpoint import Checkpoint
from hri.errors import ConfigurationError, StorageError
from hri.registry import Registry
from hri.registry.log_head import CERTIFICATES, damaged
from hri.signed_note import NoteError, NoteVerifier
from hri.transparency.merkle import HASH_BYTES, leaf_hash
from hri.transparency.tiles import HEIGHT, WIDTH, Tile, bundle, parse_path


def signed_end(registry: Registry, verifier: NoteVerifier) -> tuple[str, Checkpoint]:
    """Return the newest checkpoint, as it is published and as it was read.

    Raises StorageError where there is none, or where `verifier` does not accept it.
    """
    note = registry.log_head().checkpoint
    if note is None:
        raise StorageError(
            "log-unsigned", "the log has no checkpoint to publish", "run `hri log sequence` first"
        )
    try:
        return note, Checkpoint.opened(note, verifier)
    except NoteError as error:
        raise damaged(CERTIFICATES, f"its checkpoint does not hold: {error}") from error


def tile_file(registry: Registry, verifier: NoteVerifier, path: str) -> bytes:
    """Return the file of a path `tile/…`, which never changes: partial tiles are named by their width.

    Raises ConfigurationError `not-found` where the signed tree has no such tile, StorageError.
    """
    try:
        is_bundle, tile = parse_path(path)
    except ValueError as error:
        raise _not_found(str(error)) from error
    _, end = signed_end(registry, verifier)
    if tile.index * WIDTH + tile.width > end.size >> (HEIGHT * tile.level):
        raise _not_found(f"the log of {end.size} certificates has no {path}")
    hashes = tile_hashes(registry, tile)
    return entry_bundle(registry, tile, hashes) if is_bundle else hashes


def tile_hashes(registry: Registry, tile: Tile) -> bytes:
    """Return the hashes of a tile of the signed tree. Raises StorageError where some are missing."""
    hashes = registry.log_tile(tile.level, tile.index)[: tile.width * HASH_BYTES]
    if len(hashes) != tile.width * HASH_BYTES:
        raise damaged(CERTIFICATES, f"{tile.path} lacks hashes")
    return hashes


def entry_bundle(registry: Registry, tile: Tile, hashes: bytes) -> bytes:
    """Return the entries below a tile of level 0. Raises StorageError where its hashes are others'."""
    begin = tile.index * WIDTH
    rows = registry.log_entries(begin, begin + tile.width)
    if [row.index for row in rows] != list(range(begin, begin + tile.width)):
        raise damaged(CERTIFICATES, f"{tile.bundle_path} lacks entries")
    entries = [row.leaf.to_bytes() for row in rows]
    if b"".join(map(leaf_hash, entries)) != hashes:
        # Published once it would stay: a reader could not even say which of the two was changed.
        raise damaged(CERTIFICATES, f"the certificates of {tile.bundle_path} are not those that were logged")
    return bundle(entries)


def _not_found(what: str) -> ConfigurationError:
    return ConfigurationError("not-found", what, "the checkpoint says how many certificates the log has")
