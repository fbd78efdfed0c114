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
