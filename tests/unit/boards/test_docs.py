"""docs/boards.md: its table is that of the descriptions, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import boards_table
from hri.cli.app import app
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[3]


def test_the_table_is_up_to_date() -> None:
    page = boards_table.PAGE.read_text(encoding="utf-8")
    assert page == boards_table.with_table(page), "run tools/boards_table.py"


def test_every_file_that_the_page_names_is_there() -> None:
    page = boards_table.PAGE.read_text(encoding="utf-8")
    named = re.findall(r"`((?:boards|tests|tools)/[\w./]+)`", page)
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_option_of_the_examples_is_one_of_the_command() -> None:
    page = boards_table.PAGE.read_text(encoding="utf-8")
    commands = get_command(app).commands["board"].commands
    lines = re.findall(r"^\$ hri board (\w+) (.*)$", page, re.M)
    assert {name for name, _ in lines} == {"flash", "verify"}
    for name, rest in lines:
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= options
