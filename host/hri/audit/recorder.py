"""Who acts, and the keys that are open while they do."""

from __future__ import annotations

from dataclasses import dataclass

from hri.signed_note import NoteSigner


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The signers of the two logs' checkpoints."""

    certificates: NoteSigner
    audit: NoteSigner


@dataclass(frozen=True, slots=True)
class Recorder:
    """The actor that entries name, `user@host` or an API identity, and the keys where they are open.

    Without them entries are chained and are signed over by the next act of somebody who has them.
    """

    actor: str
    keys: LogKeys | None = None


NOBODY = Recorder("unnamed")
"""For callers that have no one to name."""
