"""What does not fit, found by a check that goes on to look for more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit: a stable code, and where and what in words."""

    code: str
    detail: str
