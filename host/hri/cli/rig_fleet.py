"""`hri rig fleet`: many virtual boards at once, for load tests and production lines without hardware."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hri.cli.rig_chip import BoardChipOption
from hri.cli.rig_serving import explained, parsed_timing, stoppable, virtual_part
from hri.cli.state import state_of


def fleet(
    context: typer.Context,
    count: Annotated[int, typer.Option(min=1, max=2000, help="How many boards.")] = 10,
    board: Annotated[
        str, typer.Option(metavar="NAME", help="Which board; unix is by far the lightest.")
    ] = "unix",
    chip: BoardChipOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keeps chips and flashes for the next time (default: forget them)."),
    ] = None,
    timing: Annotated[
        str, typer.Option(help="Execution times of the chips: none, typical, max, or a factor of typical.")
    ] = "none",
) -> None:
    """Run many virtual boards, each with a chip and a port of its own; print them; stop with Ctrl-C."""
    output = state_of(context).output
    virtual_part(board)
    try:
        with explained(), stoppable() as stop, ExitStack() as stack:
            from hri.rig.fleet import Fleet

            kept = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hri-fleet-")))
            boards = stack.enter_context(
                Fleet(count, folder=kept, board=board, chip=chip, timing=parsed_timing(timing))
            )
            if output.as_json:
                output.json({"members": [asdict(member) for member in boards.members], "board": board})
            else:
                for member in boards.members:
                    output.raw(f"{member.name} {member.port} {member.serial_number}\n")
            stop.wait()
    except KeyboardInterrupt:
        return
