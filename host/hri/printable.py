"""Text from a device, made harmless to read."""

from __future__ import annotations

import re

_COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return text, which a device may have written, without what would command a terminal.

    Control characters (but new lines and tabs) and marks of writing direction are shown as escapes.
    """
    return _COMMANDING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
