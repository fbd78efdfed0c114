"""The compilers and libraries a build needs: found, installed where allowed, or named in the error."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from hri.rig.runtimes.cache import RuntimeUnavailableError
from hri.rig.runtimes.debian import Progress

_INSTALL_DEADLINE_S = 600
_BASE = (("gcc", "gcc"), ("make", "make"), ("dpkg-deb", "dpkg"), ("python3", "python3"))
_TARGET_COMMANDS = {
    "rpi_pico": (("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("cmake", "cmake"), ("g++", "g++")),
    "unix": (("pkg-config", "pkg-config"),),
    "mpy-cross": (),
}
# A file of each library, as `arm-none-eabi-gcc -print-file-name` finds it.
_ARM_LIBRARIES = (
    ("libc.a", "libnewlib-arm-none-eabi"),
    ("libstdc++.a", "libstdc++-arm-none-eabi-newlib"),
)


def _answers(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def missing_packages(target: str) -> list[str]:
    """Return the Debian packages that a build of ``target`` lacks on this machine."""
    missing = [
        package for command, package in (*_BASE, *_TARGET_COMMANDS[target]) if shutil.which(command) is None
    ]
    if shutil.which("gcc") and not Path(_answers("gcc", "-print-file-name=libc.so")).is_absolute():
        missing.append("libc6-dev")
    if target == "rpi_pico":
        missing += [
            package
            for file, package in _ARM_LIBRARIES
            # gcc prints the bare name back for a library it does not know.
            if not Path(_answers("arm-none-eabi-gcc", f"-print-file-name={file}")).is_absolute()
        ]
    if target == "unix" and not _answers("pkg-config", "--modversion", "libffi"):
        missing.append("libffi-dev")
    return missing


def require(target: str, log: Path, progress: Progress) -> None:
    """Make sure that ``target`` can be built, installing what is missing when run as root with apt.

    Raises RuntimeUnavailableError naming the packages otherwise.
    """
    missing = missing_packages(target)
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        progress(f"installing {', '.join(missing)}")
        # The lists of a fresh image are often empty, so the first refusal is worth an update.
        if not (_apt(command, log) or (_apt(["apt-get", "update"], log) and _apt(command, log))):
            raise RuntimeUnavailableError(f"could not install {' '.join(missing)}; see {log}")
        missing = missing_packages(target)
    if missing:
        raise RuntimeUnavailableError(
            f"building the {target} runtime needs {' '.join(missing)}; run: sudo {' '.join(command)}"
        )


def _apt(command: list[str], log: Path) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with log.open("a") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=_INSTALL_DEADLINE_S,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0
