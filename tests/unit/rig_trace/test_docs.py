"""docs/bus-trace.md: every example on the page is run, and its picture is what is drawn today."""

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hri.cli.app import app, run
from hri.cli.words import STEPS
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_control import BusControl
from hri.rig.bus_faults import FaultyTarget
from hri.rig.trace import Header
from hri.rig.trace.file import TraceReader, as_dict, header_dict, open_text
from hri.rig.trace.picture import draw
from typer.main import get_command

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "bus-trace.md").read_text(encoding="utf-8")
PICTURE = (ROOT / "docs" / "provisioning-trace.svg").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "console" for line in block.splitlines()]
TRACES = ROOT / "tests" / "vectors" / "bus_traces"


def test_the_table_is_what_the_command_prints(capfd):
    (shown,) = re.findall(r"<!-- attest -->\n```\n(.*?)\n```", PAGE, re.DOTALL)
    assert run(["rig", "trace", str(TRACES / "attest.jsonl")]) == 0
    assert capfd.readouterr().out.partition("\n\n")[0] == shown


def test_the_file_on_the_page_is_read_and_written_as_it_stands(tmp_path):
    (lines,) = (block for kind, block in BLOCKS if kind == "json")
    path = tmp_path / "page.jsonl"
    path.write_text(lines)
    with open_text(path) as file:
        reader = TraceReader(file)
        transactions = list(reader.all())
    assert reader.torn == 0
    written = [header_dict(reader.header), *map(as_dict, transactions)]
    assert written == [json.loads(line) for line in lines.splitlines()]


def test_every_member_of_the_file_is_explained():
    (lines,) = (block for kind, block in BLOCKS if kind == "json")
    members = {name for line in lines.splitlines()[1:] for name in json.loads(line)}
    table = PAGE.partition("| member | means |")[2].partition("\n## ")[0]
    assert members <= set(re.findall(r"`(\w+)`", table))


def test_the_python_example_runs(tmp_path):
    (code,) = (block for kind, block in BLOCKS if kind == "python")
    exec(compile(code, "docs/bus-trace.md", "exec"), {"folder": tmp_path})  # noqa: S102 - the page is ours


def test_the_control_socket_answers_as_on_the_page():
    clock = ManualClock()
    wires = FaultyTarget(open_chip("atecc608b", clock=clock), clock)
    control = BusControl(Bus([wires], clock=clock), wires, header=Header("atecc608b"))
    dialogue = [line for kind, block in BLOCKS if not kind for line in block.splitlines() if line[:1] in "<>"]
    assert len(dialogue) == 4
    for asked, answered in zip(dialogue[::2], dialogue[1::2], strict=True):
        assert f"< {json.dumps(control.answer(asked.removeprefix('> ').encode()))}" == answered
    control.stop()


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_of_the_page_exists(line):
    program, *words = shlex.split(line.removeprefix("$ "))
    assert program == "hri"
    command = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not getattr(command, "commands", {}), line
    command.make_context("hri", words)


def test_the_divergence_of_the_page_is_one_that_the_replay_tells():
    """The same words are held against a run in tests/system/test_rig_trace.py."""
    system = (ROOT / "tests" / "system" / "test_rig_trace.py").read_text()
    (shown,) = re.findall(r"^the driver diverged at (.*)$", PAGE, re.MULTILINE)
    assert "".join(re.findall(r'^        "(.*)"$', system, re.MULTILINE)).endswith(shown)


def test_the_picture_is_drawn_as_pictures_are_today():
    svg = ElementTree.fromstring(PICTURE)  # noqa: S314 - ours
    style = re.search(r"<style>.*?</style>", draw(Header(), ()), re.DOTALL)[0]
    assert style in PICTURE, "run tools/trace_picture.py"
    headings = {
        text.text for text in svg.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "h"
    }
    assert {"configure", "birth", "state", "authenticate"} <= headings <= set(STEPS) | {"connect", "inspect"}
