"""Is the Merkle log whole: certificates, tiles, tree head and checkpoints against each other?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hri.checkpoint import Checkpoint
from hri.finding import Finding
from hri.outside_checkpoints import vouched
from hri.registry import LogHead, Registry
from hri.signed_note import NoteVerifier
from hri.transparency.merkle import HASH_BYTES, leaf_hash
from hri.transparency.tiles import WIDTH, grown, root_of

_PAGE = 4 * WIDTH
_Tiles = dict[tuple[int, int], bytes]


@dataclass(frozen=True, slots=True)
class LogReport:
    """The tree's size and root, how many certificates wait, and what does not fit."""

    size: int
    root: bytes
    pending: int
    findings: tuple[Finding, ...]


def verify_log(registry: Registry, verifier: NoteVerifier | None, kept: Sequence[str] = ()) -> LogReport:
    """Compute the whole tree again from the certificates (docs/log.md says what is found against whom).

    Raises StorageError.
    """
    head = registry.log_head()
    trusted = vouched(head, verifier, kept)
    findings = list(trusted.findings)
    if trusted.signed is not None and trusted.signed != head.size:
        findings.append(Finding("unsigned", f"{head.size} entries, and {trusted.signed} are signed over"))
    tiles: _Tiles = {}
    findings += _leaves(registry, head, tiles)
    findings += _against_kept(registry, tiles, head)
    begin, end = registry.log_index_range()
    # What the sequencer added meanwhile is recorded in the head that it left.
    if begin < 0 or end > registry.log_head().size:
        findings.append(Finding("head", f"entries {begin} to {end - 1} reach beyond the recorded tree"))
    findings += _roots(head, tiles, trusted.checkpoints)
    return LogReport(head.size, head.digest, len(registry.pending()), tuple(findings))


def _leaves(registry: Registry, head: LogHead, tiles: _Tiles) -> Iterator[Finding]:
    """Go through the certificates in the log's order, and build in `tiles` what they lead to."""
    for begin in range(0, head.size, _PAGE):
        end = min(begin + _PAGE, head.size)
        found = {row.index: leaf_hash(row.leaf.to_bytes()) for row in registry.log_entries(begin, end)}
        for index in range(begin, end):
            if index not in found:
                yield Finding("missing", f"no certificate has the place {index}")
        # Something has to stand there for the rest to be compared.
        hashes = [found.get(index, bytes(HASH_BYTES)) for index in range(begin, end)]
        tiles.update(grown(begin, hashes, lambda level, index: tiles.get((level, index), b"")))


def _against_kept(registry: Registry, tiles: _Tiles, head: LogHead) -> Iterator[Finding]:
    left = dict(tiles)
    odd: list[tuple[int, int, bytes, bytes]] = []
    for level, index, kept in registry.log_tiles():
        expected = left.pop((level, index), b"")
        if kept != expected:
            odd.append((level, index, kept, expected))
    grew = registry.log_head().size > head.size
    for level, index, kept, expected in odd:
        if grew and kept.startswith(expected):
            continue
        if level == 0:
            differing = ", ".join(map(str, _differing(index * WIDTH, kept, expected)))
            yield Finding("edited", f"the certificates at {differing} are not those that were logged there")
        else:
            yield Finding("tile", f"tile {level}/{index} is not what the certificates lead to")
    for level, index in left:
        yield Finding("tile", f"tile {level}/{index} is missing")


def _differing(begin: int, kept: bytes, expected: bytes) -> Iterator[int]:
    for at in range(0, max(len(kept), len(expected)), HASH_BYTES):
        if kept[at : at + HASH_BYTES] != expected[at : at + HASH_BYTES]:
            yield begin + at // HASH_BYTES


def _roots(head: LogHead, tiles: _Tiles, checkpoints: Sequence[Checkpoint]) -> Iterator[Finding]:
    def root(size: int) -> bytes:
        return root_of(size, lambda level, index: tiles.get((level, index), b""))

    if root(head.size) != head.digest:
        yield Finding("head", f"the {head.size} certificates do not lead to the recorded tree head")
    for checkpoint in checkpoints:
        if checkpoint.size > head.size:
            yield Finding(
                "truncated", f"a checkpoint of {checkpoint.size} entries was signed, there are {head.size}"
            )
        elif root(checkpoint.size) != checkpoint.digest:
            yield Finding(
                "rewritten", f"the first {checkpoint.size} entries are not those of a signed checkpoint"
            )
