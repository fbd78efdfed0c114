"""Merkle tree hashes and proofs of RFC 6962 section 2.1 over SHA-256, from stored nodes.

D[n] are the leaves. A node is named by its height and its index at that height: it is the hash of the
2**height leaves from index * 2**height on. Whoever keeps the nodes hands in a `Node`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Node = Callable[[int, int], bytes]
"""(height, index) -> the hash of a perfect subtree, 32 bytes."""


class ProofError(ValueError):
    """A proof does not lead from what is known to what is claimed."""


def leaf_hash(entry: bytes) -> bytes:
    """Return MTH({entry}) = SHA-256(00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def perfect_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a perfect subtree from those below it: a power of two of them, one height all."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def tree_hash(begin: int, end: int, node: Node) -> bytes:
    """Return MTH(D[begin:end]); `begin` is a multiple of a power of two that is not below the width."""
    if begin == end:
        return EMPTY_ROOT
    # The widths of the perfect subtrees are the set bits; the smallest, on the right, is deepest.
    result = b""
    width = end - begin
    while width:
        height = (width & -width).bit_length() - 1
        end -= 1 << height
        found = node(height, end >> height)
        result = node_hash(found, result) if result else found
        width &= width - 1
    return result


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return PATH(index, D[size]) (RFC 6962 section 2.1.1), the deepest hash first.

    Raises ValueError where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    begin, end, path = 0, size, []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(tree_hash(middle, end, node))
            end = middle
        else:
            path.append(tree_hash(begin, middle, node))
            begin = middle
    return path[::-1]


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """Return PROOF(old, D[new]) (RFC 6962 section 2.1.2); nothing for equal sizes or from the empty tree.

    Raises ValueError where the older tree is the larger one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves was never one of {old}")
    if old in (0, new):
        return []
    begin, end, path = 0, new, []
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(tree_hash(middle, end, node))
            end = middle
        else:
            path.append(tree_hash(begin, middle, node))
            begin = middle
    if begin:
        # The older tree's own root is known to who asks only where it is a whole left side.
        path.append(tree_hash(begin, end, node))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `leaf` (a leaf hash) is leaf `index` of the tree with `root` (RFC 9162 section 2.1.3.2).

    Raises ProofError.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    position, last, result = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if position & 1 or position == last:
            result = node_hash(step, result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, step)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if result != root:
        raise ProofError(f"leaf {index} is not in the tree")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162 section 2.1.4.2).

    Raises ProofError.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves was never one of {old}")
    if old in (0, new):
        if proof or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofError(
                "the roots of trees of one size differ, or a proof is given where none is needed"
            )
        return
    steps = list(proof) if old & (old - 1) else [old_root, *proof]
    if not steps:
        raise ProofError("the proof is empty")
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    older = newer = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if position & 1 or position == last:
            older, newer = node_hash(step, older), node_hash(step, newer)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            newer = node_hash(newer, step)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if older != old_root or newer != new_root:
        raise ProofError(f"the tree of {new} leaves does not begin with the tree of {old}")


def _split(width: int) -> int:
    """Return the largest power of two smaller than `width`, at least 2."""
    return 1 << ((width - 1).bit_length() - 1)
