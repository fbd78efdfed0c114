"""MicroPython for the boards of the rig, and its mpy-cross, built from one unpacked tree."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hri.rig.runtimes import debian, frozen, sources, toolchain, uf2, versions
from hri.rig.runtimes.cache import RuntimeUnavailableError, publish
from hri.rig.runtimes.debian import Progress

ARTIFACTS = {"rpi_pico": "rpi_pico.uf2", "unix": "micropython", "mpy-cross": "mpy-cross"}
_TOOLCHAINS = {frozen.NAME: "rpi_pico"}

_STEP_DEADLINE_S = 1800


def build(targets: Iterable[str], folder: Path, downloads: Path, progress: Progress) -> None:
    """Build ``targets`` and the mpy-cross they need, and put them into ``folder``.

    The output of every tool goes to ``folder/build.log``. The caller holds the lock on ``folder``.
    Raises RuntimeUnavailableError where something is missing or fails.
    """
    targets = sorted({*targets, "mpy-cross"})
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    for target in targets:
        toolchain.require(_TOOLCHAINS.get(target, target), log, progress)
    with tempfile.TemporaryDirectory(prefix="hri-runtime-") as name:
        scratch = Path(name)
        debian.fetch(versions.DEBIAN, downloads, scratch, log, progress)
        progress("unpacking the micropython sources")
        tree = _Tree(scratch, log)
        sources.unpack_tree(downloads, tree.root)
        tree.patch()
        progress("building mpy-cross")
        publish(tree.mpy_cross(), folder / ARTIFACTS["mpy-cross"])
        if "unix" in targets:
            progress("building micropython for unix")
            publish(tree.unix(), folder / ARTIFACTS["unix"])
        if "rpi_pico" in targets:
            progress("building micropython for the raspberry pi pico")
            publish(tree.rpi_pico(), folder / ARTIFACTS["rpi_pico"])
        if frozen.NAME in targets:
            progress("building micropython for the raspberry pi pico with hri_device frozen in")
            _publish_frozen(tree, folder)


def _publish_frozen(tree: _Tree, folder: Path) -> None:
    # Named before it is built: sources that change meanwhile make another name.
    name = frozen.image_name()
    image = tree.rpi_pico_frozen()
    for stale in folder.glob(f"{frozen.NAME}-*.uf2"):
        stale.unlink()
    publish(image, folder / name)


class _Tree:
    def __init__(self, scratch: Path, log: Path) -> None:
        self.root = scratch / "micropython"
        self._scratch = scratch
        self._log = log

    def _run(self, *command: str | Path) -> None:
        words = [str(word) for word in command]
        environment = {
            name: value
            for name, value in os.environ.items()
            # Left in, these would reach the makefiles and change what is built.
            if name not in {"CFLAGS", "LDFLAGS", "CPPFLAGS", "CC", "CXX", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        }
        environment |= {
            "SOURCE_DATE_EPOCH": str(versions.SOURCE_DATE_EPOCH),
            # Else the version is asked of whatever git checkout lies above the tree.
            "MICROPY_GIT_TAG": f"v{versions.MICROPYTHON}",
            "MICROPY_GIT_HASH": "release",
            "LC_ALL": "C",
        }
        with self._log.open("a") as log:
            log.write(f"$ {' '.join(words)}\n")
            log.flush()
            done = subprocess.run(
                words,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=_STEP_DEADLINE_S,
            )
        if done.returncode != 0:
            raise RuntimeUnavailableError(f"{words[0]} failed while building micropython; see {self._log}")

    def _make(self, folder: str, *variables: str) -> None:
        self._run("make", "-C", folder, f"-j{len(os.sched_getaffinity(0))}", *variables)

    def _manifest(self, name: str, text: str) -> Path:
        path = self._scratch / f"manifest_{name}.py"
        path.write_text(text)
        return path

    def patch(self) -> None:
        for name, text, replacement in versions.PATCHES:
            path = self.root / name
            source = path.read_text(encoding="utf-8")
            if text not in source:
                raise RuntimeUnavailableError(
                    f"the micropython sources changed: {name} no longer fits its patch"
                )
            path.write_text(source.replace(text, replacement), encoding="utf-8")

    def mpy_cross(self) -> Path:
        self._make("mpy-cross")
        return self.root / "mpy-cross/build/mpy-cross"

    def unix(self) -> Path:
        manifest = self._manifest("unix", versions.UNIX_MANIFEST)
        self._make("ports/unix", *versions.UNIX_OPTIONS, f"FROZEN_MANIFEST={manifest}")
        return self.root / "ports/unix/build-standard/micropython"

    def rpi_pico(self) -> Path:
        manifest = self._manifest("rp2", versions.RP2_MANIFEST)
        return self._rp2(
            "build",
            *versions.RP2_OPTIONS,
            f"-DMICROPY_BOARD_DIR={self.root / 'ports/rp2/boards/RPI_PICO'}",
            f"-DMICROPY_FROZEN_MANIFEST={manifest}",
        )

    def rpi_pico_frozen(self) -> Path:
        board = frozen.lay_out(self._scratch / "frozen")
        return self._rp2("build-frozen", *versions.RP2_FROZEN_OPTIONS, f"-DMICROPY_BOARD_DIR={board}")

    def _rp2(self, name: str, *options: str) -> Path:
        port = self.root / "ports/rp2"
        self._run("cmake", "-S", port, "-B", port / name, *options)
        self._make(f"ports/rp2/{name}")
        image = self._scratch / f"{name}.uf2"
        image.write_bytes(uf2.from_binary((port / name / "firmware.bin").read_bytes()))
        return image
