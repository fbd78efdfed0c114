"""SHA-256 and HMAC whose state can leave the chip and return, as hashlib's cannot (FIPS 180-4, 198-1)."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from math import isqrt

_BLOCK = 64
_WORD = 0xFFFFFFFF


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _cube_root(value: int) -> int:
    root = 1 << (value.bit_length() + 2) // 3
    while root**3 > value:
        root = (2 * root + value // root**2) // 3
    return root


# FIPS 180-4, 4.2.2 and 5.3.3: the first 32 bits of the fractional parts of cube and square roots of primes.
_K = tuple(_cube_root(prime << 96) & _WORD for prime in _primes(64))
_INITIAL = tuple(isqrt(prime << 64) & _WORD for prime in _primes(8))


def _rotate(word: int, by: int) -> int:
    return word >> by | word << (32 - by) & _WORD


def _compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    """Return the state after one 64-byte block (FIPS 180-4, 6.2.2)."""
    w = list(struct.unpack(">16L", block))
    for t in range(16, 64):
        low, high = w[t - 15], w[t - 2]
        sigma0 = _rotate(low, 7) ^ _rotate(low, 18) ^ low >> 3
        sigma1 = _rotate(high, 17) ^ _rotate(high, 19) ^ high >> 10
        w.append(sigma1 + w[t - 7] + sigma0 + w[t - 16] & _WORD)
    a, b, c, d, e, f, g, h = state
    for t in range(64):
        sum1 = _rotate(e, 6) ^ _rotate(e, 11) ^ _rotate(e, 25)
        first = h + sum1 + (e & f ^ ~e & g) + _K[t] + w[t]
        sum0 = _rotate(a, 2) ^ _rotate(a, 13) ^ _rotate(a, 22)
        second = sum0 + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = first + second & _WORD, a, b, c, d + first & _WORD, e, f, g
    return tuple(old + new & _WORD for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))


@dataclass(slots=True)
class Hash:
    """A digest under way; ``outer_key`` (64 bytes) where it is an HMAC, ``hashed_keys`` for X.509 formats.

    ``hashed_keys`` are slot and offset of each stored public key that went into the message.
    """

    state: tuple[int, ...] = _INITIAL
    length: int = 0
    pending: bytes = b""
    outer_key: bytes | None = None
    hashed_keys: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def hmac(cls, key: bytes) -> Hash:
        """Return an HMAC about to begin, for a key of at most 64 bytes."""
        padded = key.ljust(_BLOCK, b"\0")
        made = cls(outer_key=bytes(byte ^ 0x5C for byte in padded))
        made.update(bytes(byte ^ 0x36 for byte in padded))
        return made

    def update(self, data: bytes) -> None:
        """Take in more of the message."""
        self.length += len(data)
        data = self.pending + data
        whole = len(data) // _BLOCK * _BLOCK
        for at in range(0, whole, _BLOCK):
            self.state = _compress(self.state, data[at : at + _BLOCK])
        self.pending = data[whole:]

    def digest(self) -> bytes:
        """Return the 32-byte digest of what was taken in; the object goes on as it was."""
        copy = Hash(self.state, self.length, self.pending)
        copy.update(b"\x80" + bytes(-(self.length + 9) % _BLOCK) + struct.pack(">Q", 8 * self.length))
        inner = struct.pack(">8L", *copy.state)
        return inner if self.outer_key is None else hashlib.sha256(self.outer_key + inner).digest()

    def context(self) -> bytes:
        """Return the state as it leaves the chip: 40 bytes and those of an unfinished block.

        The length and that its low six bits give the size are public (O, "SHA - Context Switching"); the
        order is assumed: length (4, little-endian), four zeros, eight words (big-endian), unfinished block.
        """
        head = struct.pack("<LL", self.length & _WORD, 0)
        return head + struct.pack(">8L", *self.state) + self.pending

    @classmethod
    def from_context(cls, context: bytes) -> Hash:
        """Return the digest under way that :meth:`context` wrote; raises ValueError for anything else."""
        if len(context) < 40 or len(context) != 40 + (context[0] & 0x3F) or any(context[4:8]):
            raise ValueError("not a SHA context")
        return cls(struct.unpack(">8L", context[8:40]), int.from_bytes(context[:4], "little"), context[40:])
