"""What is put on a board's flash before it boots."""

from __future__ import annotations

from pathlib import Path

import pytest
from hri.boards import FileSystem
from hri.rig.boards import BoardError
from hri.rig.boards.files import place_in_folder, read_package
from hri.rig.boards.littlefs_image import place_in_image, read_image

LAYOUT = FileSystem(offset=0, block_size=4096, block_count=16)


def test_a_folder_is_read_without_pythons_caches(tmp_path: Path) -> None:
    (tmp_path / "a/__pycache__").mkdir(parents=True)
    (tmp_path / "a/__pycache__/b.pyc").write_bytes(b"x")
    (tmp_path / "a/b.mpy").write_bytes(b"y")
    assert read_package(tmp_path) == {"a/b.mpy": b"y"}


def test_a_leading_slash_means_the_flash() -> None:
    assert read_package({"/main.py": b"x"}) == {"main.py": b"x"}


@pytest.mark.parametrize("name", ["../main.py", "a//b", "a/./b", ""])
def test_a_path_that_leaves_the_flash_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no path on a board's flash"):
        read_package({name: b""})


def test_equal_files_in_a_folder_are_not_written_again(tmp_path: Path) -> None:
    place_in_folder(tmp_path, {"a/b.py": b"1", "c.py": b"2"})
    before = (tmp_path / "a/b.py").stat().st_ino
    place_in_folder(tmp_path, {"a/b.py": b"1", "c.py": b"3"})
    assert (tmp_path / "a/b.py").stat().st_ino == before
    assert (tmp_path / "c.py").read_bytes() == b"3"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c.py"]


def test_an_image_holds_what_was_placed() -> None:
    files = {"main.py": b"print(1)\n", "lib/deep/x.mpy": bytes(5000)}
    image = place_in_image(LAYOUT, None, files)
    assert len(image) == LAYOUT.size
    assert read_image(LAYOUT, image) == files


def test_placing_equal_files_leaves_an_image_as_it_is() -> None:
    files = {"main.py": b"print(1)\n"}
    image = place_in_image(LAYOUT, None, files)
    assert place_in_image(LAYOUT, image, files) == image


def test_what_a_board_wrote_stays_beside_a_new_package() -> None:
    image = place_in_image(LAYOUT, None, {"own.txt": b"kept", "main.py": b"1"})
    image = place_in_image(LAYOUT, image, {"main.py": b"2"})
    assert read_image(LAYOUT, image) == {"own.txt": b"kept", "main.py": b"2"}


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(BoardError, match="this board's has 65536"):
        place_in_image(LAYOUT, bytes(4096), {})


def test_an_image_that_holds_no_file_system_is_refused() -> None:
    with pytest.raises(BoardError, match="holds no file system"):
        place_in_image(LAYOUT, b"\xff" * LAYOUT.size, {})


def test_a_package_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BoardError, match="could not put the package"):
        place_in_image(LAYOUT, None, {"big.bin": bytes(LAYOUT.size)})
