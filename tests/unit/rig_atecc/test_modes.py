"""The list of commands and modes against the chip's own table and against the tests that cover them."""

import ast
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from hri.rig.atecc.opcodes import COMMANDS

LISTED = tomllib.loads(resources.files("hri.rig.atecc").joinpath("modes.toml").read_text(encoding="utf-8"))
MODES = {(command["name"], mode["mode"]) for command in LISTED["command"] for mode in command["modes"]}


def marked():
    """Every (command, mode) that a test of this folder is marked to cover."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "covers"
            ):
                found.add(tuple(argument.value for argument in node.args))
    return found


def test_the_list_has_every_command_of_the_chip():
    listed = {command["opcode"]: command["name"] for command in LISTED["command"]}
    assert listed == {opcode: command.name for opcode, command in COMMANDS.items()}


def test_no_mode_is_listed_twice():
    assert len(MODES) == sum(len(command["modes"]) for command in LISTED["command"])


def test_every_mode_is_covered_and_nothing_else_is_claimed():
    assert marked() == MODES


def test_without_data_no_mode_of_any_command_brings_the_chip_down(locked):
    for opcode in COMMANDS:
        for param1 in range(256):
            assert len(locked.call(opcode, param1, 0)) >= 1
        locked.fresh_session()


@pytest.mark.parametrize("opcode", sorted(COMMANDS))
def test_no_length_of_data_brings_the_chip_down(make_wire, opcode):
    wire = make_wire()
    wire.personalise()
    for size in range(156):
        assert len(wire.call(opcode, 0, 0, bytes(size))) >= 1
        if size % 40 == 0:
            wire.fresh_session()
