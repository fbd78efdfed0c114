"""Where the virtual factory takes keys and serial numbers from: the system's randomness, or a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

RandomSource = Callable[[int], bytes]
"""Returns that many random bytes."""

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""FIPS 186-4, D.1.2.3."""

_LABEL = b"hri virtual factory"


def seeded(seed: bytes, purpose: str) -> RandomSource:
    """Return a source that gives the same bytes in the same order for a seed and a purpose.

    What comes of it is as secret as the seed; it is for tests that want the same chip again.
    """
    prefix = b"\0".join((_LABEL, purpose.encode(), hashlib.sha256(seed).digest()))
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(prefix + drawn.to_bytes(8, "big")).digest(size)

    return draw


def draw_scalar(random: RandomSource) -> int:
    """Return a P-256 private key, 1 to n - 1, without measurable bias (FIPS 186-4, B.4.1)."""
    return int.from_bytes(random(40), "big") % (P256_ORDER - 1) + 1
