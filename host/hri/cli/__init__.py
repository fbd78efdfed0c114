"""The command line: the only code of `hri` that prints or exits."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done or trusted, 1 a check said no, 2 wrong usage, 3 something failed."""
    from hri.cli.app import run

    raise SystemExit(run(arguments))
