"""Putting a runtime on a board: the right image to the right bootloader, or nothing written at all."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hri.boards import BoardDescription, load_board
from hri.errors import ConfigurationError, DeviceError
from hri.flash import esptool, install_runtime, uf2_drive
from hri.flash.uf2_image import Uf2Image
from hri.rig.runtimes.uf2 import RP2040_FAMILY, from_binary

RP2350_FAMILY = 0xE48BFF59
BINARY = bytes(range(256)) * 5
IMAGE = from_binary(BINARY)
INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: {}\r\n"


@pytest.fixture
def pico() -> BoardDescription:
    return load_board("rpi_pico")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.uf2"
    path.write_bytes(IMAGE)
    return path


def drive(folder: Path, board_id: str) -> Path:
    """Make a folder that poses as the drive of a UF2 bootloader."""
    folder.mkdir(parents=True)
    (folder / "INFO_UF2.TXT").write_text(INFO.format(board_id))
    return folder


def written(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir() if path.name != "INFO_UF2.TXT"]


def test_a_whole_image_is_read_with_its_family() -> None:
    assert Uf2Image.from_bytes(IMAGE).families == {RP2040_FAMILY}


def test_a_first_block_for_every_bootloader_is_no_other_family() -> None:
    # What RP2350 images begin with: one block of two, of the absolute family.
    absolute = from_binary(bytes(512), family=0xE48BFF57)[:512]
    image = Uf2Image.from_bytes(absolute + from_binary(BINARY, family=RP2350_FAMILY))
    assert image.families == {RP2350_FAMILY}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "whole number"),
        (IMAGE[:-1], "whole number"),
        (IMAGE[:-512], "ends after 4 of 5"),
        (IMAGE[:512] + IMAGE[1024:], "out of order or one is missing"),
        (IMAGE[512:], "out of order"),
        (b"\0" + IMAGE[1:], "block 0 is no uf2 block"),
        (IMAGE[:1020] + b"\0\0\0\0" + IMAGE[1024:], "block 1 is no uf2 block"),
        (IMAGE[:8] + bytes(4) + IMAGE[12:], "which microcontroller"),
        (IMAGE + IMAGE, "out of order"),
    ],
)
def test_a_damaged_image_is_refused_by_its_block(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Uf2Image.from_bytes(content)


def test_the_image_lands_whole_on_the_drive(pico: BoardDescription, image: Path, tmp_path: Path) -> None:
    target = drive(tmp_path / "RPI-RP2", "RPI-RP2")
    seen: list[tuple[int, int]] = []
    install_runtime(pico, image, port=None, drives=lambda: [target], progress=lambda *done: seen.append(done))
    assert written(target) == [IMAGE]
    assert seen[-1] == (len(IMAGE), len(IMAGE))


def test_the_drive_is_found_by_its_board_id_among_others(
    pico: BoardDescription, image: Path, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    other = drive(tmp_path / "RP2350", "RP2350")
    # The label may be anything: an operating system adds to a name that is there already.
    target = drive(tmp_path / "RPI-RP21", "RPI-RP2")
    install_runtime(pico, image, port=None, drives=lambda: [stick, other, tmp_path / "gone", target])
    assert (written(target), written(other), written(stick)) == ([IMAGE], [], [])


def test_two_boards_in_their_bootloader_are_not_guessed_between(
    pico: BoardDescription, image: Path, tmp_path: Path
) -> None:
    drives = [drive(tmp_path / "one", "RPI-RP2"), drive(tmp_path / "two", "RPI-RP2")]
    with pytest.raises(ConfigurationError, match="several boards"):
        install_runtime(pico, image, port=None, drives=lambda: drives)
    install_runtime(pico, image, port=None, drive=drives[1])
    assert (written(drives[0]), written(drives[1])) == ([], [IMAGE])


def test_without_a_drive_the_user_is_told_how_to_get_one(pico: BoardDescription, image: Path) -> None:
    with pytest.raises(DeviceError) as refused:
        install_runtime(pico, image, port=None, drives=lambda: [])
    assert "BOOTSEL" in refused.value.hint


@pytest.mark.parametrize(
    ("stated", "fits"),
    [("SAMD51J19A-Feather-v0", True), ("SAMD51J19A-Feather", True), ("SAMD51J19A-Featherwing", False)],
)
def test_a_board_id_may_go_on_behind_a_hyphen(stated: str, fits: bool) -> None:
    assert uf2_drive.is_for(load_board("adafruit_feather_m4"), stated) is fits


def test_another_boards_drive_is_not_written(pico: BoardDescription, image: Path, tmp_path: Path) -> None:
    target = drive(tmp_path / "drive", "RP2350")
    with pytest.raises(ConfigurationError, match="bootloader of RP2350"):
        install_runtime(pico, image, port=None, drive=target)
    assert written(target) == []


def test_a_folder_that_is_no_bootloader_is_not_written(
    pico: BoardDescription, image: Path, tmp_path: Path
) -> None:
    target = tmp_path / "documents"
    target.mkdir()
    with pytest.raises(ConfigurationError, match="no uf2 bootloader"):
        install_runtime(pico, image, port=None, drive=target)
    assert list(target.iterdir()) == []


def test_another_microcontrollers_image_is_not_written(pico: BoardDescription, tmp_path: Path) -> None:
    image = tmp_path / "pico2.uf2"
    image.write_bytes(from_binary(BINARY, family=RP2350_FAMILY))
    target = drive(tmp_path / "drive", "RPI-RP2")
    with pytest.raises(ConfigurationError, match="another microcontroller"):
        install_runtime(pico, image, port=None, drive=target)
    assert written(target) == []


def test_a_damaged_image_is_not_written(pico: BoardDescription, image: Path, tmp_path: Path) -> None:
    image.write_bytes(IMAGE[:-512])
    target = drive(tmp_path / "drive", "RPI-RP2")
    with pytest.raises(ConfigurationError, match="no whole uf2 file"):
        install_runtime(pico, image, port=None, drive=target)
    assert written(target) == []


def lost(_descriptor: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_a_drive_that_goes_with_the_last_block_has_done_its_work(
    pico: BoardDescription, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = drive(tmp_path / "drive", "RPI-RP2")
    monkeypatch.setattr(uf2_drive.os, "fsync", lost)
    uf2_drive.write_image(pico, target, Uf2Image.from_bytes(IMAGE))
    assert written(target) == [IMAGE]


def test_a_drive_that_takes_no_more_is_an_interruption(pico: BoardDescription, tmp_path: Path) -> None:
    target = drive(tmp_path / "drive", "RPI-RP2")
    (target / "HRI.UF2").symlink_to("/dev/full")
    with pytest.raises(DeviceError, match=f"took 0 of {len(IMAGE)} bytes: no space left"):
        uf2_drive.write_image(pico, target, Uf2Image.from_bytes(IMAGE))


def test_esptool_is_asked_for_the_chip_the_port_and_the_offset(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(b"\xe9rest")
    ran: list[str] = []

    def run(command: Sequence[str]) -> int:
        ran.extend(command)
        return 0

    esptool.write_image(load_board("esp32"), "/dev/ttyUSB0", image, run=run)
    said = f"-m esptool --chip esp32 --port /dev/ttyUSB0 --baud 460800 write-flash 0x1000 {image}"
    assert ran == [sys.executable, *said.split()]


def test_esptools_failure_is_ours(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(b"\xe9rest")
    with pytest.raises(DeviceError, match="esptool ended with status 2"):
        esptool.write_image(load_board("esp32"), "/dev/ttyUSB0", image, run=lambda _line: 2)


def test_esptool_is_not_started_with_another_kind_of_file(image: Path) -> None:
    with pytest.raises(ConfigurationError, match="no image for ESP32"):
        esptool.write_image(load_board("esp32"), "/dev/ttyUSB0", image, run=lambda _line: pytest.fail("ran"))


def test_esptool_needs_a_port(image: Path) -> None:
    with pytest.raises(ConfigurationError, match="needs the board's port"):
        install_runtime(load_board("esp32"), image, port=None)


def test_the_unix_board_takes_no_image(image: Path) -> None:
    with pytest.raises(ConfigurationError, match="takes no image"):
        install_runtime(load_board("unix"), image, port=None)


def test_an_image_that_is_not_there_is_named(pico: BoardDescription, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.uf2"):
        install_runtime(pico, tmp_path / "gone.uf2", port=None)
