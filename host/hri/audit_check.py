"""Is the audit log whole, as far as that can be known here and from checkpoints kept elsewhere?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from hri.audit.chain import check_chain
from hri.finding import Finding
from hri.outside_checkpoints import vouched
from hri.registry import Registry
from hri.signed_note import NoteVerifier


@dataclass(frozen=True, slots=True)
class AuditReport:
    """How many entries there are, how many of them are signed over, and what does not fit."""

    size: int
    signed: int
    findings: tuple[Finding, ...]


def verify_audit(registry: Registry, verifier: NoteVerifier | None, kept: Sequence[str] = ()) -> AuditReport:
    """Check every entry, the chain and the checkpoints (docs/log.md says what is found against whom).

    Entries that are added meanwhile are not looked at. Raises StorageError.
    """
    head = registry.audit_head()
    trusted = vouched(head, verifier, kept)
    rows = takewhile(lambda row: row.number < head.size, registry.audit_entries())
    findings = [*trusted.findings, *check_chain(rows, trusted.checkpoints, (head.size, head.digest))]
    end = registry.audit_end()
    # What was added since was recorded in the head with it.
    if end > registry.audit_head().size:
        findings.append(Finding("head", f"there are entries up to {end - 1} behind the recorded end"))
    return AuditReport(head.size, trusted.signed or 0, tuple(findings))
