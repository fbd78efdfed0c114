"""`hri rig`: virtual boards and virtual chips, for anybody's programs."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hri.cli.output import Output
from hri.cli.rig_chip import (
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
from hri.cli.state import state_of
from hri.errors import ConfigurationError, DeviceError, HriError, StorageError

app = typer.Typer(help="Virtual boards and secure elements.", no_args_is_help=True)


class BoardName(StrEnum):
    """The virtual boards."""

    rpi_pico = "rpi_pico"
    unix = "unix"


StateOption = Annotated[Path | None, typer.Option(help="File that keeps the chip (default: forget it).")]
TimingOption = Annotated[
    str, typer.Option(help="Execution times of the chip: none, typical, max, or a factor of typical.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Begin with a new chip.")]


@app.command()
def serve(
    context: typer.Context,
    board: Annotated[BoardName, typer.Option(help="Which board to run.")] = BoardName.rpi_pico,
    chip: ChipOption = "atecc608b",
    state: StateOption = None,
    flash: Annotated[
        Path | None, typer.Option(help="Keeps the board's files: an image for rpi_pico, a folder for unix.")
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
) -> None:
    """Run a virtual board with hri_device and a virtual chip; print its serial port; stop with Ctrl-C."""
    output = state_of(context).output
    order = ChipOrder(chip, variants, factory, seed, manifest, roots, log_certificate)
    listens = None if control is None else _address(control)
    try:
        with _explained(), _stoppable() as stop:
            from hri.rig.boards import BoardClock, open_board
            from hri.rig.firmware import device_package

            clock = BoardClock()
            wiring = Wiring.of(clock, fault, seed=fault_seed, timing=_timing(timing))
            with order.open(
                state=state, clock=wiring.chip_clock, timing=_timing(timing), fresh=fresh
            ) as opened:
                package = device_package()
                with (
                    wiring.connect(opened, control=listens) as wired,
                    open_board(
                        board.value, bus=wired.bus, flash=flash, package=package, clock=clock
                    ) as running,
                ):
                    said = {"port": running.port, "board": board.value, "chip": chip, **wired.said}
                    _say(output, said, running.port)
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
) -> None:
    """Serve an I2C bus with a virtual chip over TCP; stop with Ctrl-C."""
    output = state_of(context).output
    order = ChipOrder(chip, variants, factory, seed, manifest, roots, log_certificate)
    host, port = _address(listen)
    listens = None if control is None else _address(control)
    try:
        with _explained(), _stoppable() as stop:
            from hri.rig.bus import MonotonicClock
            from hri.rig.bus_server import BusServer

            wiring = Wiring.of(MonotonicClock(), fault, seed=fault_seed, timing=_timing(timing))
            with (
                order.open(
                    state=state, clock=wiring.chip_clock, timing=_timing(timing), fresh=fresh
                ) as opened,
                wiring.connect(opened, control=listens) as wired,
                BusServer(wired.bus, host, port) as server,
            ):
                where = f"{server.address[0]}:{server.address[1]}"
                _say(output, {"listen": where, "chip": chip, **wired.said}, where)
                wired.note(output)
                stop.wait()
                wired.note_hits(output)
    except KeyboardInterrupt:
        return


def _timing(text: str) -> str | float:
    """Return a factor as the number it is, a name as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def _say(output: Output, document: Mapping[str, object], line: str) -> None:
    if output.as_json:
        output.json(document)
    else:
        output.raw(f"{line}\n")


@contextlib.contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Yield what SIGTERM and SIGHUP set: like Ctrl-C they stop the board properly and keep what it wrote.

    Entered before anybody is told where to connect, so that no signal comes too early.
    """
    stop = threading.Event()
    signals = (signal.SIGTERM, signal.SIGHUP)
    previous = [signal.signal(number, lambda *_: stop.set()) for number in signals]
    try:
        yield stop
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise ConfigurationError("bad-address", f"{listen!r} is not HOST:PORT", "write 127.0.0.1:4000")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn the rig's own errors, which know nothing of exit statuses, into ours."""
    try:
        yield
    except HriError:
        raise
    except ImportError as error:
        raise ConfigurationError(
            "rig-missing", f"the rig is not installed: {error.name}", "pip install 'hri[rig]'"
        ) from error
    except ValueError as error:
        raise ConfigurationError("usage", str(error), "see `hri rig --help`") from error
    except OSError as error:
        raise StorageError("rig-failed", str(error).lower(), "choose another file or address") from error
    except Exception as error:
        raise DeviceError("rig-failed", str(error), "see the message; -v tells more") from error
