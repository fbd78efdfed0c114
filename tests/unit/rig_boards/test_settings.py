"""board.toml: read as written, refused with the key that is wrong."""

from __future__ import annotations

import pytest
from hri.rig.boards import BoardError, BoardSettings, board_names, load_settings

GOOD = """
name = "x"
title = "X board"
runtime = "unix"
[i2c]
id = 1
hz = 400_000
wake_hz = 100_000
chip_address = 0x60
"""


@pytest.mark.parametrize("name", board_names())
def test_every_board_in_the_tree_is_valid_and_lies_under_its_name(name: str) -> None:
    assert load_settings(name).name == name


def test_the_pico_has_its_bus_on_gp0_and_gp1() -> None:
    i2c = load_settings("rpi_pico").i2c
    assert (i2c.id, i2c.sda, i2c.scl, i2c.hz, i2c.wake_hz) == (0, 0, 1, 400_000, 100_000)


def test_an_unknown_board_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BoardError, match="rpi_pico, unix"):
        load_settings("../unix")


def test_a_good_description_is_read() -> None:
    settings = BoardSettings.from_toml(GOOD)
    assert (settings.title, settings.i2c.id, settings.flash) == ("X board", 1, None)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('title = "X board"', "", "title"),
        ('name = "x"', "name = 3", "name"),
        ("id = 1", "id = true", "i2c.id"),
        ("id = 1", "id = 1\npin = 3", "pin"),
        ("hz = 400_000\n", "", "hz"),
        ("0x60", "0x80", "chip_address"),
        ("wake_hz = 100_000", "wake_hz = 500_000", "wake_hz"),
        ('runtime = "unix"', 'runtime = "unix"\ncolour = "red"', "colour"),
        ('name = "x"', "name = ", "not a board description"),
    ],
)
def test_a_wrong_description_is_refused_by_the_key(old: str, new: str, named: str) -> None:
    with pytest.raises(BoardError, match=named):
        BoardSettings.from_toml(GOOD.replace(old, new))
