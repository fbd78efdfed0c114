"""Roots and proofs against an implementation that nobody here wrote."""

from __future__ import annotations

import pytest
from hri.transparency.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)
from hri.transparency.tiles import grown, node_of
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as their_verify

SIZE = 600
ENTRIES = [b"entry %d" % number for number in range(SIZE)]
SIZES = (1, 2, 3, 5, 8, 127, 255, 256, 257, 300, 511, 512, 513, SIZE)


@pytest.fixture(scope="module")
def theirs() -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for entry in ENTRIES:
        tree.append_entry(entry)
    return tree


TILES = grown(0, [leaf_hash(entry) for entry in ENTRIES], lambda _level, _index: b"")


def ours(height: int, index: int) -> bytes:
    return node_of(height, index, lambda level, tile: TILES[level, tile])


def test_the_roots_are_the_same(theirs: InmemoryTree) -> None:
    assert [tree_hash(0, size, ours) for size in range(SIZE + 1)] == [
        theirs.get_root(size) for size in range(SIZE + 1)
    ]


@pytest.mark.parametrize("size", SIZES)
def test_the_inclusion_proofs_are_the_same(theirs: InmemoryTree, size: int) -> None:
    for index in range(0, size, max(1, size // 40)):
        proof = inclusion_proof(index, size, ours)
        # Theirs begins with the leaf and counts from one.
        leaf, *path = theirs.prove_inclusion(index + 1, size).path

        assert proof == path
        verify_inclusion(leaf, index, size, path, theirs.get_root(size))


@pytest.mark.parametrize("new", SIZES)
def test_our_consistency_proofs_lead_from_their_roots_to_their_roots_and_back(
    theirs: InmemoryTree, new: int
) -> None:
    for old in range(1, new + 1, max(1, new // 40)):
        verify_consistency(
            old, new, theirs.get_root(old), theirs.get_root(new), consistency_proof(old, new, ours)
        )
        # Theirs have another shape than RFC 6962 gives them, so each side judges by its own.
        their_verify(tree_hash(0, old, ours), tree_hash(0, new, ours), theirs.prove_consistency(old, new))
