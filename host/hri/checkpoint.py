"""Checkpoints: how long a log is and what it hashes to, signed (C2SP tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from hri.signed_note import NoteError, NoteOpener, NoteSigner


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log's name, its number of entries, and its hash (32 bytes): root of a tree, or head of a chain."""

    origin: str
    size: int
    digest: bytes

    def signed(self, signer: NoteSigner) -> str:
        """Return the checkpoint as a signed note."""
        encoded = base64.b64encode(self.digest).decode()
        return signer.sign(f"{self.origin}\n{self.size}\n{encoded}\n")

    @classmethod
    def opened(cls, note: str, opener: NoteOpener) -> Checkpoint:
        """Read a checkpoint that the key of `opener` signed, of the log of its name. Raises NoteError."""
        lines = opener.open(note).split("\n")
        if len(lines) != 4 or lines[0] != opener.name:
            # Extension lines are refused: nothing here signs any, and no monitor could check them.
            raise NoteError(f"this is no checkpoint of {opener.name}")
        try:
            found = cls(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True))
        except (ValueError, binascii.Error) as error:
            raise NoteError("the checkpoint is malformed") from error
        if str(found.size) != lines[1] or found.size < 0 or len(found.digest) != 32:
            raise NoteError("the checkpoint is malformed")
        return found
