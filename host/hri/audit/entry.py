"""One entry of the audit log: an act, bound to its place and to everything before it.

Deterministic CBOR (RFC 8949 section 4.2.1) of
[ "hri/1 audit", number, hash before (32), µs since 1970, actor, act, subject, outcome, reason, details ].
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2

_LABEL = "hri/1 audit"
# cbor2 sorts map keys by length first (RFC 7049); below this length that is the order of RFC 8949 too.
_KEY_BYTES = 23
BEGINNING = bytes(32)
"""What stands for the hash before the first entry."""

DONE, REFUSED, FAILED, INTENT = "done", "refused", "failed", "intent"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did, or tried.

    `subject` is what it was done to, a device id mostly; `outcome` is done, refused, failed or intent;
    `reason` is why, or the code of the refusal. `details` are JSON-like values and hold no secret.
    """

    act: str
    subject: str | None = None
    outcome: str = DONE
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """An act at its place: its number from 0, the hash before it, when (µs since 1970), by whom."""

    number: int
    before: bytes
    at: int
    actor: str
    act: Act

    def to_bytes(self) -> bytes:
        """Return the encoding, which is hashed and kept. Raises ValueError for too long a key in details."""
        act = self.act
        details = dict(act.details)
        if not _short_keys(details):
            raise ValueError(f"the keys of an act's details have at most {_KEY_BYTES} ASCII characters")
        return cbor2.dumps(
            [
                _LABEL,
                self.number,
                self.before,
                self.at,
                self.actor,
                act.act,
                act.subject,
                act.outcome,
                act.reason,
                details,
            ],
            canonical=True,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Read an entry. Raises ValueError for anything else than `to_bytes` makes."""
        try:
            label, number, before, at, actor, name, subject, outcome, reason, details = cbor2.loads(data)
            entry = cls(number, before, at, actor, Act(name, subject, outcome, reason, details))
            canonical = entry.to_bytes()
        except Exception as error:
            # Whatever a decoder makes of bytes that somebody changed.
            raise ValueError("this is no entry of the audit log") from error
        if label != _LABEL or canonical != data:
            raise ValueError("this is no entry of the audit log")
        return entry


def digest(entry: bytes) -> bytes:
    """Return the hash of an encoded entry, which the next one holds."""
    return hashlib.sha256(entry).digest()


def _short_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(len(name) <= _KEY_BYTES and name.isascii() for name in value) and all(
            _short_keys(inner) for inner in value.values() if isinstance(inner, dict | list)
        )
    return all(_short_keys(inner) for inner in value if isinstance(inner, dict | list))
