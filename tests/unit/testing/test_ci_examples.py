"""docs/examples/ci: workflows to copy, whose every command line exists."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from hri.cli.app import app
from typer.main import get_command

FOLDER = Path(__file__).parents[3] / "docs" / "examples" / "ci"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
_EXPRESSION = re.compile(r"\$\{\{[^}]*\}\}")


def load(path: Path) -> dict:
    # `on` is a truth value in YAML 1.1, and a key of workflows.
    return {("on" if key is True else key): value for key, value in yaml.safe_load(path.read_text()).items()}


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def command_lines(path: Path) -> list[list[str]]:
    runs = [step["run"] for step in steps(load(path)) if "run" in step]
    return [shlex.split(_EXPRESSION.sub("x", line)) for run in runs for line in run.splitlines()]


def test_there_is_one_with_a_board_and_one_without():
    assert [path.name for path in WORKFLOWS] == ["github-virtual.yml", "github-with-board.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_what_it_needs(path):
    workflow = load(path)
    assert set(workflow) >= {"name", "on", "permissions", "jobs"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    uploads = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/upload-artifact")]
    assert [step["if"] for step in uploads] == ["always()"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_option_of_pytest_exists(path, pytestconfig):
    known = {
        option for group in pytestconfig._parser._groups for opt in group.options for option in opt.names()
    }
    known |= {option for opt in pytestconfig._parser._anonymous.options for option in opt.names()}
    used = [words for words in command_lines(path) if Path(words[0]).name == "pytest"]
    assert used
    for words in used:
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= known


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_of_hri_exists(path):
    for words in command_lines(path):
        if Path(words[0]).name != "hri":
            continue
        found = get_command(app)
        rest = words[1:]
        while rest and rest[0] in getattr(found, "commands", {}):
            found = found.commands[rest.pop(0)]
        assert not hasattr(found, "commands"), words
        options = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options


def test_the_board_serves_one_job_at_a_time():
    workflow = load(FOLDER / "github-with-board.yml")
    assert workflow["concurrency"] == {"group": "hri-board", "cancel-in-progress": False}
    assert "dialout" in (FOLDER / "github-with-board.yml").read_text()


def test_the_boards_named_exist():
    from hri.rig.boards import board_names

    (job,) = load(FOLDER / "github-virtual.yml")["jobs"].values()
    assert set(job["strategy"]["matrix"]["board"]) <= set(board_names())
