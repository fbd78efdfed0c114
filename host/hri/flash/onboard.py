"""The few acts on a board's file system that flashing needs, each one script for its raw REPL."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from hri.errors import DeviceError
from hri.flash.repl import Repl

_T = TypeVar("_T")

# As much as a script carries at once: as base64 it still fits the smallest heap twice.
CHUNK = 1024
# Files that one script hashes or copies: even an emulated board then answers every few seconds.
GROUP = 8

# Sent once. Names begin with an underscore, as they share the prompt's namespace with a user's.
_TOOLS = """
import os, sys, json
from binascii import a2b_base64 as _b64, hexlify as _hex
from hashlib import sha256 as _sha
_buf = bytearray(512)
_view = memoryview(_buf)
os.chdir('/')
def _rename(p, q):
    # Without their slashes: the unix port puts both absolute paths into one buffer.
    os.rename(p[1:], q[1:])
def _stat(p):
    try:
        return os.stat(p)
    except OSError:
        return None
def _hash(p):
    h = _sha()
    with open(p, 'rb') as f:
        while True:
            n = f.readinto(_buf)
            if not n:
                return _hex(h.digest()).decode()
            h.update(_view[:n])
def _walk(top, found, base=''):
    for e in os.ilistdir(top + base):
        p = base + '/' + e[0]
        if e[1] & 0x4000:
            _walk(top, found, p)
        else:
            found[p[1:]] = os.stat(top + p)[6]
    return found
def _dirs(p):
    parts = p.split('/')[1:-1]
    for n in range(len(parts)):
        d = '/' + '/'.join(parts[:n + 1])
        if not _stat(d):
            os.mkdir(d)
def _digests(paths):
    return [_hash(p) if _stat(p) else None for p in paths]
def _read(p):
    try:
        with open(p) as f:
            return f.read()
    except (OSError, UnicodeError):
        return None
def _put(p, mode, data):
    _dirs(p)
    with open(p, mode) as f:
        f.write(_b64(data))
def _copy(p, q):
    _dirs(q)
    with open(p, 'rb') as f, open(q, 'wb') as g:
        while True:
            n = f.readinto(_buf)
            if not n:
                return
            g.write(_view[:n])
"""


def _groups(paths: Iterable[str], size: int) -> Iterator[list[str]]:
    left = list(paths)
    for start in range(0, len(left), size):
        yield left[start : start + size]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What runs on the board: ``platform`` is its sys.platform, ``mpy`` the version of files it takes."""

    name: str
    version: str
    platform: str
    mpy: int


class Onboard:
    """A board's file system; paths are absolute. Raises DeviceError, and ScriptFailed for what it refuses."""

    def __init__(self, repl: Repl) -> None:
        self._repl = repl
        self.bytes_sent = 0
        self.interpreter = self._interpreter()
        repl.run(_TOOLS)

    def _interpreter(self) -> Interpreter:
        said = self._repl.run(
            "import sys\ni = sys.implementation\nprint(i.name, '.'.join(str(v) for v in i.version[:3]),"
            " sys.platform, getattr(i, '_mpy', 0) & 0xff)"
        )
        try:
            name, version, platform, mpy = said.split()
            return Interpreter(name, version, platform, int(mpy))
        except ValueError as error:
            raise DeviceError(
                "board-refused", f"the board says of itself only {said!r}", "flash a runtime with --runtime"
            ) from error

    def _ask(self, expression: str, kind: type[_T]) -> _T:
        """Return the value of ``expression``, which is of ``kind``; a board may print anything."""
        said = self._repl.run(f"print(json.dumps({expression}))")
        try:
            value = json.loads(said)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, kind):
            raise DeviceError(
                "board-refused", f"the board printed {said[-80:]!r}", "run the same command again"
            )
        return value

    def _strings(self, expression: str, count: int = 1) -> list[str | None]:
        """Return the ``count`` members of a list, each a text or None."""
        found = self._ask(expression, list)
        if len(found) != count:
            raise DeviceError(
                "board-refused", f"the board printed {found!r:.80}", "run the same command again"
            )
        return [item if isinstance(item, str) else None for item in found]

    def read(self, path: str) -> str | None:
        """Return a small text file, or None where there is none that can be read."""
        return self._strings(f"[_read({path!r})]")[0]

    def sizes(self, folder: str) -> dict[str, int]:
        """Return every file below ``folder``: path relative to it -> size; empty where there is no folder."""
        found = self._ask(f"_walk({folder!r}, {{}}) if _stat({folder!r}) else {{}}", dict)
        return {str(path): size for path, size in found.items() if isinstance(size, int)}

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of a file in hex, computed on the board, or None where there is no file."""
        return self._strings(f"_digests([{path!r}])")[0]

    def digests(self, folder: str, paths: Iterable[str]) -> dict[str, str | None]:
        """Return the SHA-256 of each file below ``folder``, computed on the board; None for one not there."""
        found: dict[str, str | None] = {}
        for group in _groups(paths, GROUP):
            tops = [f"{folder}/{path}" for path in group]
            found |= dict(zip(group, self._strings(f"_digests({tops!r})", len(tops)), strict=True))
        return found

    def free(self) -> int:
        """Return how many bytes the file system has left."""
        return self._ask("(lambda s: s[0] * s[3])(os.statvfs('/'))", int)

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        self._repl.run(f"if _stat({path!r}): os.remove({path!r})")

    def write(self, path: str, content: bytes) -> None:
        """Write a file, and the folders above it, in pieces of `CHUNK` bytes."""
        for start in range(0, max(1, len(content)), CHUNK):
            piece = content[start : start + CHUNK]
            mode = "ab" if start else "wb"
            self._repl.run(f"_put({path!r}, {mode!r}, {base64.b64encode(piece)!r})")
            self.bytes_sent += len(piece)

    def rename_if_missing(self, source: str, target: str) -> None:
        """Rename ``source`` to ``target`` where only the first is there."""
        self._repl.run(f"if _stat({source!r}) and not _stat({target!r}): _rename({source!r}, {target!r})")

    def copy(self, *pairs: tuple[str, str]) -> None:
        """Copy files on the board, each from the first to the second path of its pair."""
        self._repl.run(f"for _pair in {pairs!r}: _copy(*_pair)")

    def replace(self, path: str, content: bytes, *, by: str | None = None) -> None:
        """Write a file beside ``path`` (as ``by``, else with `.new` behind it) and rename it onto ``path``.

        At no time is there half a file at ``path``; on FAT there is none for a moment.
        """
        beside = by or f"{path}.new"
        self.write(beside, content)
        self._repl.run(f"_rename({beside!r}, {path!r})")
