"""Boards to flash: two versions of the package that can be told apart, and a cable that fails on command."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from hri.boards import boards_folder, firmware_folder
from hri.flash import FlashPackage, build_package
from hri.flash.package import digest_of
from hri.link import Deadlines, SerialLink
from hri.rig.atecc import open_chip
from hri.rig.boards import Board, BoardClock, open_board
from hri.rig.bus import Bus

NEW = "9.9.9"
# An emulated board on a busy machine is slow, not broken.
PATIENT = Deadlines.from_environment({"HRI_LINK_TIMEOUT": "4"})
PLATFORMS = {"unix": "linux", "rpi_pico": "rp2"}
# Neither the service nor its driver imports these, and fewer files make for more cuts in the same time.
_LEFT_OUT = ("chipstore", "compressed", "crc32", "element", "sha1")
_CHIP = ("__init__", "packet", "session", "commands", "element")


def _small(package: FlashPackage) -> FlashPackage:
    def wanted(path: str) -> bool:
        folder, _, name = path.removesuffix(".mpy").rpartition("/")
        return (
            name in _CHIP if folder.endswith("atecc") else not (folder == "hri_device" and name in _LEFT_OUT)
        )

    return dataclasses.replace(package, files={p: data for p, data in package.files.items() if wanted(p)})


def old_package(kind: str) -> FlashPackage:
    """The package in the tree, as small as still serves."""
    return _small(build_package(platform=PLATFORMS[kind]))


def new_package(kind: str, scratch: Path) -> FlashPackage:
    """The same with another version, a module more, one changed and one in another place."""
    folder = Path(shutil.copytree(firmware_folder(), scratch / f"firmware-{kind}"))
    init, startup = folder / "hri_device/__init__.py", folder / "hri_device/startup.py"
    old = f'__version__ = "{build_version(init)}"'
    init.write_text(init.read_text().replace(old, f'__version__ = "{NEW}"'))
    startup.write_text(startup.read_text() + "\n\ndef more():\n    return 1\n")
    (folder / "hri_device/more.py").write_text("MORE = 1\n")
    return _small(build_package(folder, platform=PLATFORMS[kind]))


def build_version(init: Path) -> str:
    return init.read_text().partition('__version__ = "')[2].partition('"')[0]


def flashed(package: FlashPackage, slot: str = "a") -> dict[str, bytes]:
    """The files of a board that `package` was flashed to."""
    manifest = package.manifest.to_json()
    return {
        "main.py": (boards_folder() / "loader/main.py").read_bytes(),
        "fw/current": f"{slot} {digest_of(manifest)}\n".encode(),
        f"fw/{slot}/manifest.json": manifest,
        **{f"fw/{slot}/{path}": data for path, data in package.files.items()},
    }


def open_bench(kind: str, files: dict[str, bytes], flash: Path | None = None) -> Board:
    """A board with a blank chip and `files` on its flash, not yet started."""
    clock = BoardClock()
    bus = Bus([open_chip("atecc608b", state=None, clock=clock, timing="none")])
    return open_board(kind, bus=bus, package=files, flash=flash, clock=clock)


def hello(board: Board) -> dict[str, object]:
    with SerialLink.open(board.port, deadlines=PATIENT) as link:
        return link.call("hello", {})


class CutAfter:
    """Takes the board's cable, and with it its power, after so many bytes from the host.

    Everything stops where it is: whatever the board was doing with what it had heard is not finished.
    """

    def __init__(self, board: Board, count: int) -> None:
        self._board = board
        self._left = count
        self.heard = 0
        self.cut = False
        board.link.corrupt(to_board=self)

    def __call__(self, data: bytes) -> bytes:
        if self.cut:
            return b""
        self.heard += len(data)
        if self.heard < self._left:
            return data
        self.cut = True
        self._board.cut_power()
        self._board.link.cut(hang_up=True)
        return b""

    def repair(self) -> None:
        """Plug the cable in again."""
        self._board.link.restore()
        self._board.restore_power()
