"""Asking before something that cannot be undone."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hri.errors import PolicyRefusal

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal.")]


def confirm(question: str, *, yes: bool) -> None:
    """Ask at a terminal before something that cannot be undone; raises PolicyRefusal for a no."""
    if yes or not sys.stdin.isatty():
        return
    if not typer.confirm(question, err=True):
        raise PolicyRefusal("not-confirmed", "nothing was changed", "answer y, or give --yes")
