"""`hri rig replay`: a recorded chip, for a driver that is to do what was recorded."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from hri.cli.output import Output
from hri.cli.rig_serving import address, say, stoppable
from hri.cli.rig_trace import traces_explained
from hri.cli.state import state_of
from hri.errors import ConfigurationError

if TYPE_CHECKING:
    from hri.rig.trace.replay import ReplayTarget

# The driver is to have its last answer before the connection goes.
_LAST_ANSWER_S = 0.5
_POLL_S = 0.1


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A trace, or an analyser's I2C export.")],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:0",
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, metavar="SECONDS", help="Wait no longer for the driver.")
    ] = None,
    chip_address: Annotated[
        str | None, typer.Option(metavar="HEX", help="Which chip of the trace (default: the busiest).")
    ] = None,
    sample_rate: Annotated[
        float | None, typer.Option(metavar="HZ", min=1, help="Samples a second of a sigrok export.")
    ] = None,
) -> int:
    """Answer a driver on I2C over TCP as a chip was recorded to; status 1 where the driver does otherwise."""
    output = state_of(context).output
    host, port = address(listen)
    with traces_explained(), stoppable() as stop:
        from hri.rig.bus import Bus
        from hri.rig.bus_server import BusServer
        from hri.rig.trace.replay import ReplayTarget
        from hri.rig.trace.script import script_of
        from hri.rig.trace.sources import opened

        with opened(file, sample_rate=sample_rate) as source:
            target = ReplayTarget(script_of(source.transactions, _address(chip_address)))
        with BusServer(Bus([target]), host, port) as server:
            where = f"{server.address[0]}:{server.address[1]}"
            chip, commands = f"{target.script.address:02x}", target.script.commands
            say(output, {"listen": where, "address": chip, "commands": commands}, where)
            _wait(target.over, stop, seconds)
            if target.over.is_set():
                stop.wait(_LAST_ANSWER_S)
    return _verdict(output, target)


def _wait(over: Event, stop: Event, seconds: float | None) -> None:
    """Wait until the trace is over, a signal or Ctrl-C stops it, or the time is up."""
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while not stop.is_set() and (end is None or time.monotonic() < end):
            if over.wait(_POLL_S):
                return
    except KeyboardInterrupt:
        stop.set()


def _verdict(output: Output, target: ReplayTarget) -> int:
    divergence, total = target.divergence, target.script.commands
    document = {
        "followed": target.finished,
        "commands": target.followed,
        "of": total,
        "divergence": None if divergence is None else divergence.as_dict() | {"words": divergence.words},
        "due": None if target.finished or divergence else target.due,
    }
    if divergence is not None:
        output.result(document, f"the driver diverged at {divergence.words}")
    elif not target.finished:
        output.result(
            document, f"the driver stopped after {target.followed} of {total} commands; next is {target.due}"
        )
    else:
        output.result(document, f"the driver followed all {total} commands")
    return 0 if target.finished else 1


def _address(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = int(text, 16)
    except ValueError:
        found = 0
    if not 0 < found <= 0x7F:
        raise ConfigurationError("usage", f"{text!r} is no chip's address", "write 60, from 01 to 7f")
    return found
