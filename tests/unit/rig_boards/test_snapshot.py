"""A board and its chip in one file: what comes out is what went in, or nothing does."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hri.rig.atecc import open_chip
from hri.rig.boards import BoardError
from hri.rig.boards.files import FlashLock, pack_folder, place_in_folder, unpack_folder
from hri.rig.boards.snapshot import RigSnapshot, same_chip, write_whole


@pytest.fixture
def snapshot() -> RigSnapshot:
    chip = open_chip("atecc608b", seed=b"one")
    return RigSnapshot("unix", b"the flash", chip.variant.name, chip.eeprom)


def test_a_snapshot_comes_back_as_it_was(snapshot: RigSnapshot) -> None:
    assert RigSnapshot.from_bytes(snapshot.to_bytes()) == snapshot


def test_a_snapshot_cut_anywhere_is_refused(snapshot: RigSnapshot) -> None:
    whole = snapshot.to_bytes()
    for size in range(0, len(whole), 37):
        with pytest.raises(ValueError, match="no snapshot"):
            RigSnapshot.from_bytes(whole[:size])


def test_a_snapshot_with_a_changed_byte_is_refused_or_says_the_same(snapshot: RigSnapshot) -> None:
    whole = snapshot.to_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        try:
            # ZIP keeps some things twice and some for nobody: times, permissions, versions.
            assert RigSnapshot.from_bytes(bytes(damaged)) == snapshot
        except ValueError as error:
            assert "no snapshot" in str(error)  # noqa: PT017 - either way is right


@pytest.mark.parametrize("about", [b"{}", b"[]", b"null", b'{"version": 2, "board": "unix"}', b"\xff"])
def test_a_snapshot_of_another_version_or_shape_is_refused(snapshot: RigSnapshot, about: bytes) -> None:
    edited = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(snapshot.to_bytes())) as old, zipfile.ZipFile(edited, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, about if entry == "snapshot.json" else old.read(entry))
    with pytest.raises(ValueError, match="no snapshot"):
        RigSnapshot.from_bytes(edited.getvalue())


def test_a_snapshot_goes_only_to_the_kind_of_chip_it_is_of(snapshot: RigSnapshot) -> None:
    same_chip(snapshot, open_chip("atecc608b"))
    with pytest.raises(ValueError, match="atecc608a"):
        same_chip(snapshot, open_chip("atecc608a"))


def test_a_snapshot_is_for_its_owner_alone(tmp_path: Path, snapshot: RigSnapshot) -> None:
    write_whole(tmp_path / "one", snapshot.to_bytes())
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_flash_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    place_in_folder(tmp_path / "a", {"main.py": b"1", "lib/x.py": b"2"})
    archive = pack_folder(tmp_path / "a")
    place_in_folder(tmp_path / "b", {"other.py": b"3"})
    unpack_folder(tmp_path / "b", archive)
    found = {path.relative_to(tmp_path / "b").as_posix() for path in (tmp_path / "b").rglob("*.py")}
    assert found == {"main.py", "lib/x.py"}


def test_what_is_no_flash_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    place_in_folder(tmp_path / "a", {"main.py": b"1"})
    with pytest.raises(ValueError, match="no flash"):
        unpack_folder(tmp_path / "a", b"not a tar archive")
    assert (tmp_path / "a/main.py").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_settings_are_placed_only_where_there_are_none(tmp_path: Path) -> None:
    place_in_folder(tmp_path, {}, {"hri_board.json": b"ours"})
    assert (tmp_path / "hri_board.json").read_bytes() == b"ours"
    (tmp_path / "hri_board.json").write_bytes(b"theirs")
    place_in_folder(tmp_path, {}, {"hri_board.json": b"ours"})
    assert (tmp_path / "hri_board.json").read_bytes() == b"theirs"


def test_one_flash_serves_one_board_at_a_time(tmp_path: Path) -> None:
    first = FlashLock(tmp_path / "flash")
    with pytest.raises(BoardError, match="another board"):
        FlashLock(tmp_path / "flash")
    first.release()
    FlashLock(tmp_path / "flash").release()
