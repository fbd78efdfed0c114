"""CircuitPython's side: installed by circup, run by its code.py, on a busio-shaped bus.

The interpreter is CPython, under modules with CircuitPython's names and manners (`circuitpython_board/`),
because CircuitPython itself cannot be built from the package registries.
"""

import json
import os
import pty
import subprocess
import sys
import tty
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import circup_bundle
import pytest
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus
from hri.rig.bus_server import BusServer

pytestmark = pytest.mark.timeout(240)
PASSPHRASES = {"HRI_CA_PASSPHRASE": "issuing passphrase", "HRI_ROOT_PASSPHRASE": "root passphrase"}
BOARD_MODULES = Path(__file__).with_name("circuitpython_board")
BUNDLE = "owner/hri"


def circup(home: Path, drive: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("circup")), "--offline", "--path", str(drive), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def circup_home(tmp_path: Path) -> Path:
    """A user after `circup bundle-add owner/hri`: the release's zip lies unpacked in circup's cache."""
    archive = circup_bundle.write(tmp_path / "release", "hri", circup_bundle.version())
    data = tmp_path / "home" / "data" / "circup"
    (data / BUNDLE).parent.mkdir(parents=True)
    with zipfile.ZipFile(archive) as bundle:
        bundle.extractall(data / f"{BUNDLE}-py")
    # In place of the list that names Adafruit's own bundles, which would have to be fetched.
    (data / "bundle_config.json").write_text(json.dumps({"hri": BUNDLE}))
    (data / "circup.json").write_text(json.dumps({BUNDLE: [circup_bundle.version()]}))
    return tmp_path / "home"


@pytest.fixture
def drive(tmp_path: Path, circup_home: Path) -> Path:
    """A board's CIRCUITPY drive with the package on it, put there by circup."""
    drive = tmp_path / "CIRCUITPY"
    drive.mkdir()
    (drive / "boot_out.txt").write_text(
        "Adafruit CircuitPython 10.0.3 on 2025-10-17; Raspberry Pi Pico with rp2040\n"
        "Board ID:raspberry_pi_pico\nUID:DE6185C4831F3C2B\n"
    )
    assert "Installed 'hri_device'" in circup(circup_home, drive, "install", "hri_device")
    circup(circup_home, drive, "example", "hri_device/code", "hri_device/boot")
    return drive


@contextmanager
def running(drive: Path, bus: str) -> Iterator[str]:
    """Run the drive's code.py as its board would after a reset; yields the serial port of usb_cdc.data."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    environment = os.environ | {"BOARD_I2C": bus, "BOARD_DATA": str(master)}
    # Only what CircuitPython would find: the drive, its lib, the board's own modules.
    environment["PYTHONPATH"] = os.pathsep.join((str(drive / "lib"), str(BOARD_MODULES)))
    board = subprocess.Popen(
        [sys.executable, str(drive / "code.py")],
        cwd=drive,
        env=environment,
        pass_fds=(master,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.close(master)
    try:
        yield os.ttyname(slave)
        assert board.poll() is None, board.stderr.read().decode()
    finally:
        board.kill()
        board.wait(10)
        board.stderr.close()
        os.close(slave)


def hri(home: Path, *arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "hri.cli", "--home", str(home), "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=os.environ | PASSPHRASES,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_circup_installs_updates_and_lists_the_package(circup_home: Path, drive: Path) -> None:
    assert f"hri_device=={circup_bundle.version()}" in circup(circup_home, drive, "freeze")
    assert "up to date" in circup(circup_home, drive, "list")
    installed = {path.relative_to(drive / "lib").as_posix() for path in (drive / "lib").rglob("*.py")}
    assert installed == set(circup_bundle.library())
    assert (drive / "code.py").is_file()
    assert "usb_cdc.enable(console=True, data=True)" in (drive / "boot.py").read_text()


@pytest.mark.parametrize("store", ["nvm", "hri"])
def test_what_circup_installs_becomes_a_device(tmp_path: Path, drive: Path, store: str) -> None:
    if store == "hri":
        (drive / "hri_board.json").write_text('{"store": "hri"}')
    home = tmp_path / "hri"
    hri(home, "ca", "init")
    with open_chip("atecc608b") as chip, BusServer(Bus([chip])) as server:
        address = f"127.0.0.1:{server.address[1]}"
        with running(drive, address) as port:
            made = hri(home, "provision", "--port", port, "--device-id", "feather-01", "--lock")
            assert made["element"]["serial_number"] == chip.serial_number.hex()
            assert hri(home, "attest", "--port", port)["trusted"]
        # A computer that has the drive mounted is the only one to write to it; nvm is the code's own.
        assert (drive / "hri").exists() == (store == "hri")
        # The record is kept: it is the same device after a reset.
        with running(drive, address) as port:
            decision = hri(home, "authenticate", "--port", port)
    assert (decision["trusted"], decision["device_id"]) == (True, "feather-01")
