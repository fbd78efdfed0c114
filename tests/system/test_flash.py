"""Flashing: whatever is cut, the board boots a whole version; damage is noticed; there is a way back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from board_flashing import NEW, CutAfter, flashed, hello, new_package, old_package, open_bench
from hri.boards import load_board
from hri.cli.app import run
from hri.errors import ConfigurationError, DeviceError, HriError, PolicyRefusal
from hri.flash import FlashPackage, Installed, Installer, SerialRepl, install_runtime
from hri.rig.boards import Board
from hri.rig.firmware import device_package
from hri.rig.runtimes.uf2 import from_binary

# How many places of the whole conversation are cut: spread over it, and close together at its end, where the
# new version becomes the current one.
UNIX_UPDATE_CUTS, UNIX_UPDATE_LAST = 14, 14
UNIX_FIRST_CUTS, UNIX_FIRST_LAST = 4, 4
PICO_CUTS, PICO_LAST = 1, 2
_NEVER = 1 << 30
# The pointer, main.py and what is asked before each, in bytes from the host.
_LAST_BYTES = 1200


@pytest.fixture(scope="module")
def old() -> dict[str, FlashPackage]:
    return {kind: old_package(kind) for kind in ("unix", "rpi_pico")}


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FlashPackage]:
    scratch = tmp_path_factory.mktemp("new")
    return {kind: new_package(kind, scratch) for kind in ("unix", "rpi_pico")}


@pytest.fixture
def blank() -> Iterator[Board]:
    """A unix board with nothing on its flash."""
    with open_bench("unix", {}) as board:
        yield board


@pytest.fixture
def flash(tmp_path: Path, old: dict[str, FlashPackage]) -> Iterator[tuple[Board, Path]]:
    """A unix board that the old version was flashed to, and the folder that is its flash."""
    folder = tmp_path / "flash"
    with open_bench("unix", flashed(old["unix"]), folder) as board:
        yield board, folder


def install(board: Board, package: FlashPackage, settings: bytes | None = None) -> Installed:
    with SerialRepl(board.port) as repl:
        return Installer(repl).install(package, settings)


def roll_back(board: Board) -> Installed:
    with SerialRepl(board.port) as repl:
        return Installer(repl).roll_back()


def damaged(board: Board) -> tuple[str, ...]:
    with SerialRepl(board.port) as repl:
        return Installer(repl).verify().damaged


def place(number: int, total: int, spread: int, last: int) -> int:
    """Return place `number` of `spread` over `total` bytes, and of `last` more over the last part of them."""
    if number < spread:
        return total * (number + 1) // (spread + 1)
    return total - _LAST_BYTES * (number - spread + 1) // (last + 1)


def test_a_blank_board_gets_the_package_and_starts_it(blank: Board, old: dict[str, FlashPackage]) -> None:
    done = install(blank, old["unix"])
    assert (done.slot, done.previous, done.bytes_sent) == ("a", None, done.bytes_total)
    assert hello(blank)["package"] == old["unix"].version


def test_an_update_sends_only_what_has_changed(
    flash: tuple[Board, Path], new: dict[str, FlashPackage], old: dict[str, FlashPackage]
) -> None:
    board, _ = flash
    done = install(board, new["unix"])
    changed = {path for path, data in new["unix"].files.items() if data not in old["unix"].files.values()}
    assert set(done.sent) == changed
    assert done.bytes_sent == sum(len(new["unix"].files[path]) for path in changed)
    assert (done.slot, done.previous) == ("b", old["unix"].version)
    assert hello(board)["package"] == NEW


def test_the_same_version_again_moves_nothing(
    flash: tuple[Board, Path], old: dict[str, FlashPackage]
) -> None:
    board, _ = flash
    done = install(board, old["unix"])
    assert (done.slot, done.bytes_sent, len(done.kept)) == ("a", 0, len(old["unix"].files))


def test_a_third_version_reuses_what_the_first_left(
    flash: tuple[Board, Path], new: dict[str, FlashPackage], old: dict[str, FlashPackage]
) -> None:
    board, folder = flash
    install(board, new["unix"])
    done = install(board, old["unix"])
    assert (done.slot, done.bytes_sent) == ("a", 0)
    assert not (folder / "fw/a/hri_device/more.mpy").exists()
    assert hello(board)["package"] == old["unix"].version


def test_rolling_back_starts_the_version_before(
    flash: tuple[Board, Path], new: dict[str, FlashPackage], old: dict[str, FlashPackage]
) -> None:
    board, _ = flash
    install(board, new["unix"])
    assert roll_back(board).version == old["unix"].version
    assert hello(board)["package"] == old["unix"].version
    assert roll_back(board).version == NEW


def test_there_is_no_way_back_from_the_first_version(flash: tuple[Board, Path]) -> None:
    with pytest.raises(PolicyRefusal, match="no earlier version"):
        roll_back(flash[0])


def test_a_damaged_version_is_not_gone_back_to(
    flash: tuple[Board, Path], new: dict[str, FlashPackage]
) -> None:
    board, folder = flash
    install(board, new["unix"])
    flip(folder / "fw/a/hri_device/link.mpy")
    with pytest.raises(PolicyRefusal, match=r"hri_device/link\.mpy"):
        roll_back(board)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_is_noticed_and_mended(flash: tuple[Board, Path], old: dict[str, FlashPackage]) -> None:
    board, folder = flash
    assert damaged(board) == ()
    flip(folder / "fw/a/hri_device/csr.mpy")
    assert damaged(board) == ("hri_device/csr.mpy",)
    done = install(board, old["unix"])
    assert done.sent == ("hri_device/csr.mpy",)
    assert damaged(board) == ()


def test_a_file_that_is_gone_is_noticed(flash: tuple[Board, Path]) -> None:
    board, folder = flash
    (folder / "fw/a/hri_device/csr.mpy").unlink()
    assert damaged(board) == ("hri_device/csr.mpy",)


def test_a_changed_manifest_is_noticed_and_its_folder_is_not_touched(
    flash: tuple[Board, Path], old: dict[str, FlashPackage]
) -> None:
    board, folder = flash
    manifest = folder / "fw/a/manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"0.', b'"1.', 1))
    assert damaged(board) == ("manifest.json",)
    assert install(board, old["unix"]).slot == "b"


def test_settings_are_written_once_and_kept(flash: tuple[Board, Path], new: dict[str, FlashPackage]) -> None:
    board, folder = flash
    install(board, new["unix"], b'{"board": "first"}')
    install(board, new["unix"], b'{"board": "second"}')
    assert json.loads((folder / "hri_board.json").read_text()) == {"board": "first"}
    assert hello(board)["board"] == "first"


def test_a_program_of_the_users_own_is_kept(tmp_path: Path, old: dict[str, FlashPackage]) -> None:
    with open_bench("unix", {"main.py": b"print('mine')\n"}, tmp_path / "flash") as board:
        done = install(board, old["unix"])
    assert done.kept_main == "/main_before_hri.py"
    assert (tmp_path / "flash/main_before_hri.py").read_bytes() == b"print('mine')\n"


def test_files_of_the_board_that_are_not_ours_stay(
    flash: tuple[Board, Path], new: dict[str, FlashPackage]
) -> None:
    board, folder = flash
    (folder / "hri").mkdir()
    (folder / "hri/record").write_bytes(b"certificate")
    install(board, new["unix"])
    assert (folder / "hri/record").read_bytes() == b"certificate"


def test_compiled_files_of_another_format_are_refused_before_anything_is_written(
    flash: tuple[Board, Path], new: dict[str, FlashPackage]
) -> None:
    board, folder = flash
    files = {path: data[:1] + b"\x05" + data[2:] for path, data in new["unix"].files.items()}
    before = sorted(folder.rglob("*"))
    with pytest.raises(ConfigurationError, match=r"\.mpy files of version 6"):
        install(board, FlashPackage("1", files, b"", frozenset()))
    assert sorted(folder.rglob("*")) == before


def test_a_board_that_keeps_a_file_otherwise_than_sent_is_told(
    flash: tuple[Board, Path], new: dict[str, FlashPackage]
) -> None:
    board, _ = flash
    with SerialRepl(board.port) as repl:
        installer = Installer(repl)
        # Flash that cannot hold ones: every hash that is asked for is of something else.
        repl.run("_put_well = _put\ndef _put(p, m, d):\n _put_well(p, m, d)\n open(p, 'ab').write(b'!')")
        with pytest.raises(DeviceError, match="does not keep"):
            installer.install(new["unix"])
    assert hello(board)["package"] != NEW


def test_a_pointer_lost_on_fat_leaves_the_new_version(
    flash: tuple[Board, Path], new: dict[str, FlashPackage]
) -> None:
    # FAT's rename removes the old file first; a cut right after that leaves fw/next alone.
    board, folder = flash
    install(board, new["unix"])
    (folder / "fw/current").rename(folder / "fw/next")
    board.power_cycle()
    assert hello(board)["package"] == NEW
    assert damaged(board) == ()
    assert roll_back(board).slot == "a"
    assert (folder / "fw/current").read_text()[0] == "a"


def cli(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict, dict]:
    """Run `hri --json WORDS` in this process; returns status, result and error."""
    status = run(["--home", str(home), "--json", *words])
    said = capsys.readouterr()
    return status, json.loads(said.out or "{}"), json.loads(said.err or "{}").get("error", {})


def test_the_command_line_flashes_checks_and_goes_back(tmp_path: Path, capsys) -> None:
    flash = tmp_path / "flash"
    with open_bench("unix", {}, flash) as board:
        port = ("--port", board.port)
        status, done, error = cli(tmp_path, capsys, "board", "flash", *port, "--board", "unix")
        assert (status, error) == (0, {})
        assert done["answers"]["package"] == done["version"]
        assert done["bytes_sent"] == done["bytes_total"]
        assert json.loads((flash / "hri_board.json").read_text()) == load_board("unix").settings()
        assert cli(tmp_path, capsys, "board", "verify", *port)[:2] == (
            0,
            {"version": done["version"], "slot": "a", "damaged": []},
        )
        flip(flash / "fw/a/hri_main.mpy")
        status, check, _ = cli(tmp_path, capsys, "board", "verify", *port)
        assert (status, check["damaged"]) == (1, ["hri_main.mpy"])
        status, _, error = cli(tmp_path, capsys, "board", "flash", *port, "--rollback")
        assert (status, error["code"]) == (1, "no-previous")


def test_a_version_that_does_not_start_is_told_with_the_way_back(
    flash: tuple[Board, Path], new: dict[str, FlashPackage], tmp_path: Path, capsys, monkeypatch
) -> None:
    board, _ = flash
    broken = dict(new["unix"].files)
    del broken["hri_main.mpy"]
    package = FlashPackage(NEW, broken, new["unix"].loader, frozenset())
    monkeypatch.setattr("hri.cli.board_flash.build_package", lambda **_: package)
    monkeypatch.setenv("HRI_LINK_TIMEOUT", "0.1")
    status, _, error = cli(tmp_path, capsys, "board", "flash", "--port", board.port)
    assert (status, error["code"]) == (3, "not-answering")
    assert error["hint"] == "run `hri board flash --rollback`"
    monkeypatch.setenv("HRI_LINK_TIMEOUT", "1")
    status, done, _ = cli(tmp_path, capsys, "board", "flash", "--port", board.port, "--rollback")
    assert (status, done["answers"]["package"]) == (0, done["version"])


def test_a_running_board_is_sent_into_its_bootloader_for_a_runtime(tmp_path: Path) -> None:
    drive, image = tmp_path / "RPI-RP2", tmp_path / "image.uf2"
    image.write_bytes(from_binary(b"runtime"))
    # A bootloader that leaves a mark where it can be seen, in the unix board's machine module.
    boot = b"import machine\nmachine.bootloader = lambda: open('bootloader', 'w').close()\n"
    with open_bench("unix", {"boot.py": boot}, tmp_path / "flash") as board:

        def mounted() -> list[Path]:
            if (tmp_path / "flash/bootloader").exists() and not drive.exists():
                drive.mkdir()
                (drive / "INFO_UF2.TXT").write_text("Board-ID: RPI-RP2\n")
            return [drive]

        install_runtime(load_board("rpi_pico"), image, port=board.port, drives=mounted, mount_s=20)
    assert (drive / "HRI.UF2").read_bytes() == image.read_bytes()


def test_a_runtime_without_a_bootloader_is_told(blank: Board, tmp_path: Path) -> None:
    image = tmp_path / "image.uf2"
    image.write_bytes(from_binary(b"runtime"))
    with pytest.raises(DeviceError, match="bootloader"):
        install_runtime(load_board("rpi_pico"), image, port=blank.port, drives=lambda: [])


def test_a_board_in_use_is_told_by_its_holder(blank: Board, tmp_path: Path, capsys) -> None:
    with SerialRepl(blank.port):
        status, _, error = cli(tmp_path, capsys, "board", "verify", "--port", blank.port)
    assert (status, error["code"]) == (3, "port-busy")


def cut_once(board: Board, package: FlashPackage, after: int) -> None:
    """Flash `package` and lose the board after so many bytes; the board is back at the end."""
    cable = CutAfter(board, after)
    with pytest.raises(HriError):
        install(board, package)
    assert cable.cut
    cable.repair()


def measured(board: Board, package: FlashPackage) -> int:
    """Return how many bytes the host sends while it flashes `package`."""
    cable = CutAfter(board, _NEVER)
    install(board, package)
    return cable.heard


@pytest.fixture(scope="module")
def update_bytes(tmp_path_factory: pytest.TempPathFactory, old, new) -> int:
    folder = tmp_path_factory.mktemp("measure")
    with open_bench("unix", flashed(old["unix"]), folder / "flash") as board:
        return measured(board, new["unix"])


@pytest.fixture(scope="module")
def first_bytes(old) -> int:
    with open_bench("unix", {}) as board:
        return measured(board, old["unix"])


@pytest.mark.parametrize("number", range(UNIX_UPDATE_CUTS + UNIX_UPDATE_LAST))
def test_an_update_that_is_cut_leaves_the_old_or_the_new(number, flash, old, new, update_bytes) -> None:
    board, _ = flash
    cut_once(board, new["unix"], place(number, update_bytes, UNIX_UPDATE_CUTS, UNIX_UPDATE_LAST))
    assert hello(board)["package"] in (old["unix"].version, NEW)
    assert damaged(board) == ()


@pytest.mark.parametrize("number", range(UNIX_FIRST_CUTS + UNIX_FIRST_LAST))
def test_a_first_installation_that_is_cut_leaves_what_was_there_and_can_go_on(
    number, tmp_path, new, first_bytes
) -> None:
    # What was there: the package as `mpremote cp` puts it, with the main.py of the tree.
    folder = tmp_path / "flash"
    with open_bench("unix", device_package(), folder) as board:
        before = hello(board)["package"]
        cut_once(board, new["unix"], place(number, first_bytes, UNIX_FIRST_CUTS, UNIX_FIRST_LAST))
        assert hello(board)["package"] in (before, NEW)
        done = install(board, new["unix"])
        assert done.bytes_sent <= done.bytes_total
        assert hello(board)["package"] == NEW
        assert damaged(board) == ()


def test_what_arrived_before_a_cut_is_not_sent_again(blank: Board, old, first_bytes) -> None:
    cut_once(blank, old["unix"], first_bytes * 2 // 3)
    done = install(blank, old["unix"])
    assert 0 < done.bytes_sent < done.bytes_total // 2


@pytest.fixture(scope="module")
def pico_image(tmp_path_factory: pytest.TempPathFactory, old) -> Path:
    """The flash of a Pico that the old version was flashed to."""
    image = tmp_path_factory.mktemp("pico") / "flash"
    with open_bench("rpi_pico", flashed(old["rpi_pico"]), image) as board:
        board.sync()
    return image


@pytest.fixture(scope="module")
def pico_update(tmp_path_factory: pytest.TempPathFactory, pico_image, new) -> Iterator[dict]:
    """What a whole update of a Pico, a look at it and the way back were like."""
    flash = Path(shutil.copy(pico_image, tmp_path_factory.mktemp("update") / "flash"))
    with open_bench("rpi_pico", {}, flash) as board:
        cable = CutAfter(board, _NEVER)
        done = install(board, new["rpi_pico"])
        heard = cable.heard
        updated = hello(board)["package"]
        back = roll_back(board).version
        yield {
            "heard": heard,
            "done": done,
            "updated": updated,
            "back": back,
            "after": hello(board)["package"],
        }


@pytest.fixture(scope="module")
def pico_update_bytes(pico_update) -> int:
    return pico_update["heard"]


def test_a_pico_is_updated_and_taken_back(pico_update, old) -> None:
    done = pico_update["done"]
    assert done.bytes_sent < done.bytes_total // 4
    assert pico_update["updated"] == NEW
    assert pico_update["back"] == pico_update["after"] == old["rpi_pico"].version


@pytest.mark.parametrize("number", range(PICO_CUTS + PICO_LAST))
def test_a_pico_that_loses_its_power_in_an_update_boots_the_old_or_the_new(
    number, tmp_path, pico_image, old, new, pico_update_bytes
) -> None:
    flash = Path(shutil.copy(pico_image, tmp_path / "flash"))
    with open_bench("rpi_pico", {}, flash) as board:
        cut_once(board, new["rpi_pico"], place(number, pico_update_bytes, PICO_CUTS, PICO_LAST))
        assert hello(board)["package"] in (old["rpi_pico"].version, NEW)
        assert damaged(board) == ()
