"""What the chip would lose without power, shown at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Volatile:
    """The buffers' states and the flags; no secret is among them."""

    temp_key_valid: bool
    temp_key_length: int
    """32 or 64; 0 while not valid."""
    source_flag: int
    """0 random, 1 input."""
    key_id: int
    gen_dig_data: bool
    gen_key_data: bool
    no_mac_flag: bool
    message_digest_length: int
    """0 (nothing there), 32 or 64."""
    alternate_key: bool
    authorized_key: int | None
    """The slot that a CheckMac has authorised for ReqAuth."""
    persistent_latch: bool
    volatile_key_permitted: bool
    failed_self_tests: int
    """Bit map as SelfTest answers it."""
    sha_context: int
    """0 none, 1 SHA-256 under way, 2 HMAC under way."""
