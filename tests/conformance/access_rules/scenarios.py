"""Random chips: configurations that somebody might lock, with a few bits turned.

Contents come from pools made once, so that a tester recognises them: secrets share no eight bytes with
anything that may be read, and private keys come with their public halves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from conformance.access_rules.knowledge import CURVE, ORDER
from conformance.access_rules.policy import SLOT_SIZES, encode_counter
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

OPEN, CONFIG_LOCKED, BOTH_LOCKED = range(3)


@dataclass(frozen=True, slots=True)
class Contents:
    """What slots are filled with: private scalars, their public points, secrets and readable data."""

    keys: tuple[ec.EllipticCurvePrivateKey, ...]
    scalars: tuple[bytes, ...]
    points: tuple[bytes, ...]
    secrets: tuple[bytes, ...]
    data: tuple[bytes, ...]


@lru_cache(maxsize=1)
def contents() -> Contents:
    """Return the pools, the same in every process."""
    rng = Random("contents of slots")  # noqa: S311 - a repeatable test
    numbers = [rng.randrange(1, ORDER) for _ in range(8)]
    keys = tuple(ec.derive_private_key(number, CURVE) for number in numbers)
    raw = [key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) for key in keys]
    return Contents(
        keys=keys,
        scalars=tuple(number.to_bytes(32, "big") for number in numbers),
        points=tuple(point[1:] for point in raw),
        secrets=tuple(rng.randbytes(416) for _ in range(8)),
        data=tuple(rng.randbytes(416) for _ in range(8)),
    )


@dataclass(frozen=True, slots=True)
class Scenario:
    """A chip as it comes out of the tray: EEPROM contents and how far it is locked."""

    config: bytes
    otp: bytes
    slots: tuple[bytes, ...]


# SlotConfig and KeyConfig, low byte first, of what people put into slots; key numbers are drawn later.
_PRIVATE = (
    (0x87, 0x20, 0x33, 0x00),
    (0x85, 0x20, 0x73, 0x00),
    (0x82, 0x00, 0x73, 0x00),
    (0x8F, 0x60, 0x33, 0x00),
)
_SECRET = (
    (0x80, 0x00, 0x3C, 0x00),
    (0x80, 0x40, 0x3C, 0x00),
    (0xC0, 0x40, 0x3C, 0x00),
    (0x90, 0x00, 0x3C, 0x00),
)
_DERIVED = ((0x80, 0x20, 0x3C, 0x00), (0x80, 0x30, 0x3C, 0x00), (0x80, 0xB0, 0x7C, 0x00))
_AES = ((0x80, 0x00, 0x38, 0x00), (0x80, 0x40, 0x38, 0x00))
_PUBLIC = (
    (0x00, 0x00, 0x30, 0x00),
    (0x00, 0x10, 0x32, 0x00),
    (0x00, 0x80, 0x32, 0x00),
    (0x00, 0x00, 0x72, 0x00),
)
_DATA = (
    (0x00, 0x00, 0x3C, 0x00),
    (0x00, 0x80, 0x1C, 0x00),
    (0x00, 0x40, 0x3C, 0x00),
    (0xC0, 0x00, 0x3C, 0x00),
)


def make_scenario(rng: Random) -> Scenario:
    """Return a random chip."""
    config = bytearray(128)
    config[0:16] = (
        b"\x01\x23" + rng.randbytes(2) + b"\x00\x00\x60\x03" + rng.randbytes(4) + b"\xee\x61\x01\x00"
    )
    config[13] = 0x60 | (rng.random() < 0.85)
    config[14] = 0x01
    config[16:20] = b"\xc0\x00\x00\x00"
    slots: list[bytes] = []
    for number in range(16):
        slots.append(_fill_slot(rng, config, number))
    _fill_options(rng, config, slots)
    _fill_counters(rng, config, slots)
    _fill_locks(rng, config)
    return Scenario(bytes(config), rng.choice(contents().data)[:64], tuple(slots))


def _fill_slot(rng: Random, config: bytearray, number: int) -> bytes:
    roll = rng.random()
    if number < 8:
        family = _PRIVATE if roll < 0.45 else _SECRET if roll < 0.7 else _DERIVED if roll < 0.8 else _AES
        family = _DATA if roll > 0.92 else family
    else:
        family = _PUBLIC if roll < 0.4 else _DATA if roll < 0.7 else _SECRET if roll < 0.85 else _AES
        family = _PRIVATE if roll > 0.97 else family
    slot_low, slot_high, key_low, key_high = rng.choice(family)
    if family is not _PRIVATE:
        slot_low |= rng.randrange(16)
    slot_high |= rng.randrange(16)
    policy = [slot_low, slot_high, key_low, key_high]
    if rng.random() < 0.12:
        policy[2] |= 0x80
        policy[3] |= rng.randrange(16)
    if rng.random() < 0.06:
        policy[3] |= 0x10
    if rng.random() < 0.08:
        policy[0] |= 0x20
    if rng.random() < 0.25:
        policy[rng.randrange(4)] ^= 1 << rng.randrange(8)
    config[20 + 2 * number : 22 + 2 * number] = bytes(policy[:2])
    config[96 + 2 * number : 98 + 2 * number] = bytes(policy[2:])
    return _content(rng, number, secret=bool(policy[0] & 0x80), key_low=policy[2])


def _content(rng: Random, number: int, *, secret: bool, key_low: int) -> bytes:
    pool, size = contents(), SLOT_SIZES[number]
    which = rng.randrange(8)
    if key_low & 1:
        body = bytes(4) + pool.scalars[which]
        return body + bytes(size - len(body))
    if key_low >> 2 & 7 == 4 and size == 72 and not secret:
        head = bytes((rng.choice((0x00, 0x50, 0xA0)), 0, 0, 0))
        return head + pool.points[which][:32] + bytes(4) + pool.points[which][32:]
    return (pool.secrets if secret else pool.data)[which][:size]


def _fill_options(rng: Random, config: bytearray, slots: list[bytes]) -> None:
    io_slot = rng.randrange(8)
    config[69] = 0x80 | rng.randrange(16) if rng.random() < 0.2 else 0
    if rng.random() < 0.5:
        boot = rng.choice((1, 2, 3, 3)) | rng.choice((0, 0x08, 0x10)) | rng.randrange(16) << 8
        key = rng.randrange(8, 16)
        boot |= key << 12
        if key > 8 and rng.random() < 0.8:
            config[20 + 2 * key : 22 + 2 * key] = b"\x00\x80"
            config[96 + 2 * key : 98 + 2 * key] = b"\x30\x00"
            slots[key] = _content(rng, key, secret=False, key_low=0x30)
        config[70:72] = boot.to_bytes(2, "little")
    options = rng.choice((0, 2, 6, 6)) | rng.choice((0, 0, 0x100, 0x500, 0xA00)) | io_slot << 12
    config[90:92] = options.to_bytes(2, "little")


def _fill_counters(rng: Random, config: bytearray, slots: list[bytes]) -> None:
    counts = [rng.choice((0, 0, 1, 31, 32, 64, rng.randrange(2_097_152), 2_097_151)) for _ in range(2)]
    config[52:60], config[60:68] = encode_counter(counts[0]), encode_counter(counts[1])
    if rng.random() < 0.2:
        number = rng.randrange(8, 16)
        config[18] = 0x01 | number << 4
        # A slot for the match that can be neither written nor mistaken for a key.
        config[20 + 2 * number : 22 + 2 * number] = b"\x00\x80"
        config[96 + 2 * number : 98 + 2 * number] = b"\x1c\x00"
        match = (rng.choice((32, 64, 96, 2_097_120))).to_bytes(4, "little")
        slots[number] = match + match + rng.choice(contents().data)[8 : SLOT_SIZES[number]]


def _fill_locks(rng: Random, config: bytearray) -> None:
    lock = rng.choices((OPEN, CONFIG_LOCKED, BOTH_LOCKED), (8, 22, 70))[0]
    config[84] = rng.choice((0, 0, 0x77))
    config[85] = rng.choice((0, 0, 0x6A))
    config[86] = 0x00 if lock == BOTH_LOCKED else 0x55
    config[87] = 0x55 if lock == OPEN else 0x00
    locked = 0xFFFF
    for _ in range(rng.choice((0, 0, 1, 3))):
        locked &= ~(1 << rng.randrange(16))
    config[88:90] = locked.to_bytes(2, "little")
