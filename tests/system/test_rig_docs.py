"""docs/rig.md: commands and Python of the page are as they are."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from hri.cli import rig_tell
from hri.cli.app import app
from hri.rig.atecc import open_chip
from hri.rig.boards import BoardClock, open_board
from hri.rig.boards.control import BoardControl
from hri.rig.bus import Bus
from hri.rig.bus_control import BusControl
from hri.rig.bus_faults import FaultyTarget
from typer.main import get_command

PAGE = (Path(__file__).parents[2] / "docs" / "rig.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ")
    for kind, block in BLOCKS
    if kind == "console"
    for line in block.splitlines()
    if line.startswith("$ hri")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_line_is_understood(line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "hri"
    command = get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    assert command.make_context(program, words)


def test_every_order_of_the_page_is_one_and_the_other_way_round() -> None:
    rows = re.findall(r"^\| (`[a-z-].*?`) \|", PAGE, re.MULTILINE)
    named = {name.split()[0] for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert named == set(rig_tell._ORDERS)


def test_every_request_of_the_page_is_taken(tmp_path: Path) -> None:
    asked = [json.loads(request) for request in re.findall(r'`(\{"do".*?\})`', PAGE)]
    assert len(asked) == 8
    chip, clock = open_chip("atecc608b"), BoardClock()
    wires = FaultyTarget(chip, clock)
    bus = Bus([wires])
    with open_board("unix", bus=bus, clock=clock) as board:
        control = BusControl(bus, wires, also=BoardControl(board, chip, bus, tmp_path).requests)
        try:
            for request in asked:
                answer = control.answer(json.dumps(request).encode())
                assert answer["ok"], answer
        finally:
            control.stop()


def test_the_python_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for kind, block in BLOCKS if kind == "python")
    exec(compile(code, "docs/rig.md", "exec"), {"folder": tmp_path})  # noqa: S102 - the page is ours
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["d-0001", "d-0002", "d-0003"]
