"""The tiles' rows: what the tree's right edge is made of, and what grew there."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, select, tuple_, update

from hri.registry.bulk import insert_rows
from hri.registry.log_head import CERTIFICATES, damaged
from hri.registry.schema import log_tile
from hri.transparency.tiles import HEIGHT, WIDTH, ReadTile, root_of

_PLACE = tuple_(log_tile.c.level, log_tile.c.tile_index)
_READ = select(log_tile.c.level, log_tile.c.tile_index, log_tile.c.hashes).where(
    _PLACE.in_(bindparam("places", expanding=True))
)
_UPDATE = (
    update(log_tile)
    .where(log_tile.c.level == bindparam("at_level"), log_tile.c.tile_index == bindparam("at_index"))
    .values(hashes=bindparam("hashes"))
)

Tiles = dict[tuple[int, int], bytes]
"""(level, index) -> hashes."""


def read_edge(connection: Connection, size: int) -> Tiles:
    """Return the partial tiles of a tree: all that its root and its growth depend on."""
    places, level = [], 0
    while size >> (HEIGHT * level):
        index, width = divmod(size >> (HEIGHT * level), WIDTH)
        if width:
            places.append((level, index))
        level += 1
    return read_tiles(connection, places)


def read_tiles(connection: Connection, places: list[tuple[int, int]]) -> Tiles:
    """Return these tiles, as far as there are any."""
    if not places:
        return {}
    rows = connection.execute(_READ, {"places": places})
    return {(level, index): bytes(hashes) for level, index, hashes in rows}


def write_tiles(connection: Connection, size: int, changed: Mapping[tuple[int, int], bytes]) -> None:
    """Record tiles that grew from those of a tree of `size` leaves."""
    new = []
    for (level, index), hashes in changed.items():
        if index < -(-(size >> (HEIGHT * level)) // WIDTH):
            connection.execute(_UPDATE, {"at_level": level, "at_index": index, "hashes": hashes})
        else:
            new.append({"level": level, "tile_index": index, "hashes": hashes})
    insert_rows(connection, log_tile, new)


def root(size: int, tiles: Mapping[tuple[int, int], bytes]) -> bytes:
    """Return the root that these tiles lead to. Raises StorageError where one is missing or torn."""
    try:
        return root_of(size, reader(tiles))
    except ValueError as error:
        raise damaged(CERTIFICATES, str(error)) from error


def reader(tiles: Mapping[tuple[int, int], bytes]) -> ReadTile:
    """Return what reads from these tiles."""
    return lambda level, index: tiles.get((level, index), b"")
