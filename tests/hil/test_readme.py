"""The README shows what is true."""

import re

import pytest
from hri.cli.app import app
from transcript import README, demo, section, shape
from typer.main import get_command

pytestmark = pytest.mark.timeout(400)


def test_the_transcript_is_what_the_demo_prints() -> None:
    shown = section(README.read_text(), "transcript").strip().strip("`").strip()
    assert shape(shown) == shape(demo())


def test_every_command_the_readme_names_exists() -> None:
    command = get_command(app)
    text = README.read_text()
    text = text.replace(section(text, "transcript"), "")
    for line in re.findall(r"^hri .*", text, re.M) + re.findall(r"`(hri [a-z][^`]*)`", text):
        words = line.split()[1:]
        group = command.commands
        while words and words[0] in group:
            found = group[words.pop(0)]
            group = getattr(found, "commands", {})
        assert line.split()[1] in command.commands, line
        for option in re.findall(r"--[a-z-]+", line):
            known = {name for parameter in found.params + command.params for name in parameter.opts}
            assert option in known, f"{option} in {line!r}"


def test_the_make_targets_the_readme_names_exist() -> None:
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z]+)", README.read_text(), re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
