"""What a check of a log found, said to people or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hri.cli.output import Output
from hri.finding import Finding

_SHOWN = 50


def give_findings(
    output: Output, findings: Sequence[Finding], document: Mapping[str, Any], words: str
) -> int:
    """Give what was found and return the exit status that goes with it: 0 nothing, 1 something."""
    listed = [{"code": finding.code, "detail": finding.detail} for finding in findings]
    if output.as_json:
        output.json({"whole": not findings, **document, "findings": listed})
    else:
        lines = [f"  {finding.code}: {finding.detail}" for finding in findings[:_SHOWN]]
        if len(findings) > _SHOWN:
            lines.append(f"  and {len(findings) - _SHOWN} more; --json has them all")
        verdict = "something does not fit" if findings else "whole"
        output.result({}, f"{verdict}: {words}" if words else verdict, *lines)
    return 1 if findings else 0
