"""`hri board`: which serial ports there are, and which are ours; run a program on one."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from serial.tools import list_ports

from hri.cli.state import PortOption, state_of
from hri.errors import ConfigurationError, DeviceError
from hri.link import Deadlines, SerialLink

app = typer.Typer(help="Boards on this machine's serial ports.", no_args_is_help=True)


@app.command("list")
def list_boards(
    context: typer.Context,
    probe: Annotated[
        bool, typer.Option("--probe", help="Open each port and ask for hri_device; disturbs what runs there.")
    ] = False,
) -> None:
    """List the serial ports with a device on them; with --probe, what answers there."""
    state = state_of(context)
    ports = sorted(list_ports.comports(), key=lambda port: str(port.device))
    rows = [(str(p.device), str(p.description or ""), _who(str(p.device)) if probe else "") for p in ports]
    if state.output.as_json:
        boards = [{"port": port, "description": what, "answers": who or None} for port, what, who in rows]
        state.output.json({"boards": boards})
    elif rows:
        state.output.table(("port", "description", "answers" if probe else ""), rows)
    else:
        state.output.result({}, "no serial port has a device on it")


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
