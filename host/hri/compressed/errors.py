"""What cannot be put into 72 bytes, or cannot be made of them."""

from __future__ import annotations

from hri.errors import PolicyRefusal


class CompressedError(PolicyRefusal):
    """A certificate that does not fit the format, or 72 bytes that are no compressed certificate."""


def malformed(message: str) -> CompressedError:
    """Return the error for bytes that are no compressed certificate."""
    return CompressedError(
        "compressed-malformed",
        f"not a compressed certificate: {message}",
        "read the slot again; if it stays so, the chip holds none there",
    )
