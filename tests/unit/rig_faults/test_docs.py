"""docs/rig-faults.md: every example on the page is run."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hri.rig import faults
from hri.rig.bus_control import BusControl
from hri.rig.fault_script import FORMS, parse, render

PAGE = (Path(__file__).parents[3] / "docs" / "rig-faults.md").read_text()
ROWS = re.findall(r"^\| `([a-z-]+[@:][^`]+)` \| .* \| `(.+)` \|$", PAGE, re.MULTILINE)
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "console" for line in block.splitlines()]


@pytest.mark.parametrize(("text", "value"), ROWS)
def test_text_and_python_of_each_row_are_the_same_fault(text, value):
    names = {name: getattr(faults, name) for name in dir(faults) if not name.startswith("_")}
    made = eval(value.replace("\\|", "|"), names)  # noqa: S307 - the page is ours
    assert parse(text) == made
    assert parse(render(made)) == made


def test_every_form_has_a_row():
    assert {re.split("[@:]", text)[0] for text, _ in ROWS} == set(FORMS)


def test_the_python_example_runs():
    (code,) = (block for kind, block in BLOCKS if kind == "python")
    exec(compile(code, "docs/rig-faults.md", "exec"), {})  # noqa: S102 - the page is ours


def test_the_control_socket_answers_as_on_the_page(make_rig):
    rig = make_rig(timing="typical")
    control = BusControl(rig.bus, rig.wires)
    (dialogue,) = (block for kind, block in BLOCKS if not kind)
    lines = dialogue.splitlines()
    for asked, answered in zip(lines[::2], lines[1::2], strict=True):
        reply = control.answer(asked.removeprefix("> ").encode())
        assert f"< {json.dumps(reply)}" == answered
    control.stop()


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_lines_serve_a_bus_with_these_faults(line):
    program, *arguments = shlex.split(line.removeprefix("$ "))
    assert program == "hri"
    server = subprocess.Popen(
        [sys.executable, "-m", "hri.cli", "--json", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        said = json.loads(server.stdout.readline())
        wanted = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--fault"]
        assert said["faults"] == wanted
        assert ("control" in said) == ("--control" in arguments)
        if "--fault-seed" in arguments:
            assert said["fault_seed"] == int(arguments[arguments.index("--fault-seed") + 1])
    finally:
        server.terminate()
        try:
            assert server.wait(30) == 0
        finally:
            server.kill()
            server.stdout.close()
