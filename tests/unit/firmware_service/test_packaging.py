"""What a board is given: the mip package and the settings file."""

import json
from pathlib import Path

import hri_device
import pytest
from hri_device import startup

FIRMWARE = Path(__file__).parents[3] / "firmware"
# What no MicroPython microcontroller needs.
_ELSEWHERE = {
    "hri_device/ports/cpython.py",
    "hri_device/ports/adafruit.py",
    "hri_device/ports/circuitpython.py",
    "hri_device/nvmstore.py",
}


def test_the_mip_package_lists_every_module():
    package = json.loads((FIRMWARE / "package.json").read_text())
    modules = {path.relative_to(FIRMWARE).as_posix() for path in (FIRMWARE / "hri_device").rglob("*.py")}
    assert {target for target, _ in package["urls"]} == modules - _ELSEWHERE
    assert all(target == source for target, source in package["urls"])
    assert package["version"] == hri_device.__version__


def test_no_settings_file_means_defaults(tmp_path):
    assert startup.read_settings(str(tmp_path / "hri_board.json")) == {}


def test_settings_are_read(tmp_path):
    file = tmp_path / "hri_board.json"
    file.write_text('{"board": "bench", "address": 53}')
    assert startup.read_settings(str(file)) == {"board": "bench", "address": 53}


def test_a_damaged_settings_file_is_no_default(tmp_path):
    file = tmp_path / "hri_board.json"
    file.write_text('{"board": ')
    with pytest.raises(ValueError, match="Expecting"):
        startup.read_settings(str(file))
