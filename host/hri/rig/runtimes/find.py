"""Which file serves as a runtime: the user's own, the cached one, the official release, or one built now."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from hri.rig.runtimes import emulator, frozen, official, versions
from hri.rig.runtimes.build import ARTIFACTS, build
from hri.rig.runtimes.cache import RuntimeUnavailableError, cache_root, locked
from hri.rig.runtimes.debian import Progress

RUNTIMES = tuple(ARTIFACTS)

_LOCK_DEADLINE_S = 1800


def _quiet(_message: str) -> None:
    pass


def runtime_folder() -> Path:
    """Return the folder in the cache for the pinned versions and this kind of machine."""
    name = f"micropython-{versions.MICROPYTHON}-{platform.machine()}-{versions.cache_key()}"
    return cache_root() / "runtimes" / name


def find_runtime(
    name: str,
    *,
    image: Path | None = None,
    progress: Progress = _quiet,
    environment: Mapping[str, str] = os.environ,
) -> Path:
    """Return the file of the runtime ``name``: ``rpi_pico`` (UF2), ``unix`` or ``mpy-cross`` (programs).

    ``rpi_pico_frozen`` is the UF2 with the device package as it is now frozen in (boards/rpi_pico/frozen).

    An ``image`` named by the caller, or by ``HRI_RUNTIME_RPI_PICO``, ``HRI_RUNTIME_UNIX`` or
    ``HRI_RUNTIME_MPY_CROSS``, is taken as it is. Then comes the cache, then MicroPython's official release of
    the pinned version where there is internet (a board's image only: the unix port has none that signs
    outside), and then a build from the machine's Debian mirror, about a minute.

    Raises ValueError for an unknown name and RuntimeUnavailableError with what to do otherwise.
    """
    if name not in (*RUNTIMES, frozen.NAME):
        raise ValueError(f"unknown runtime {name!r}; there are {', '.join((*RUNTIMES, frozen.NAME))}")
    variable = f"HRI_RUNTIME_{name.upper().replace('-', '_')}"
    named = image or (Path(environment[variable]) if environment.get(variable) else None)
    if named is not None:
        if not named.is_file():
            raise RuntimeUnavailableError(f"the {name} runtime {named} does not exist; check {variable}")
        return named
    return build_runtimes([name], progress)[name]


def _file_name(name: str) -> str:
    return frozen.image_name() if name == frozen.NAME else ARTIFACTS[name]


def build_runtimes(names: Iterable[str] = RUNTIMES, progress: Progress = _quiet) -> dict[str, Path]:
    """Return the cached files of the runtimes ``names``, building those that are missing first.

    Two processes may call this at once: the second waits for the first. Raises RuntimeUnavailableError.
    """
    folder = runtime_folder()
    files = {name: folder / _file_name(name) for name in names}
    if all(path.is_file() for path in files.values()):
        return files
    with locked(folder.with_name(folder.name + ".lock"), _LOCK_DEADLINE_S):
        missing = [
            name
            for name, path in files.items()
            if not path.is_file() and not official.fetch(name, path, progress)
        ]
        if missing:
            build(missing, folder, cache_root() / "downloads", progress)
        if {"rpi_pico", frozen.NAME} & files.keys():
            # Who has just waited for an image is about to emulate it.
            emulator.build(progress)
    return files
