"""The files of a board under test, and the hash over them."""

import hashlib
import json
import subprocess

import pytest
from hri.testing.firmware import board_files, digests, package_hash


def test_hri_device_is_there_with_the_boards_settings():
    files = board_files("rpi_pico", None, compiled=False)
    assert json.loads(files["hri_board.json"])["board"] == "rpi_pico"
    assert {"main.py", "hri_device/service.mpy"} <= files.keys()


def test_the_projects_files_stand_over_ours(tmp_path):
    (tmp_path / "main.py").write_text("print('mine')\n")
    (tmp_path / "hri_board.json").write_text("{}")
    files = board_files("unix", tmp_path, compiled=False)
    assert (files["main.py"], files["hri_board.json"]) == (b"print('mine')\n", b"{}")
    assert "hri_device/service.mpy" in files


def test_compiled_is_what_is_not_started_by_its_name(tmp_path):
    (tmp_path / "lib").mkdir()
    for name in ("main.py", "boot.py", "lib/blink.py"):
        (tmp_path / name).write_text("x = 1\n")
    files = board_files("unix", tmp_path, compiled=True, device=False)
    assert files.keys() == {"hri_board.json", "main.py", "boot.py", "lib/blink.mpy"}
    assert files["lib/blink.mpy"][:1] == b"M"


def test_a_source_that_does_not_compile_is_named(tmp_path):
    (tmp_path / "blink.py").write_text("def\n")
    with pytest.raises(SyntaxError, match=r"blink\.py"):
        board_files("unix", tmp_path, compiled=True, device=False)


def test_the_package_hash_is_that_of_what_sha256sum_prints(tmp_path):
    files = {"b.py": b"2", "a/c.py": b"1"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    printed = subprocess.run(
        ["sha256sum", "a/c.py", "b.py"], cwd=tmp_path, capture_output=True, timeout=10, check=True
    )
    assert package_hash(digests(files)) == hashlib.sha256(printed.stdout).hexdigest()


def test_another_name_or_content_is_another_package():
    hashes = {package_hash(digests(files)) for files in ({"a": b"1"}, {"b": b"1"}, {"a": b"2"}, {})}
    assert len(hashes) == 4
