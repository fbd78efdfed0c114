"""board.toml: read as written, refused with the key that is wrong."""

from __future__ import annotations

import pytest
from hri.boards import BoardDescription, BoardError, board_names, boards_folder, load_board

GOOD = """
name = "x"
title = "X board"
mcu = "X1"
sources = ["its data sheet"]
[runtime]
kind = "micropython"
version = "1.25.0"
image = "X"
[flashing]
method = "uf2"
enter = "press the button"
drive = "XBOOT"
board_ids = ["X-v1"]
family = 1
[i2c]
id = 1
scl = 5
sda = 4
hz = 400_000
wake_hz = 100_000
[chip]
part = "ATECC608B"
on_board = true
address = 0x60
[[proven]]
how = "read"
on = "its data sheet"
what = "everything"
"""
WIRE = '\n[[wires]]\nsignal = "{0}"\nboard = "{0}"\nchip = "{0}"\n'


def refused(text: str, named: str) -> None:
    with pytest.raises(BoardError, match=named):
        BoardDescription.from_toml(text)


@pytest.mark.parametrize("name", board_names())
def test_every_board_in_the_tree_is_valid_and_lies_under_its_name(name: str) -> None:
    assert load_board(name).name == name


def test_the_template_is_valid_and_no_board() -> None:
    text = (boards_folder() / "template" / "board.toml").read_text(encoding="utf-8")
    assert BoardDescription.from_toml(text).name == "template"
    assert "template" not in board_names()


def test_the_boards_of_the_mission_are_there() -> None:
    assert board_names() == [
        "adafruit_feather_m4",
        "adafruit_feather_rp2040",
        "arduino_nano_rp2040_connect",
        "esp32",
        "esp32_s3",
        "m5stack_core2_aws",
        "rpi_pico",
        "rpi_pico2",
        "rpi_pico2_w",
        "rpi_pico_w",
        "unix",
    ]


def test_nothing_is_said_to_have_run_but_the_virtual_boards() -> None:
    ran = [name for name in board_names() if any(proof.how == "run" for proof in load_board(name).proven)]
    assert ran == ["rpi_pico", "unix"]


def test_every_board_has_a_virtual_one_or_another_that_stands_in_and_says_so() -> None:
    own = [name for name in board_names() if not load_board(name).virtual.stand_in]
    assert own == ["rpi_pico", "unix"]


def test_a_stand_in_is_said_to_have_run_only_where_the_microcontroller_is_emulated() -> None:
    for board in map(load_board, board_names()):
        if any(proof.how == "stand-in" for proof in board.proven):
            assert (board.mcu, board.virtual.runtime) == ("RP2040", "rpi_pico")


def test_the_pico_has_its_bus_on_gp0_and_gp1() -> None:
    i2c = load_board("rpi_pico").i2c
    assert (i2c.id, i2c.sda, i2c.scl, i2c.hz, i2c.wake_hz) == (0, 0, 1, 400_000, 100_000)


def test_the_settings_of_a_breakout_let_the_firmware_look_for_the_chip() -> None:
    assert load_board("adafruit_feather_rp2040").settings() == {
        "board": "adafruit_feather_rp2040",
        "i2c": 1,
        "freq": 400_000,
        "scl": 3,
        "sda": 2,
    }


def test_the_settings_of_a_chip_on_the_board_name_its_address() -> None:
    assert load_board("m5stack_core2_aws").settings()["address"] == 0x35


@pytest.mark.parametrize("name", board_names())
def test_the_wake_pulse_of_every_board_is_long_enough(name: str) -> None:
    # Eight low bits at wake_hz; the chip wakes after 60 us (508A data sheet, tWLO).
    assert 8e6 / load_board(name).i2c.wake_hz >= 60


def test_an_unknown_board_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BoardError, match="rpi_pico, rpi_pico2"):
        load_board("../unix")


def test_a_good_description_is_read() -> None:
    board = BoardDescription.from_toml(GOOD)
    assert (board.title, board.i2c.id, board.virtual, board.usb) == ("X board", 1, None, None)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('title = "X board"', "", "title"),
        ('name = "x"', "name = 3", "name"),
        ("id = 1", "id = true", r"i2c\.id"),
        ("id = 1", "id = 1\npin = 3", r"i2c\.pin"),
        ("wake_hz = 100_000\n", "", "wake_hz"),
        ("0x60", "0x80", r"chip\.address"),
        ("wake_hz = 100_000", "wake_hz = 500_000", "wake_hz must be at most hz"),
        ('mcu = "X1"', 'mcu = "X1"\ncolour = "red"', "colour"),
        ('name = "x"', "name = ", "not a board description"),
        ('sources = ["its data sheet"]', "sources = []", "sources"),
        ("family = 1\n", "", "family is missing, which uf2 needs"),
        ('method = "uf2"', 'method = "esptool"', "mcu is missing, which esptool needs"),
        ('method = "uf2"', 'method = "magic"', r"flashing\.method"),
        ("[i2c]", '[usb]\nids = ["2e8a-5"]\n[i2c]', r"usb\.ids"),
        ("on_board = true", "on_board = false", "a breakout needs 3V3, GND, SDA and SCL"),
        ('how = "read"', 'how = "guessed"', r"proven\.0\.how"),
    ],
)
def test_a_wrong_description_is_refused_by_the_key(old: str, new: str, named: str) -> None:
    assert old in GOOD
    refused(GOOD.replace(old, new), named)


def test_a_chip_on_the_board_has_no_wires() -> None:
    refused(GOOD + WIRE.format("SDA"), "a chip on the board needs none")
