"""The IO-protection key: what it hides on the bus, and when an output must be hidden.

Sources: the vendor's public host-side calculations (H); public 608 variant pages, "ECDH" (O).
"""

from __future__ import annotations

from hri.rig.atecc.core import Core, sha256, xor
from hri.rig.atecc.eeprom import IO_KEY_ENABLED
from hri.rig.atecc.refusal import require

ECDH_PROTECTION, KDF_PROTECTION = 8, 10
"""Where ChipOptions holds two bits: 0 as the mode says, 1 always encrypted (O), 2 and 3 none (assumed)."""


def io_key(core: Core) -> bytes:
    """Return the IO-protection key, 32 bytes; refuses where ChipOptions does not enable it (H)."""
    options = core.eeprom.chip_options
    require(options & IO_KEY_ENABLED and not core.eeprom.policy(options >> 12).is_private)
    return bytes(core.eeprom.slots[options >> 12][:32])


def output_encrypted(core: Core, asked: bool, field: int) -> bool:
    """Return whether a secret may only go out encrypted; refuses where it may not, or cannot, go out."""
    protection = core.eeprom.chip_options >> field & 3
    require(protection <= 1)
    if not asked and protection == 0:
        return False
    io_key(core)
    return True


def protected(core: Core, secret: bytes) -> bytes:
    """Return ``secret`` (32 or 64 bytes) as it goes out under the IO-protection key, then OutNonce (H)."""
    key, nonce = io_key(core), core.random(32)
    return xor(secret, sha256(key, nonce[:16]) + sha256(key, nonce[16:])) + nonce
