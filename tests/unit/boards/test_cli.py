"""`hri board list`, `show` and what `flash` refuses, without any board."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hri.boards import board_names, load_board
from hri.cli.app import run
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> list[ListPortInfo]:
    """The serial ports of this machine: one with a Pico on it."""
    pico = ListPortInfo("/dev/ttyACM0")
    pico.description, pico.vid, pico.pid = "Board in FS mode", 0x2E8A, 0x0005
    monkeypatch.setattr(list_ports, "comports", lambda: [pico])
    return [pico]


def hri(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, str, str]:
    status = run(["--home", str(home), *words])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.usefixtures("ports")
def test_the_list_has_every_known_board_and_every_port(capsys, tmp_path: Path) -> None:
    status, out, _ = hri(capsys, tmp_path, "board", "list", "--json")
    said = json.loads(out)
    assert status == 0
    assert [board["name"] for board in said["known"]] == board_names()
    (port,) = said["boards"]
    assert port["port"] == "/dev/ttyACM0"
    assert port["board"] == "rpi_pico, rpi_pico2, rpi_pico2_w, rpi_pico_w"


@pytest.mark.usefixtures("ports")
def test_the_list_says_in_words_what_was_never_run(capsys, tmp_path: Path) -> None:
    _, out, _ = hri(capsys, tmp_path, "board", "list")
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert lines["rpi_pico"].endswith("run, virtual only")
    assert lines["esp32"].endswith("from documents only")
    assert lines["rpi_pico2"].endswith("type-checked only")


@pytest.mark.parametrize("name", board_names())
def test_show_has_pins_wires_settings_and_sources(name: str, capsys, tmp_path: Path) -> None:
    board = load_board(name)
    status, out, _ = hri(capsys, tmp_path, "board", "show", name)
    assert status == 0
    for word in (board.title, json.dumps(board.settings()), board.flashing.enter, *board.sources):
        assert word in out
    for wire in board.wires:
        assert any(wire.signal in line and wire.board in line for line in out.splitlines())


def test_show_as_json_is_the_description(capsys, tmp_path: Path) -> None:
    _, out, _ = hri(capsys, tmp_path, "board", "show", "m5stack_core2_aws", "--json")
    said = json.loads(out)
    assert (said["chip"]["address"], said["chip"]["on_board"]) == (0x35, True)
    assert said["settings"] == load_board("m5stack_core2_aws").settings()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "pico9"), "unknown-board"),
        (("flash", "--board", "pico9", "--port", "/dev/null"), "unknown-board"),
        (("flash", "--runtime", "x.uf2"), "usage"),
        (("flash", "--runtime", "x.uf2", "--board", "rpi_pico"), "no-file"),
        (("flash", "--runtime", "x.uf2", "--rollback"), "usage"),
        (("flash", "--runtime", "x.uf2", "--package-only"), "usage"),
        (("flash",), "no-port"),
        (("verify",), "no-port"),
    ],
)
def test_what_makes_no_sense_is_refused_as_usage(words, code, capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("HRI_PORT", raising=False)
    status, _, err = hri(capsys, tmp_path, "board", *words, "--json")
    assert (status, json.loads(err)["error"]["code"]) == (2, code)


def test_a_port_that_is_not_there_is_no_device(capsys, tmp_path: Path) -> None:
    status, _, err = hri(capsys, tmp_path, "board", "verify", "--port", str(tmp_path / "tty"), "--json")
    assert (status, json.loads(err)["error"]["code"]) == (3, "no-port")
