"""A public key as a data slot of the chip holds it: 4 zeros, X, 4 zeros, Y (5, section "Key Formatting")."""

from __future__ import annotations

from .errors import CompressedError

PUBLIC_KEY_SLOT_SIZE = 72
_PAD = bytes(4)


def pad_public_key(public_key: bytes) -> bytes:
    """Return the 72 bytes of a slot for a key of 64 bytes (X ‖ Y); raises ValueError for another length."""
    if len(public_key) != 64:
        raise ValueError("a P-256 public key has 64 bytes")
    return _PAD + public_key[:32] + _PAD + public_key[32:]


def unpad_public_key(slot: bytes) -> bytes:
    """Return the key, 64 bytes (X ‖ Y), of a slot's 72; raises CompressedError where the padding is not zero.

    A chip sets the top four bits of a key that it has validated (5, "Verify"): they are no part of the key.
    """
    if len(slot) != PUBLIC_KEY_SLOT_SIZE:
        raise _no_key(f"{len(slot)} bytes are not the 72 of a public key slot")
    if slot[0] & 0x0F or slot[1:4] != _PAD[1:] or slot[36:40] != _PAD:
        raise _no_key("the slot holds no padded public key")
    return slot[4:36] + slot[40:72]


def _no_key(message: str) -> CompressedError:
    return CompressedError("no-public-key", message, "look at the chip with `hri chip info`")
