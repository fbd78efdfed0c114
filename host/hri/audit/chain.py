"""Is the audit log whole? Every entry against the one before it, and the end against what was signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hri.audit.entry import BEGINNING, Entry, digest
from hri.checkpoint import Checkpoint
from hri.finding import Finding


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it is kept: its encoding, and the columns by which it is found."""

    number: int
    at: int
    act: str
    subject: str | None
    entry: bytes


def check_chain(
    stored: Iterable[StoredEntry], checkpoints: Sequence[Checkpoint], head: tuple[int, bytes]
) -> Iterator[Finding]:
    """Report what was edited, removed or reordered in `stored`, which is all entries in order of number.

    `head` is the recorded length and last hash; `checkpoints` are verified ones, of here or from elsewhere.
    Entries behind the newest checkpoint are chained only: who may write the database can have replaced them.
    """
    sizes = {checkpoint.size for checkpoint in checkpoints}
    count, before = 0, BEGINNING
    for row in stored:
        if count in sizes:
            yield from _against(checkpoints, count, before)
        if row.number != count:
            yield Finding("missing", f"entry {row.number} stands where entry {count} should")
        yield from _check_row(row, before)
        count, before = row.number + 1, digest(row.entry)
    if count in sizes:
        yield from _against(checkpoints, count, before)
    if head != (count, before):
        yield Finding("head", f"the end after {count} entries is not the recorded end after {head[0]}")
    for checkpoint in checkpoints:
        if checkpoint.size > count:
            yield Finding(
                "truncated", f"a checkpoint of {checkpoint.size} entries was signed, there are {count}"
            )


def _against(checkpoints: Sequence[Checkpoint], count: int, before: bytes) -> Iterator[Finding]:
    if any(one.size == count and one.digest != before for one in checkpoints):
        yield Finding("rewritten", f"the first {count} entries are not those of a signed checkpoint")


def _check_row(row: StoredEntry, before: bytes) -> Iterator[Finding]:
    try:
        entry = Entry.from_bytes(row.entry)
    except ValueError:
        yield Finding("edited", f"entry {row.number} is malformed")
        return
    if entry.before != before:
        yield Finding("broken", f"entry {row.number} does not follow the one that is before it")
    found = (entry.number, entry.at, entry.act.act, entry.act.subject)
    if found != (row.number, row.at, row.act, row.subject):
        yield Finding("edited", f"entry {row.number} is not what its columns say")
