"""`hri rig`: virtual boards and virtual chips, for anybody's programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hri.cli.rig_chip import (
    BoardChipOption,
    ChipOption,
    ChipOrder,
    ChipSeedOption,
    FactoryOption,
    LogOption,
    ManifestOption,
    RootsOption,
    VariantsOption,
)
from hri.cli.rig_faults import ControlOption, FaultOption, SeedOption, Wiring
from hri.cli.rig_fleet import fleet
from hri.cli.rig_recording import TraceOption, header_of, recording
from hri.cli.rig_replay import replay
from hri.cli.rig_serving import address, explained, parsed_timing, say, stoppable, virtual_part
from hri.cli.rig_tell import tell
from hri.cli.rig_trace import trace
from hri.cli.state import state_of

app = typer.Typer(help="Virtual boards and secure elements.", no_args_is_help=True)
app.command()(tell)
app.command()(fleet)
app.command()(trace)
app.command()(replay)

BoardOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="Which board to run: rpi_pico, unix or one of `hri board list`."),
]
StateOption = Annotated[Path | None, typer.Option(help="File that keeps the chip (default: forget it).")]
TimingOption = Annotated[
    str, typer.Option(help="Execution times of the chip: none, typical, max, or a factor of typical.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Begin with a new chip.")]
SnapshotsOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keeps what `hri rig tell save` saves (default: as long as it runs)."),
]


@app.command()
def serve(
    context: typer.Context,
    board: BoardOption = "rpi_pico",
    chip: BoardChipOption = None,
    state: StateOption = None,
    flash: Annotated[
        Path | None,
        typer.Option(
            help="Keeps the board's files: an image with an emulated RP2040, a folder for other boards."
        ),
    ] = None,
    timing: TimingOption = "none",
    fresh: FreshOption = False,
    variants: VariantsOption = None,
    factory: FactoryOption = None,
    seed: ChipSeedOption = None,
    manifest: ManifestOption = None,
    roots: RootsOption = None,
    log_certificate: LogOption = None,
    fault: FaultOption = None,
    fault_seed: SeedOption = None,
    control: ControlOption = None,
    snapshots: SnapshotsOption = None,
    trace: TraceOption = None,
) -> None:
    """Run a virtual board with hri_device and a virtual chip; print its serial port; stop with Ctrl-C."""
    output = state_of(context).output
    virtual = virtual_part(board)
    order = ChipOrder(chip or virtual.chip, variants, factory, seed, manifest, roots, log_certificate)
    listens = None if control is None else address(control)
    try:
        with explained(), stoppable() as stop:
            from hri.rig.boards import BoardClock, open_board
            from hri.rig.boards.control import BoardControl
            from hri.rig.firmware import device_package

            clock = BoardClock()
            wiring = Wiring.of(clock, fault, seed=fault_seed, timing=parsed_timing(timing))
            with order.open(
                state=state, clock=wiring.chip_clock, timing=parsed_timing(timing), fresh=fresh
            ) as opened:
                wired = wiring.connect(opened, controlled=listens is not None)
                package = device_package()
                header = header_of(order.name, board, virtual)
                with (
                    recording(output, wired, trace, header),
                    open_board(board, bus=wired.bus, flash=flash, package=package, clock=clock) as running,
                ):
                    orders = BoardControl(running, opened, wired.bus, snapshots)
                    with wired.control(listens, orders.requests, header):
                        said = {"port": running.port, "board": board, "chip": order.name, **wired.said}
                        if virtual.stand_in:
                            said["stand_in"] = virtual.stand_in
                            output.note(f"in place of the {board}: {virtual.stand_in}")
                        say(output, said, running.port)
                        wired.note(output)
                        stop.wait()
                        wired.note_hits(output)
    except KeyboardInterrupt:
        return


@app.command()
def bus(
    context: typer.Context,
    chip: ChipOption = "atecc608b",
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:0",
    state: StateOption = None,
    fresh: FreshOption = False,
    timing: TimingOption = "none",
    variants: VariantsOption = None,
    factory: FactoryOption = None,
    seed: ChipSeedOption = None,
    manifest: ManifestOption = None,
    roots: RootsOption = None,
    log_certificate: LogOption = None,
    fault: FaultOption = None,
    fault_seed: SeedOption = None,
    control: ControlOption = None,
    trace: TraceOption = None,
) -> None:
    """Serve an I2C bus with a virtual chip over TCP; stop with Ctrl-C."""
    output = state_of(context).output
    order = ChipOrder(chip, variants, factory, seed, manifest, roots, log_certificate)
    host, port = address(listen)
    listens = None if control is None else address(control)
    try:
        with explained(), stoppable() as stop:
            from hri.rig.bus import MonotonicClock
            from hri.rig.bus_server import BusServer

            wiring = Wiring.of(MonotonicClock(), fault, seed=fault_seed, timing=parsed_timing(timing))
            with order.open(
                state=state, clock=wiring.chip_clock, timing=parsed_timing(timing), fresh=fresh
            ) as opened:
                wired = wiring.connect(opened, controlled=listens is not None)
                header = header_of(chip)
                with (
                    recording(output, wired, trace, header),
                    wired.control(listens, header=header),
                    BusServer(wired.bus, host, port) as server,
                ):
                    where = f"{server.address[0]}:{server.address[1]}"
                    say(output, {"listen": where, "chip": chip, **wired.said}, where)
                    wired.note(output)
                    stop.wait()
                    wired.note_hits(output)
    except KeyboardInterrupt:
        return
