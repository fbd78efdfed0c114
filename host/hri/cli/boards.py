"""`hri board`: the boards that are known and the ports there are; flash, check or use the board on one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from serial.tools import list_ports

from hri.boards import BoardDescription, BoardError, board_names, boards_folder, load_board
from hri.cli import board_flash
from hri.cli.state import PortOption, state_of
from hri.errors import ConfigurationError, DeviceError
from hri.link import Deadlines, SerialLink

app = typer.Typer(help="Known boards, and those on this machine's serial ports.", no_args_is_help=True)


@app.command("list")
def list_boards(
    context: typer.Context,
    probe: Annotated[
        bool, typer.Option("--probe", help="Open each port and ask for hri_device; disturbs what runs there.")
    ] = False,
) -> None:
    """List the boards that are known and the serial ports; with --probe, what answers there."""
    state = state_of(context)
    ports = sorted(list_ports.comports(), key=lambda port: str(port.device))
    rows = [
        (
            str(p.device),
            str(p.description or ""),
            _known_as(p.vid, p.pid),
            _who(str(p.device)) if probe else "",
        )
        for p in ports
    ]
    known = [load_board(name) for name in board_names()]
    if state.output.as_json:
        boards = [
            {"port": port, "description": what, "board": board or None, "answers": who or None}
            for port, what, board, who in rows
        ]
        state.output.json({"boards": boards, "known": [_summary(board) for board in known]})
        return
    state.output.table(
        ("board", "what it is", "chip", "proven"),
        [(board.name, board.title, _chip(board), _proven(board)) for board in known],
    )
    state.output.result({}, "")
    if rows:
        state.output.table(("port", "description", "may be", "answers" if probe else ""), rows)
    else:
        state.output.result({}, "no serial port has a device on it")


@app.command()
def show(
    context: typer.Context, name: Annotated[str, typer.Argument(help="As `hri board list` names it.")]
) -> None:
    """Show a board: pins and wires, how to flash it, and the hri_board.json to put on it."""
    output = state_of(context).output
    try:
        board = load_board(name)
    except BoardError as error:
        raise ConfigurationError("unknown-board", str(error), "see `hri board list`") from error
    drawing = boards_folder() / name / "wiring.svg"
    if output.as_json:
        document = board.model_dump(mode="json") | {"settings": board.settings()}
        output.json(document | {"wiring": str(drawing) if drawing.is_file() else None})
        return
    output.table(("", ""), _facts(board))
    if board.wires:
        output.result({}, "")
        rows = [(wire.signal, wire.board, wire.chip) for wire in board.wires]
        output.table(("wire", "on the board", "on the breakout"), rows)
    output.result({}, "", "hri_board.json:", json.dumps(board.settings()))
    if drawing.is_file():
        output.result({}, "", f"drawing: {drawing}")
    for heading, lines in (("notes", board.notes), ("assumed", board.assumed), ("sources", board.sources)):
        if lines:
            output.result({}, "", f"{heading}:", *(f"  {line}" for line in lines))


app.command("flash")(board_flash.flash)
app.command("verify")(board_flash.verify)


@app.command()
def run(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(help="Program for the board's MicroPython.")],
    port: PortOption = None,
) -> None:
    """Run a MicroPython program on the board, with its output here."""
    if not find_spec("mpremote"):
        raise ConfigurationError("rig-missing", "mpremote is not installed", "pip install 'hri[rig]'")
    if not script.is_file():
        raise ConfigurationError("no-file", f"there is no file {script}", "name a MicroPython program")
    state = state_of(context)
    command = [sys.executable, "-m", "mpremote", "connect", state.port(port), "run", str(script)]
    done = subprocess.run(command, check=False, text=True, capture_output=state.output.as_json)
    if state.output.as_json:
        state.output.json({"status": done.returncode, "output": done.stdout + done.stderr})
    if done.returncode:
        raise DeviceError(
            "run-failed", f"mpremote ended with status {done.returncode}", "its own words stand above"
        )


def _who(port: str) -> str:
    try:
        with SerialLink.open(port, deadlines=Deadlines.from_environment(os.environ)) as link:
            hello = link.call("hello", {})
    except DeviceError as error:
        return error.code
    return f"{hello.get('board')} {hello.get('stage')} {hello.get('device_id') or ''}".strip()


def _summary(board: BoardDescription) -> dict[str, object]:
    return {
        "name": board.name,
        "title": board.title,
        "mcu": board.mcu,
        "chip": board.chip.model_dump(),
        "flashing": board.flashing.method,
        "proven": [proof.model_dump() for proof in board.proven],
    }


def _chip(board: BoardDescription) -> str:
    where = "on the board" if board.chip.on_board else "on a breakout"
    return f"0x{board.chip.address:02X} {where}"


def _proven(board: BoardDescription) -> str:
    """Return the strongest thing that was done with a board; a virtual one is no real one."""
    ways = {proof.how for proof in board.proven}
    if "run" in ways:
        return "run, virtual only"
    if "stand-in" in ways:
        return "run on a stand-in only"
    return "type-checked only" if "type-checked" in ways else "from documents only"


def _known_as(vendor: int | None, product: int | None) -> str:
    """Return the boards that have these USB ids; several makers share one, and a bridge's say little."""
    if vendor is None or product is None:
        return ""
    ids = f"{vendor:04x}:{product:04x}"
    boards = (load_board(name) for name in board_names())
    return ", ".join(board.name for board in boards if board.usb and ids in board.usb.ids)


def _facts(board: BoardDescription) -> list[tuple[str, str]]:
    i2c, flashing = board.i2c, board.flashing
    pins = "no pins" if i2c.sda is None else f"SDA {i2c.sda}, SCL {i2c.scl}"
    ways = {
        "uf2": f"UF2 drive {flashing.drive}: {flashing.enter}",
        "esptool": f"esptool, {flashing.mcu} at {hex(flashing.offset or 0)}: {flashing.enter}",
        "none": flashing.enter,
    }
    facts = [
        ("board", f"{board.title}, {board.mcu}"),
        ("runtime", f"{board.runtime.kind} {board.runtime.version}, image {board.runtime.image}"),
        ("bus", f"I2C {i2c.id}, {pins}, {i2c.hz // 1000} kHz, wake pulse at {i2c.wake_hz // 1000} kHz"),
        ("chip", f"{board.chip.part}, {_chip(board)}"),
        ("flash", ways[flashing.method]),
    ]
    if board.usb:
        facts.append(("usb", ", ".join(board.usb.ids) + (" (a serial bridge's)" if board.usb.bridge else "")))
    return facts + [("proven", f"{proof.how}: {proof.what}; on {proof.on}") for proof in board.proven]
