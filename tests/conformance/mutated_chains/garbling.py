"""Bytes of what is presented changed, cut, doubled, or made to announce more than there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from hri.verify.path import OcspEvidence

from .world import Presented

_HUGE_LENGTHS = tuple(
    bytes.fromhex(one) for one in ("847fffffff", "84ffffffff", "88ffffffffffffffff", "80", "ff")
)


def garbled(presented: Presented, random: Random) -> Presented:
    """Garble one of the certificates, lists or responses."""
    parts = ["leaf", "chain", "crls", *(["ocsp"] if presented.ocsp else [])]
    part = random.choice(parts)
    if part == "leaf":
        return replace(presented, leaf=_garble(presented.leaf, random))
    if part == "ocsp":
        (one,) = presented.ocsp
        return replace(presented, ocsp=[OcspEvidence(_garble(one.der, random), one.nonce)])
    given = list(getattr(presented, part))
    place = random.randrange(len(given))
    given[place] = _garble(given[place], random)
    return replace(presented, **{part: given})


def _garble(der: bytes, random: Random) -> bytes:
    while True:
        changed = random.choice(_WAYS)(der, random)
        if changed != der:
            return changed


def _flip(der: bytes, random: Random) -> bytes:
    place = random.randrange(len(der))
    return der[:place] + bytes([der[place] ^ 1 << random.randrange(8)]) + der[place + 1 :]


def _overwrite(der: bytes, random: Random) -> bytes:
    place = random.randrange(len(der))
    return der[:place] + random.randbytes(random.randint(1, 8)) + der[place + 1 :]


def _cut(der: bytes, random: Random) -> bytes:
    return der[: random.randrange(len(der))]


def _append(der: bytes, random: Random) -> bytes:
    return der + random.randbytes(random.randint(1, 64))


def _leave_out(der: bytes, random: Random) -> bytes:
    start = random.randrange(len(der))
    return der[:start] + der[start + random.randint(1, 40) :]


def _double(der: bytes, random: Random) -> bytes:
    start = random.randrange(len(der))
    span = der[start : start + random.randint(1, 40)]
    return der[:start] + span + der[start:]


def _announce(der: bytes, random: Random) -> bytes:
    place = random.randrange(1, len(der))
    return der[:place] + random.choice(_HUGE_LENGTHS) + der[place + 1 :]


def _nest(der: bytes, random: Random) -> bytes:
    place = random.randrange(len(der))
    return der[:place] + bytes([0x30, 0x80]) * random.randint(100, 4000) + der[place:]


def _bloat(der: bytes, random: Random) -> bytes:
    return der + bytes(random.randint(20_000, 80_000))


_WAYS: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(_flip, _flip, _flip, _overwrite, _cut, _append),
    *(_leave_out, _double, _announce, _nest, _bloat),
)
