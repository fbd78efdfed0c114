"""What is put onto a board: compiled files, the loader that starts them, and the manifest of both."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hri.boards import boards_folder, firmware_folder
from hri.rig.runtimes import compile_package

_PACKAGE = "hri_device"
# firmware/main.py by the name under which the loader imports it.
_ENTRY = "hri_main"
# What no MicroPython board imports: the other runtimes' ports, and the store of CircuitPython.
_ELSEWHERE = frozenset({"ports/adafruit.py", "ports/circuitpython.py", "nvmstore.py"})
_UNIX = "ports/cpython.py"
_UNIX_PLATFORMS = ("linux", "darwin")
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of ``content`` in hex."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a manifest: its size in bytes and its SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A version of the package: path below its folder -> size and SHA-256."""

    version: str
    files: Mapping[str, Entry]

    def to_json(self) -> bytes:
        """Return the manifest as the board keeps it; equal manifests give equal bytes."""
        files = {path: [entry.size, entry.sha256] for path, entry in sorted(self.files.items())}
        return json.dumps({"version": self.version, "files": files}, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what `to_json` wrote, which a board may have damaged; raises ValueError."""
        try:
            read = json.loads(text)
            version, files = read["version"], read["files"]
            entries = {str(path): Entry(int(size), str(sha256)) for path, (size, sha256) in files.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("the manifest is damaged") from error
        if not isinstance(version, str) or not entries:
            raise ValueError("the manifest is damaged")
        for path, entry in entries.items():
            if not _is_inside(path) or entry.size < 0 or not _DIGEST.fullmatch(entry.sha256):
                raise ValueError("the manifest is damaged")
        return cls(version, entries)


def _is_inside(path: str) -> bool:
    return bool(path) and all(part not in ("", ".", "..") for part in path.split("/"))


@dataclass(frozen=True, slots=True)
class FlashPackage:
    """Path on the board below the version's folder -> content, and the loader that goes to main.py.

    ``replaceable`` holds the digests of main.py files of our own, which nobody misses.
    """

    version: str
    files: Mapping[str, bytes]
    loader: bytes
    replaceable: frozenset[str]

    @property
    def manifest(self) -> Manifest:
        """Return what the files are to be."""
        entries = {path: Entry(len(data), digest_of(data)) for path, data in self.files.items()}
        return Manifest(self.version, entries)

    @property
    def mpy_version(self) -> int:
        """Return the version of the .mpy format: the second byte of every compiled file."""
        return next(data[1] for path, data in self.files.items() if path.endswith(".mpy"))


def build_package(folder: Path | None = None, *, platform: str = "") -> FlashPackage:
    """Compile the device package for a MicroPython board, from ``folder`` or from the firmware that hri has.

    ``platform`` is the board's sys.platform: the unix port has a bus of its own.

    Raises FileNotFoundError, RuntimeUnavailableError without a compiler, SyntaxError, and ValueError for
    sources that state no version.
    """
    source = folder or firmware_folder()
    stated = _VERSION.search((source / _PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    if stated is None:
        raise ValueError(f"{source / _PACKAGE} states no __version__")
    main = (source / "main.py").read_bytes()
    without = _ELSEWHERE if platform in _UNIX_PLATFORMS else _ELSEWHERE | {_UNIX}
    with tempfile.TemporaryDirectory(prefix="hri-flash-") as scratch:
        sources, out = Path(scratch, "source"), Path(scratch, "compiled")
        for path in (source / _PACKAGE).rglob("*.py"):
            relative = path.relative_to(source / _PACKAGE)
            if relative.as_posix() not in without:
                _copy(path, sources / _PACKAGE / relative)
        _copy(source / "main.py", sources / f"{_ENTRY}.py")
        compile_package(sources, out)
        files = {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.mpy"))}
    loader = (boards_folder() / "loader" / "main.py").read_bytes()
    return FlashPackage(stated[1], files, loader, frozenset({digest_of(main), digest_of(loader)}))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
