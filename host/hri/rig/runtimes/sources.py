"""MicroPython's source tree, with the libraries that Debian packages apart from it."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

from hri.rig.runtimes.versions import PACKAGES


def unpack_tree(downloads: Path, target: Path) -> None:
    """Unpack MicroPython to ``target`` with its libraries from the other packages under ``lib/``."""
    files = {name: downloads / name for package in PACKAGES for name, _ in package.files}
    tarballs = [path for name, path in files.items() if ".orig.tar." in name]
    debs = [path for name, path in files.items() if name.endswith(".deb")]
    parts = target.with_name(target.name + ".parts")
    for tarball in tarballs:
        with tarfile.open(tarball) as archive:
            # Their content is pinned by hash; the filter, where this Python has it, is a second fence.
            if hasattr(tarfile, "data_filter"):
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(parts)  # noqa: S202
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", deb, parts], check=True, timeout=120)
    next(parts.glob("micropython-*")).rename(target)
    moves = {
        next(parts.glob("mbedtls-*")): "mbedtls",
        parts / "usr/src/pico-sdk": "pico-sdk",
        parts / "usr/src/tinyusb": "tinyusb",
    }
    for source, name in moves.items():
        # Debian strips these, and leaves the empty folders of the submodules behind.
        shutil.rmtree(target / "lib" / name, ignore_errors=True)
        source.rename(target / "lib" / name)
    # The makefiles take this file as the sign that the submodules are there.
    (target / "lib/micropython-lib").mkdir(exist_ok=True)
    (target / "lib/micropython-lib/README.md").touch()
    shutil.rmtree(parts)
