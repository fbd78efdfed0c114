"""What a report says, as one JSON document (docs/testing.md has its members)."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

FORMAT = "hri-hil-report/1"
DOCUMENT, PAGE, JUNIT, SIGNATURE = "report.json", "report.html", "junit.xml", "report.json.sig"
"""The files of a report."""

OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
_GIT_DEADLINE_S = 10


@dataclass
class Test:
    """One test. `boards` are the ids of those it used; `bus`, `board_ms` and `faults` sum over them."""

    __test__ = False

    id: str
    outcome: str = "passed"
    duration_s: float = 0.0
    boards: list[str] = field(default_factory=list)
    bus: dict[str, int] = field(default_factory=dict)
    board_ms: float | None = None
    faults: list[str] = field(default_factory=list)
    reason: str | None = None
    failure: str | None = None
    output: str | None = None


def project_of(folder: Path) -> dict[str, Any]:
    """Return the folder, its git commit, and whether files were changed since; None where there is no git."""
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {
        "folder": str(folder),
        "commit": commit or None,
        "changed": None if changes is None else bool(changes),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_GIT_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def document(
    *,
    begun: datetime,
    ended: datetime,
    folder: Path,
    command: Sequence[str],
    ending: str,
    boards: Iterable[dict[str, Any]],
    tests: Iterable[Test],
) -> dict[str, Any]:
    """Return the report without its `files` and `signer`. Times are aware; `ending` is how pytest ended."""
    every = list(tests)
    return {
        "format": FORMAT,
        "begun": begun.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "ending": ending,
        "host": {
            "name": platform.node(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "hri": metadata.version("hri"),
        },
        "project": project_of(folder),
        "command": ["pytest", *command],
        "totals": {
            **{outcome: sum(test.outcome == outcome for test in every) for outcome in OUTCOMES},
            "tests": len(every),
            "duration_s": round(sum(test.duration_s for test in every), 3),
        },
        "boards": list(boards),
        "tests": [asdict(test) for test in every],
    }
