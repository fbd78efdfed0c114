"""Checkpoints that vouch for a log: its own, and those that somebody kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hri.checkpoint import Checkpoint
from hri.finding import Finding
from hri.registry import LogHead
from hri.signed_note import NoteError, NoteVerifier


@dataclass(frozen=True, slots=True)
class Vouched:
    """The checkpoints whose signatures hold, and what is to be said of the others.

    `signed` is how many entries this log's own checkpoint covers, None where it has none that holds.
    """

    checkpoints: tuple[Checkpoint, ...]
    signed: int | None
    findings: tuple[Finding, ...]


def vouched(head: LogHead, verifier: NoteVerifier | None, kept: Sequence[str]) -> Vouched:
    """Check the log's own checkpoint and the `kept` ones (signed notes) under the log's key.

    Without a key nothing vouches for a log, and one that has entries says so.
    """
    if verifier is None:
        unsigned = (Finding("unsigned", f"{head.size} entries, and the home has no key that signs them"),)
        return Vouched((), None, unsigned if head.size or kept else ())
    found: list[Checkpoint] = []
    findings: list[Finding] = []
    signed = None
    if head.checkpoint is None:
        if head.size:
            findings.append(Finding("unsigned", f"{head.size} entries, and no checkpoint of them"))
    else:
        try:
            own = Checkpoint.opened(head.checkpoint, verifier)
            signed = own.size
            found.append(own)
        except NoteError as error:
            findings.append(Finding("unsigned", f"the log's own checkpoint does not hold: {error}"))
    for note in kept:
        try:
            found.append(Checkpoint.opened(note, verifier))
        except NoteError as error:
            findings.append(Finding("checkpoint", f"the checkpoint kept elsewhere does not hold: {error}"))
    return Vouched(tuple(found), signed, tuple(findings))
