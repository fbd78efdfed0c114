"""The report as one page: no script, no file beside it, to be read, printed and kept."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jinja2

from hri.printable import printable


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hri.testing.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Whatever is printed may be a board's own words: what would command a terminal or turn text round is
        # shown as an escape, and then autoescape does the rest.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["seconds"] = _seconds
    return environment.get_template("page.html.j2")


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 100 else f"{value:.2f} s"


def page(report: Mapping[str, Any], signer: str | None) -> str:
    """Return the HTML of a report; `signer` is the SHA-256 of the signer's SPKI, None for an unsigned one."""
    boards = {board["id"]: board for board in report["boards"]}
    return _template().render(report=report, boards=boards, signer=signer)
