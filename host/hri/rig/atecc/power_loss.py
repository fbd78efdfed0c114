"""What an EEPROM holds when the supply fails while it is being written.

Assumed: a change is programmed byte by byte in the order of the zones (configuration, OTP, slots) and of the
addresses, bytes that stay as they are not being programmed at all; a byte interrupted has some of its bits
new and some old.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from hri.rig.atecc.eeprom import CONFIG_SIZE, OTP_SIZE, SLOT_SIZES, Snapshot


class PowerLost(Exception):
    """The supply failed amid a command; the EEPROM is torn and stored so."""


@dataclass(frozen=True, slots=True)
class Tear:
    """The supply fails once ``after`` changed bytes are written; ``seed`` decides the next one's bits."""

    after: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.after < 0:
            raise ValueError(f"a torn write needs a count of whole bytes from 0 up, not {self.after}")

    def torn(self, old: Snapshot, new: Snapshot) -> Snapshot | None:
        """Return the EEPROM between ``old`` and ``new``, None where they are the same."""
        before, wanted = _flat(old), _flat(new)
        changed = [at for at, value in enumerate(before) if value != wanted[at]]
        if not changed:
            return None
        held = bytearray(before)
        for at in changed[: self.after]:
            held[at] = wanted[at]
        for at in changed[self.after : self.after + 1]:
            programmed = random.Random(self.seed).getrandbits(8)  # noqa: S311 - a fault, not a secret
            held[at] ^= (before[at] ^ wanted[at]) & programmed
        return _unflat(bytes(held))


def _flat(snapshot: Snapshot) -> bytes:
    return snapshot.config + snapshot.otp + b"".join(snapshot.slots)


def _unflat(content: bytes) -> Snapshot:
    slots, at = [], CONFIG_SIZE + OTP_SIZE
    for size in SLOT_SIZES:
        slots.append(content[at : at + size])
        at += size
    return Snapshot(content[:CONFIG_SIZE], content[CONFIG_SIZE : CONFIG_SIZE + OTP_SIZE], tuple(slots))
