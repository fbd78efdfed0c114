"""The image with the package frozen in: it boots, has its chip provisioned, and starts a newer version."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from board_flashing import NEW, flashed, hello, new_package
from hil_bench import new_bench
from hri.boards import boards_folder, firmware_folder
from hri.rig.atecc import open_chip
from hri.rig.boards import Board, BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.runtimes import RuntimeUnavailableError, find_runtime, frozen
from hri.rig.runtimes.toolchain import missing_packages


@pytest.fixture(scope="module")
def image() -> Path:
    """The image of the sources as they are: from the cache, or built in about a minute."""
    try:
        return find_runtime(frozen.NAME)
    except RuntimeUnavailableError as error:
        if missing_packages("rpi_pico"):
            pytest.skip(f"no cross-compiler for the frozen image: {error}")
        raise


def open_frozen(image: Path, files: dict[str, bytes]) -> Board:
    clock = BoardClock()
    bus = Bus([open_chip("atecc608b", state=None, clock=clock, timing="none")])
    return open_board("rpi_pico", bus=bus, package=files, runtime=image, clock=clock)


@pytest.fixture(scope="module")
def board(image: Path) -> Iterator[Board]:
    with open_frozen(image, {}) as running:
        yield running


def test_an_empty_flash_boots_the_frozen_package(board: Board) -> None:
    said = hello(board)
    assert (said["board"], said["stage"]) == ("Raspberry Pi Pico with hri_device with RP2040", "blank")


def test_the_chip_of_a_frozen_board_is_provisioned(board: Board, tmp_path: Path) -> None:
    bench = new_bench("rpi_pico", tmp_path, {})
    done = bench.hri("--json", "provision", "--port", board.port, "--device-id", "frozen-1", "--lock")
    assert done.status == 0, done.err
    answer = bench.hri("--json", "authenticate", "--port", board.port)
    assert (answer.status, answer.json["trusted"]) == (0, True)
    assert hello(board)["stage"] == "certified"


def test_a_flashed_version_is_started_in_place_of_the_frozen_one(image: Path, tmp_path: Path) -> None:
    files = flashed(new_package("rpi_pico", tmp_path))
    # The loader too is frozen: the one on the flash is not read.
    del files["main.py"]
    with open_frozen(image, files) as running:
        assert hello(running)["package"] == NEW


def test_the_entry_is_the_main_py_of_the_tree() -> None:
    entry = boards_folder() / "rpi_pico/frozen/hri_main.py"
    assert entry.read_bytes() == (firmware_folder() / "main.py").read_bytes()


def test_other_sources_have_another_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = frozen.image_name()
    folder = Path(shutil.copytree(firmware_folder(), tmp_path / "firmware"))
    monkeypatch.setattr("hri.rig.runtimes.frozen.firmware_folder", lambda: folder)
    assert frozen.image_name() == before
    (folder / "hri_device/cbor.py").write_text("changed = 1\n")
    assert frozen.image_name() != before


def test_the_sources_lie_as_the_manifest_names_them(tmp_path: Path) -> None:
    board = frozen.lay_out(tmp_path)
    assert (board / "manifest.py").is_file()
    for named in ("hri_main.py", "../../loader/main.py", "../../../firmware/hri_device/__init__.py"):
        assert (board / named).is_file()
    assert not (board / "hri_main.py").is_symlink()
