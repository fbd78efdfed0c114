"""Roots and proofs are those of RFC 6962; every one verifies, and none verifies for anything else."""

from __future__ import annotations

from functools import cache

import pytest
from hri.transparency.merkle import (
    EMPTY_ROOT,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)

SIZES = 300
LEAVES = [leaf_hash(b"entry %d" % number) for number in range(SIZES)]
# The tree that the reference implementation of RFC 6962 tests with, and its roots by size.
VECTOR = [b"", b"\x00", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def _node_over(leaves: list[bytes]):
    @cache
    def node(height: int, index: int) -> bytes:
        if height == 0:
            return leaves[index]
        return node_hash(node(height - 1, 2 * index), node(height - 1, 2 * index + 1))

    return node


NODE = _node_over(LEAVES)
TREE_ROOTS = [tree_hash(0, size, NODE) for size in range(SIZES + 1)]


def test_the_roots_are_those_of_the_reference() -> None:
    node = _node_over([leaf_hash(entry) for entry in VECTOR])

    assert [tree_hash(0, size, node).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize("place", INCLUSION)
def test_inclusion_proofs_are_those_of_the_reference(place: tuple[int, int]) -> None:
    node = _node_over([leaf_hash(entry) for entry in VECTOR])

    assert [step.hex() for step in inclusion_proof(*place, node)] == INCLUSION[place]


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_consistency_proofs_are_those_of_the_reference(sizes: tuple[int, int]) -> None:
    node = _node_over([leaf_hash(entry) for entry in VECTOR])

    assert [step.hex() for step in consistency_proof(*sizes, node)] == CONSISTENCY[sizes]


def test_every_leaf_of_every_tree_is_proved_to_be_in_it() -> None:
    for size in range(1, SIZES + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, NODE)
            verify_inclusion(LEAVES[index], index, size, proof, TREE_ROOTS[size])


def test_every_tree_is_proved_to_begin_with_every_smaller_one() -> None:
    for new in range(SIZES + 1):
        for old in range(new + 1):
            verify_consistency(old, new, TREE_ROOTS[old], TREE_ROOTS[new], consistency_proof(old, new, NODE))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 255, 256, 257])
def test_no_inclusion_proof_holds_for_another_leaf_place_size_or_root(size: int) -> None:
    for index in {0, 1, size // 2, size - 1} & set(range(size)):
        proof = inclusion_proof(index, size, NODE)
        claims = [
            (LEAVES[size], index, size, proof, TREE_ROOTS[size]),
            (LEAVES[index], index, size, proof, TREE_ROOTS[size + 1]),
            (LEAVES[index], size, size, proof, TREE_ROOTS[size]),
            (LEAVES[index], -1, size, proof, TREE_ROOTS[size]),
            (LEAVES[index], index, size, [*proof, bytes(32)], TREE_ROOTS[size]),
            *(
                (LEAVES[index], other, size, proof, TREE_ROOTS[size])
                for other in range(size)
                if other != index
            ),
            *((LEAVES[index], index, size, proof[:short], TREE_ROOTS[size]) for short in range(len(proof))),
            *(
                (LEAVES[index], index, size, [*proof[:at], bytes(32), *proof[at + 1 :]], TREE_ROOTS[size])
                for at in range(len(proof))
            ),
        ]
        for claim in claims:
            with pytest.raises(ProofError):
                verify_inclusion(*claim)


@pytest.mark.parametrize(
    ("old", "new"), [(1, 2), (2, 3), (3, 7), (4, 8), (6, 8), (128, 300), (255, 256), (256, 257)]
)
def test_no_consistency_proof_holds_for_another_tree(old: int, new: int) -> None:
    proof = consistency_proof(old, new, NODE)
    claims = [
        (old, new, bytes(32), TREE_ROOTS[new], proof),
        (old, new, TREE_ROOTS[old], bytes(32), proof),
        (old, new, TREE_ROOTS[old], TREE_ROOTS[new], [*proof, bytes(32)]),
        (new, old, TREE_ROOTS[new], TREE_ROOTS[old], proof),
        (old, old, TREE_ROOTS[old], TREE_ROOTS[old], proof),
        *((old, new, TREE_ROOTS[old], TREE_ROOTS[new], proof[:short]) for short in range(len(proof))),
        *(
            (old, new, TREE_ROOTS[old], TREE_ROOTS[new], [*proof[:at], bytes(32), *proof[at + 1 :]])
            for at in range(len(proof))
        ),
    ]
    for claim in claims:
        with pytest.raises(ProofError):
            verify_consistency(*claim)


def test_trees_of_one_size_are_the_same_tree_or_not_consistent() -> None:
    verify_consistency(7, 7, TREE_ROOTS[7], TREE_ROOTS[7], [])
    with pytest.raises(ProofError):
        verify_consistency(7, 7, TREE_ROOTS[7], TREE_ROOTS[8], [])
    with pytest.raises(ProofError):
        verify_consistency(0, 7, TREE_ROOTS[1], TREE_ROOTS[7], [])
    assert TREE_ROOTS[0] == EMPTY_ROOT


@pytest.mark.parametrize("place", [(8, 8), (-1, 8), (0, 0)])
def test_a_leaf_that_is_not_there_has_no_proof(place: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(*place, NODE)


def test_a_larger_tree_has_no_proof_of_a_smaller_one() -> None:
    with pytest.raises(ValueError, match="never one of 9"):
        consistency_proof(9, 8, NODE)
