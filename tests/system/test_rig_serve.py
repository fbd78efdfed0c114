"""`hri rig serve` and `hri rig bus`: a virtual board and a virtual chip for anybody's programs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hri.rig.bus_client import RemoteBus

pytestmark = pytest.mark.timeout(240)
PASSPHRASES = {"HRI_CA_PASSPHRASE": "issuing passphrase", "HRI_ROOT_PASSPHRASE": "root passphrase"}


@contextmanager
def serving(*arguments: str) -> Iterator[dict]:
    """Run an `hri rig` command; yields the JSON document of its first line."""
    server = subprocess.Popen(
        [sys.executable, "-m", "hri.cli", "--json", "rig", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield json.loads(server.stdout.readline())
    finally:
        server.terminate()
        try:
            assert server.wait(30) == 0
        finally:
            server.kill()
            server.stdout.close()


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=os.environ | PASSPHRASES,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("board", ["rpi_pico", "unix"])
def test_mpremote_and_hri_take_turns_on_a_served_board(tmp_path: Path, board: str) -> None:
    home = ("hri.cli", "--home", str(tmp_path), "--json")
    with serving("serve", "--board", board, "--state", str(tmp_path / "chip")) as said:
        port = said["port"]
        assert run("mpremote", "connect", port, "exec", "print(6 * 7)").strip() == "42"
        info = json.loads(run(*home, "chip", "info", "--port", port))
        assert not info["config_locked"]
        assert run("mpremote", "connect", port, "exec", "print(6 * 7)").strip() == "42"
        run(*home, "ca", "init")
        run(*home, "provision", "--port", port, "--lock")
        assert json.loads(run(*home, "authenticate", "--port", port))["trusted"]
        assert "hri_device" in run("mpremote", "connect", port, "fs", "ls")


def test_a_served_bus_answers_a_chip_in_the_bytes_of_its_data_sheet() -> None:
    with serving("bus", "--chip", "atecc608a", "--listen", "127.0.0.1:0") as said:
        host, _, port = said["listen"].rpartition(":")
        bus = RemoteBus(host, int(port))
        try:
            bus.wake()
            status, reply = bus.read(0x60, 4)
            assert (status, reply) == (0, bytes.fromhex("04113343"))
            # Info, mode 0: the revision of an ATECC608A.
            assert bus.write(0x60, bytes.fromhex("03073000000003 5d".replace(" ", ""))) == 0
            status, reply = bus.read(0x60, 7)
            assert (status, reply[:5]) == (0, bytes.fromhex("0700006002"))
        finally:
            bus.close()


def refused(*command: str) -> tuple[int, dict]:
    done = subprocess.run(
        [sys.executable, "-m", "hri.cli", "--json", *command],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode, json.loads(done.stderr.strip().splitlines()[-1])["error"]


@pytest.mark.parametrize("board", ["rpi_pico", "unix"])
def test_a_served_board_does_as_it_is_told(tmp_path: Path, board: str) -> None:
    served = ("serve", "--board", board, "--control", "127.0.0.1:0", "--snapshots", str(tmp_path / "kept"))
    with serving(*served) as said:

        def tell(*order: str) -> dict:
            return json.loads(run("hri.cli", "--json", "rig", "tell", *order, "--control", said["control"]))

        def hello() -> str:
            return json.loads(run("hri.cli", "--json", "chip", "info", "--port", said["port"]))[
                "serial_number"
            ]

        def mpremote(program: str) -> str:
            return run("mpremote", "connect", said["port"], "exec", program).strip()

        status = tell("status")
        assert (status["board"], status["power"], status["attached"]) == (board, True, True)
        assert hello() == status["serial_number"]
        assert tell("save", "before")["file"].startswith(str(tmp_path / "kept"))

        mpremote("open('mark', 'w').close()")
        assert tell("power-cycle")["power"]
        assert mpremote("import os; print('mark' in os.listdir())") == "True"

        assert tell("detach")["attached"] is False
        assert not Path(said["port"]).exists()
        assert refused("chip", "info", "--port", said["port"])[0] == 3
        tell("attach")
        assert hello() == status["serial_number"]

        assert tell("power-off")["power"] is False
        assert tell("load", "before")["serial_number"] == status["serial_number"]
        assert tell("status")["power"] is False
        tell("power-on")
        assert mpremote("import os; print('mark' in os.listdir())") == "False"
        assert tell("reset")["power"]
        assert hello() == status["serial_number"]
        assert tell("snapshots") == {"snapshots": ["before"]}

        code, error = refused("rig", "tell", "load", "never-saved", "--control", said["control"])
        assert (code, error["code"]) == (2, "refused")
        assert "before" in error["message"]


@pytest.mark.parametrize(
    ("board", "chip"),
    [
        ("adafruit_feather_m4", "atecc608b"),
        ("esp32", "atecc608b"),
        ("m5stack_core2_aws", "atecc608b-tngtls"),
    ],
)
def test_a_board_that_nothing_emulates_has_a_stand_in_and_says_so(board: str, chip: str) -> None:
    with serving("serve", "--board", board) as said:
        assert (said["board"], said["chip"]) == (board, chip)
        assert said["stand_in"]
        read = "print(open('hri_board.json').read())"
        settings = json.loads(run("mpremote", "connect", said["port"], "exec", read))
        assert settings["board"] == board
        assert json.loads(run("hri.cli", "--json", "chip", "info", "--port", said["port"]))["serial_number"]


@pytest.mark.parametrize("board", ["rpi_pico_w", "adafruit_feather_rp2040", "arduino_nano_rp2040_connect"])
def test_an_rp2040_board_is_provisioned_on_its_own_bus(tmp_path: Path, board: str) -> None:
    home = ("hri.cli", "--home", str(tmp_path), "--json")
    run(*home, "ca", "init")
    with serving("serve", "--board", board) as said:
        done = json.loads(run(*home, "provision", "--port", said["port"], "--lock"))
        assert done["element"]["type"].startswith("atecc608")
        assert json.loads(run(*home, "authenticate", "--port", said["port"]))["trusted"]


@pytest.mark.parametrize("board", ["rpi_pico", "unix"])
def test_two_boards_cannot_have_one_flash(tmp_path: Path, board: str) -> None:
    with serving("serve", "--board", board, "--flash", str(tmp_path / "flash")):
        code, error = refused("rig", "serve", "--board", board, "--flash", str(tmp_path / "flash"))
        assert code == 3
        assert "another board has the flash" in error["message"]


def test_a_board_that_does_not_exist_is_named_as_wrong_usage() -> None:
    code, error = refused("rig", "serve", "--board", "pdp11")
    assert (code, error["code"]) == (2, "unknown-board")
    assert "rpi_pico" in error["hint"]


def test_nobody_to_tell_is_said_at_once() -> None:
    code, error = refused("rig", "tell", "reset", "--control", "127.0.0.1:1")
    assert (code, error["code"]) == (3, "no-control")
