"""Flashing on FAT and littlefs, with the power gone after every single write to the block device."""

from __future__ import annotations

import pytest
from block_device_board import BlockDeviceBoard
from hri.boards import boards_folder
from hri.flash import FlashPackage, Installer

LOADER = (boards_folder() / "loader" / "main.py").read_bytes()
LEGACY = b"print('legacy')\n"
SYSTEMS = ("littlefs", "fat")


def version(name: str) -> FlashPackage:
    """A version that prints its name twice when it starts, from two files, so that a mixture shows."""
    files = {
        "hri_main.py": f"import part\ndef main():\n    print('{name}', part.NAME)\n".encode(),
        "part.py": f"NAME = '{name}'\n".encode(),
        "same.mpy": b"M\x06" + bytes(3000),
        f"only_{name}.py": b"# " + name.encode() * 300,
    }
    return FlashPackage(name, files, LOADER, frozenset())


@pytest.fixture(params=SYSTEMS)
def board(request: pytest.FixtureRequest):
    with BlockDeviceBoard(request.param) as made:
        made.kind = request.param
        yield made


def runs_of(lines: list[str]) -> list[str]:
    """Return the lines with repetitions left out."""
    return [line for at, line in enumerate(lines) if at == 0 or line != lines[at - 1]]


def test_an_update_is_at_every_write_the_old_or_the_new(board) -> None:
    Installer(board).install(version("one"))
    board.remember()
    Installer(board).install(version("two"))
    boots = board.boots()
    assert len(boots) > 20
    assert runs_of(boots) == ["one one", "two two"]


def test_the_third_version_takes_the_firsts_place_as_safely(board) -> None:
    Installer(board).install(version("one"))
    Installer(board).install(version("two"))
    board.remember()
    Installer(board).install(version("three"))
    assert runs_of(board.boots()) == ["two two", "three three"]


def test_going_back_is_at_every_write_the_one_or_the_other(board) -> None:
    Installer(board).install(version("one"))
    Installer(board).install(version("two"))
    board.remember()
    Installer(board).roll_back()
    assert runs_of(board.boots()) == ["two two", "one one"]


def test_a_first_installation_leaves_what_was_there_until_it_is_whole(board) -> None:
    board.place([("main.py", LEGACY)])
    board.remember()
    Installer(board).install(version("one"))
    # FAT has no main.py for a moment when one takes the place of another; the next flash mends that.
    gap = ["nothing"] if board.kind == "fat" else []
    assert runs_of(board.boots()) == ["legacy", *gap, "one one"]


def test_an_update_after_a_pointer_was_lost_is_as_safe(board) -> None:
    # What a cut in the middle of FAT's rename leaves: fw/next alone.
    Installer(board).install(version("one"))
    board.run("import os\nos.rename('fw/current', 'fw/next')")
    board.remember()
    Installer(board).install(version("two"))
    assert runs_of(board.boots()) == ["one one", "two two"]
