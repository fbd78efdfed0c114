"""The tree as tiles of height 8, and entries in bundles: what a web server or CDN serves (C2SP tlog-tiles).

A full tile is 256 hashes and never changes; the rightmost one of each level is partial.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hri.transparency.merkle import HASH_BYTES, perfect_hash, tree_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
_PATH = re.compile(r"tile/(entries|[0-9]{1,2})((?:/x[0-9]{3})*/[0-9]{3})(?:\.p/([0-9]{1,3}))?")

ReadTile = Callable[[int, int], bytes]
"""(level, index) -> the hashes of a tile as far as there are any."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile's place, and how many hashes it has (1 to 256)."""

    level: int
    index: int
    width: int

    @property
    def path(self) -> str:
        """Return where it is served: tile/<L>/<N>[.p/<W>]."""
        return _path(str(self.level), self.index, self.width)

    @property
    def bundle_path(self) -> str:
        """Return where the entries below a tile of level 0 are served: tile/entries/<N>[.p/<W>]."""
        return _path("entries", self.index, self.width)


def parse_path(path: str) -> tuple[bool, Tile]:
    """Return whether a path names an entry bundle, and the tile that it names. Raises ValueError.

    Only what `Tile.path` and `Tile.bundle_path` write is read: a resource has one name.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"{path[:80]!r} names no tile")
    level, number, width = found.groups()
    bundle = level == "entries"
    tile = Tile(
        0 if bundle else int(level),
        int(number.replace("/x", "").replace("/", "")),
        WIDTH if width is None else int(width),
    )
    if (tile.bundle_path if bundle else tile.path) != path or not 1 <= tile.width <= WIDTH or tile.level > 63:
        raise ValueError(f"{path[:80]!r} names no tile")
    return bundle, tile


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Return the tiles of a tree of `size` leaves that a tree of `since` leaves does not have as they are."""
    level = 0
    while size:
        for index in range(since // WIDTH, -(-size // WIDTH)):
            width = min(WIDTH, size - index * WIDTH)
            if width > min(WIDTH, max(0, since - index * WIDTH)):
                yield Tile(level, index, width)
        level, size, since = level + 1, size // WIDTH, since // WIDTH


def node_of(height: int, index: int, read: ReadTile) -> bytes:
    """Return a node of the tree from the tile that spans it. Raises ValueError where the tile lacks it."""
    level, inside = divmod(height, HEIGHT)
    count = 1 << inside
    tile, place = divmod(index << inside, WIDTH)
    hashes = split(read(level, tile))[place : place + count]
    if len(hashes) != count:
        raise ValueError(f"tile {level}/{tile} has no hashes {place} to {place + count - 1}")
    return perfect_hash(hashes)


def root_of(size: int, read: ReadTile) -> bytes:
    """Return the root of the tree of `size` leaves from its tiles."""
    return tree_hash(0, size, lambda height, index: node_of(height, index, read))


def split(hashes: bytes) -> list[bytes]:
    """Return the hashes of a tile, 32 bytes each. Raises ValueError for a torn one."""
    if len(hashes) % HASH_BYTES:
        raise ValueError(f"a tile of {len(hashes)} bytes is torn")
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def grown(size: int, leaves: Sequence[bytes], read: ReadTile) -> dict[tuple[int, int], bytes]:
    """Return the tiles, (level, index) -> hashes, that leaf hashes behind a tree of `size` make or change."""
    changed: dict[tuple[int, int], bytes] = {}
    level, new = 0, list(leaves)
    while new:
        index, width = divmod(size, WIDTH)
        hashes = read(level, index)[: width * HASH_BYTES] if width else b""
        if len(hashes) != width * HASH_BYTES:
            raise ValueError(f"tile {level}/{index} has fewer than {width} hashes")
        row = hashes + b"".join(new)
        tile_bytes = WIDTH * HASH_BYTES
        pieces = [row[at : at + tile_bytes] for at in range(0, len(row), tile_bytes)]
        for offset, piece in enumerate(pieces):
            changed[level, index + offset] = piece
        new = [perfect_hash(split(piece)) for piece in pieces if len(piece) == tile_bytes]
        level, size = level + 1, size // WIDTH
    return changed


def bundle(entries: Iterable[bytes]) -> bytes:
    """Return entries behind their lengths (2 bytes, big-endian)."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundle(data: bytes) -> list[bytes]:
    """Return the entries of a bundle. Raises ValueError for a torn one."""
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise ValueError("the entry bundle is torn")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def _path(level: str, index: int, width: int) -> str:
    groups: list[str] = []
    while True:
        index, group = divmod(index, 1000)
        groups.append(f"x{group:03}" if groups else f"{group:03}")
        if not index:
            break
    suffix = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{suffix}"
