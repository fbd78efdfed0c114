"""Cisco's libest, EST by other hands than ours: its client and its server, for the tests.

Debian has it from trixie on, so on older systems its two packages are fetched pinned and unpacked under
`build/libest`. They want no more than glibc 2.34 and OpenSSL 3.0, which the system has; those are not pinned,
because every security update would take the pinned ones from the mirror. The system stays untouched.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hri.rig.runtimes import RuntimeUnavailableError, cache_root
from hri.rig.runtimes.cache import locked
from hri.rig.runtimes.debian import Package, Pinned, fetch

_VERSION = "3.2.0+ds-1.1"
_PINNED = Pinned(
    "trixie",
    (
        Package(
            "libest-utils",
            _VERSION,
            False,
            (
                (
                    f"libest-utils_{_VERSION}_amd64.deb",
                    "c987beae066cebdd8ed1525c5718a79dd273879da510de48b7f84eff7a596900",
                ),
            ),
        ),
        Package(
            "libest3",
            _VERSION,
            False,
            (
                (
                    f"libest3_{_VERSION}_amd64.deb",
                    "bd9200c1d7b48fb2f85dd5072ac3085e7a8bed31281e0e84e8276f8e91ccf82b",
                ),
            ),
        ),
    ),
    "install libest-utils from debian trixie or newer",
)
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_PROGRAMS = ("estclient", "estserver")
_UNPACK_DEADLINE_S = 60
_START_DEADLINE_S = 20
_LOCK_DEADLINE_S = 200


@dataclass(frozen=True, slots=True)
class Libest:
    """The paths of both programs, and the variables of the environment that they need."""

    client: Path
    server: Path
    environ: dict[str, str]


def find(progress: Callable[[str], None] = lambda _: None) -> Libest:
    """Return the installed programs, or the unpacked ones, fetched if need be.

    Raises RuntimeUnavailableError where neither can be had; the message says why.
    """
    installed = [shutil.which(name) for name in _PROGRAMS]
    if installed[0] and installed[1]:
        return _runnable(Libest(Path(installed[0]), Path(installed[1]), {}))
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise RuntimeUnavailableError(
            f"libest is pinned for linux on x86_64, not for {sys.platform} on {platform.machine()}; "
            f"{_PINNED.instead}"
        )
    folder = cache_root() / "libest" / _VERSION
    if not folder.is_dir():
        with locked(folder.with_name(f"{_VERSION}.lock"), _LOCK_DEADLINE_S):
            if not folder.is_dir():
                _unpack(folder, progress)
    client, server = (folder / "usr/bin" / name for name in _PROGRAMS)
    return _runnable(Libest(client, server, {"LD_LIBRARY_PATH": str(folder / _LIBRARIES)}))


def _unpack(folder: Path, progress: Callable[[str], None]) -> None:
    """Make `folder` in one step, so that a killed run starts again; the caller holds its lock."""
    downloads = cache_root() / "downloads"
    with tempfile.TemporaryDirectory(prefix="hri-libest-") as scratch:
        fetch(_PINNED, downloads, Path(scratch), folder.with_name("fetch.log"), progress)
    draft = folder.with_name(f"{_VERSION}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for name in (name for package in _PINNED.packages for name, _ in package.files):
        _ran(["dpkg-deb", "-x", str(downloads / name), str(draft)], {}, _UNPACK_DEADLINE_S)
    draft.rename(folder)


def _runnable(libest: Libest) -> Libest:
    """Return it; raises RuntimeUnavailableError where the system's libraries are too old for it."""
    said = _ran([str(libest.client), "-?"], libest.environ, _START_DEADLINE_S, status=255)
    if "Available EST client options" not in said:
        raise RuntimeUnavailableError(f"libest does not run here: {said[:200]}; {_PINNED.instead}")
    return libest


def _ran(command: list[str], environ: dict[str, str], deadline_s: float, status: int = 0) -> str:
    try:
        done = subprocess.run(
            command,
            env=os.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeUnavailableError(f"{command[0]} does not run here: {error}") from error
    said = (done.stdout + done.stderr).decode(errors="replace").strip()
    if done.returncode != status:
        raise RuntimeUnavailableError(f"{command[0]} failed: {said[:200]}")
    return said


def main() -> int:
    """Have it ready; 0 whatever comes of it, because the tests that lack it say so."""
    try:
        find(print)
    except RuntimeUnavailableError as error:
        print(f"the tests with libest will be skipped: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
