"""What a run of the command line left: its exit status, and what it said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What `--json` put on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """What `--json` put on standard error, in its last line."""
        return json.loads(self.err.strip().splitlines()[-1])["error"]
