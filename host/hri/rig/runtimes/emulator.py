"""The emulator's own core, recompiled for this interpreter: about four times faster than its wheel.

The wheel of rp2040py is built against Python's limited API, which costs a call where the full one reads a
field. It also ships the generated C, so the same code is compiled again without that limit and put before the
wheel's copy on import. Without a compiler or Python's headers the wheel's copy serves, only slower.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from hri.rig.runtimes.cache import cache_root, locked, publish
from hri.rig.runtimes.debian import Progress

_PACKAGE = "rp2040py.native"
_FLAGS = ("-O2", "-fno-strict-aliasing", "-DNDEBUG", "-fPIC", "-shared", "-w")
_COMPILE_DEADLINE_S = 300
_LOCK_DEADLINE_S = 600


def _sources() -> list[Path]:
    spec = importlib.util.find_spec("rp2040py")
    if spec is None or not spec.submodule_search_locations:
        return []
    native = Path(spec.submodule_search_locations[0]) / "native"
    return sorted(source for source in native.glob("_*.c") if source.with_suffix(".abi3.so").exists())


def _folder(sources: Sequence[Path]) -> Path:
    digest = hashlib.sha256(repr((_FLAGS, sys.version, sysconfig.get_platform())).encode())
    digest.update(importlib.metadata.version("rp2040py").encode())
    for source in sources:
        digest.update(f"{source.name} {source.stat().st_size} ".encode())
    return cache_root() / "emulator" / digest.hexdigest()[:12]


def _compiled(sources: Sequence[Path], folder: Path) -> dict[str, Path] | None:
    modules = {f"{_PACKAGE}.{source.stem}": folder / f"{source.stem}.so" for source in sources}
    return modules if modules and all(path.is_file() for path in modules.values()) else None


def build(progress: Progress) -> bool:
    """Compile the emulator's core into the cache; False where this machine cannot."""
    sources = _sources()
    folder = _folder(sources)
    if _compiled(sources, folder):
        return True
    include = sysconfig.get_paths()["include"]
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not sources or compiler is None or not (Path(include) / "Python.h").is_file():
        return False
    with locked(folder.with_suffix(".lock"), _LOCK_DEADLINE_S):
        if _compiled(sources, folder):
            return True
        progress("compiling the core of the emulator")
        with tempfile.TemporaryDirectory(prefix="hri-emulator-") as scratch:
            for source in sources:
                output = Path(scratch) / f"{source.stem}.so"
                done = subprocess.run(
                    [compiler, *_FLAGS, f"-I{include}", source, "-o", output],
                    capture_output=True,
                    check=False,
                    timeout=_COMPILE_DEADLINE_S,
                )
                if done.returncode != 0:
                    return False
                publish(output, folder / output.name)
    return True


class _CompiledFinder(importlib.abc.MetaPathFinder):
    def __init__(self, modules: dict[str, Path]) -> None:
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        found = self._modules.get(fullname)
        return importlib.util.spec_from_file_location(fullname, found) if found else None


def prefer_compiled() -> bool:
    """Have a later import of rp2040py take the compiled core if it is cached; False where it will not.

    All modules come from one place or the other: they share C structures.
    """
    if any(name.startswith(_PACKAGE) for name in sys.modules):
        return False
    if any(isinstance(finder, _CompiledFinder) for finder in sys.meta_path):
        return True
    sources = _sources()
    modules = _compiled(sources, _folder(sources)) if sources else None
    if modules is None:
        return False
    sys.meta_path.insert(0, _CompiledFinder(modules))
    return True
