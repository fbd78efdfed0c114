"""The trace option of `hri rig`: what is recorded of a bus while it is served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hri.cli.output import Output
from hri.cli.rig_faults import Wired

if TYPE_CHECKING:
    from hri.boards.description import Virtual
    from hri.rig.trace import Header

TraceOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Records what goes over the bus, for `hri rig trace FILE`."),
]


def header_of(chip: str, board: str | None = None, virtual: Virtual | None = None) -> Header:
    """Return what a trace of this chip on this board says of itself."""
    from hri.rig.trace import Header

    # The emulated boards give every bit its time; the unix port and TCP clients give none.
    timed = virtual is not None and virtual.runtime != "unix"
    return Header(chip, board, "board" if timed else "host")


@contextmanager
def recording(output: Output, wired: Wired, path: Path | None, header: Header) -> Iterator[None]:
    """Record the bus to ``path`` as long as it is served; None records nothing."""
    if path is None:
        yield
        return
    from hri.rig.trace import recording as recording_to

    with recording_to(wired.bus, path, header, wires=wired.wires) as recorder:
        wired.said["trace"] = str(path)
        yield
    if recorder.failure is not None:
        output.warning(f"the trace ends after {recorder.count} transactions: {recorder.failure.strerror}")
