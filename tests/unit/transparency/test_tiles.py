"""Tiles, bundles and leaves: what is kept and served is what C2SP tlog-tiles says."""

from __future__ import annotations

import random

import pytest
from hri.errors import PolicyRefusal
from hri.transparency.leaf import Leaf
from hri.transparency.merkle import leaf_hash, node_hash
from hri.transparency.tiles import Tile, bundle, grown, parse_path, root_of, split, tiles_of, unbundle


def _reference(leaves: list[bytes]) -> bytes:
    """Return MTH as RFC 6962 section 2.1 defines it."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(_reference(leaves[:k]), _reference(leaves[k:]))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0, 256), "tile/0/000"),
        (Tile(1, 1234067, 256), "tile/1/x001/x234/067"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(63, 1000, 1), "tile/63/x001/000.p/1"),
    ],
)
def test_a_tile_has_the_path_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == (False, tile)


def test_a_bundle_has_the_path_of_the_specification() -> None:
    assert Tile(0, 1001, 3).bundle_path == "tile/entries/x001/001.p/3"
    assert parse_path("tile/entries/x001/001.p/3") == (True, Tile(0, 1001, 3))


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/00/001",
        "tile/64/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/../../hri.db",
        "tile/x/001",
        "tile/0/001.p/-1",
        "tile/0/٠٠١",
    ],
)
def test_nothing_else_is_a_path(path: str) -> None:
    with pytest.raises(ValueError, match="names no tile"):
        parse_path(path)


def test_a_tree_has_the_tiles_of_the_specifications_example() -> None:
    tiles = list(tiles_of(70_000))

    assert sum(tile.level == 0 and tile.width == 256 for tile in tiles) == 273
    assert [tile for tile in tiles if tile.width < 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [tile for tile in tiles if tile.level == 1 and tile.width == 256] == [Tile(1, 0, 256)]
    assert list(tiles_of(256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


def test_what_an_older_tree_lacks_is_what_changed() -> None:
    assert list(tiles_of(300, since=260)) == [Tile(0, 1, 44)]
    assert list(tiles_of(512, since=300)) == [Tile(0, 1, 256), Tile(1, 0, 2)]
    assert list(tiles_of(300, since=300)) == []
    assert set(tiles_of(70_000)) - set(tiles_of(1000)) == set(tiles_of(70_000, since=1000))


def test_tiles_that_grew_in_any_steps_lead_to_the_root_of_the_definition() -> None:
    chance = random.Random(6962)  # noqa: S311 - where to cut is no secret
    leaves = [leaf_hash(b"%d" % number) for number in range(66_000)]
    kept: dict[tuple[int, int], bytes] = {}

    def read(level: int, index: int) -> bytes:
        return kept.get((level, index), b"")

    size = 0
    while size < len(leaves):
        step = min(chance.choice([1, 2, 64, 255, 256, 257, 5000]), len(leaves) - size)
        kept.update(grown(size, leaves[size : size + step], read))
        size += step
        if chance.random() < 0.05:
            assert root_of(size, read) == _reference(leaves[:size])

    assert root_of(size, read) == _reference(leaves)
    assert {(tile.level, tile.index): tile.width for tile in tiles_of(size)} == {
        place: len(split(hashes)) for place, hashes in kept.items()
    }


def test_a_torn_or_missing_tile_is_not_built_upon() -> None:
    with pytest.raises(ValueError, match="fewer than 3"):
        grown(3, [bytes(32)], lambda _level, _index: bytes(64))
    with pytest.raises(ValueError, match="no hashes"):
        root_of(3, lambda _level, _index: bytes(64))
    with pytest.raises(ValueError, match="torn"):
        root_of(3, lambda _level, _index: bytes(65))


def test_a_bundle_gives_its_entries_back() -> None:
    entries = [b"", b"one", bytes(65_535)]

    assert unbundle(bundle(entries)) == entries
    for torn in (bundle(entries)[:-1], b"\x00", b"\x00\x02x"):
        with pytest.raises(ValueError, match="torn"):
            unbundle(torn)


def test_a_leaf_is_a_merkle_tree_leaf_of_rfc_6962() -> None:
    leaf = Leaf(0x0123456789, b"der")

    assert leaf.to_bytes().hex() == "000000000001234567890000000003" + b"der".hex() + "0000"
    assert Leaf(1, b"der", before_log=True).to_bytes().hex().endswith("0003fe0000")


@pytest.mark.parametrize("before_log", [False, True])
def test_a_leaf_gives_its_certificate_back(before_log: bool) -> None:
    leaf = Leaf(1_780_000_000_000, b"x" * 700, before_log)

    assert Leaf.from_bytes(leaf.to_bytes()) == leaf


@pytest.mark.parametrize(
    "change",
    [
        lambda _entry: b"",
        lambda entry: entry[:-1],
        lambda entry: entry + b"x",
        lambda entry: b"\x01" + entry[1:],
        lambda entry: entry[:10] + b"\x00\x01" + entry[12:],
    ],
)
def test_another_entry_is_no_leaf(change) -> None:
    with pytest.raises(ValueError, match="no entry of the log"):
        Leaf.from_bytes(change(Leaf(5, b"der").to_bytes()))


def test_a_certificate_that_no_bundle_could_hold_is_refused() -> None:
    with pytest.raises(PolicyRefusal) as refused:
        Leaf(1, bytes(65_536)).to_bytes()

    assert refused.value.code == "certificate-too-long"
