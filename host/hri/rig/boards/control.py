"""What can be done to a virtual board while it runs, by name: the board's part of the control socket.

``docs/rig.md`` has the requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hri.rig.atecc import Chip
from hri.rig.boards import Board
from hri.rig.boards.snapshot import RigSnapshot, same_chip, write_whole
from hri.rig.bus import Bus

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIX = ".hri-snapshot"

Request = Callable[[dict[str, Any]], dict[str, Any]]


class BoardControl:
    """The requests that a board and its chip understand.

    ``folder`` is where snapshots are kept; None keeps them in memory, as long as the board runs. Requests
    raise ValueError for what makes no sense, BoardError for what the board cannot do, OSError for a folder
    that cannot be written or read. Not for two threads at once.
    """

    def __init__(self, board: Board, chip: Chip, bus: Bus, folder: Path | None = None) -> None:
        self._board = board
        self._chip = chip
        self._bus = bus
        self._folder = folder
        self._kept: dict[str, bytes] = {}
        self._acts: Mapping[str, Callable[[], None]] = {
            "reset": board.reset,
            "power-cycle": board.power_cycle,
            "power-off": board.cut_power,
            "power-on": board.restore_power,
            "detach": lambda: board.link.cut(hang_up=True),
            "attach": board.link.restore,
        }
        self.requests: Mapping[str, Request] = {
            "board": self._act,
            "save": self._save,
            "load": self._load,
            "snapshots": lambda _request: {"snapshots": self._names()},
        }

    def _act(self, request: dict[str, Any]) -> dict[str, Any]:
        act = request.get("act")
        if act is not None:
            if not isinstance(act, str) or act not in self._acts:
                raise ValueError(f'"act" is one of {", ".join(self._acts)}, not {act!r}')
            self._acts[act]()
        return self.status()

    def status(self) -> dict[str, Any]:
        """Return what the board is and how it stands."""
        return {
            "board": self._board.settings.name,
            "port": self._board.port,
            "power": self._board.has_power,
            "attached": self._board.link.open,
            "chip": self._chip.variant.name,
            "serial_number": self._chip.serial_number.hex(),
        }

    def _save(self, request: dict[str, Any]) -> dict[str, Any]:
        name = _name(request)
        # The flash first: a chip that is ahead of its flash is what a power cut leaves too.
        flash = self._board.read_flash()
        with self._bus.exclusive:
            chip = self._chip.eeprom
        content = RigSnapshot(self._board.settings.name, flash, self._chip.variant.name, chip).to_bytes()
        if self._folder is None:
            self._kept[name] = content
            return {"name": name}
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / (name + _SUFFIX)
        write_whole(path, content)
        return {"name": name, "file": str(path)}

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        name = _name(request)
        snapshot = RigSnapshot.from_bytes(self._read(name))
        same_chip(snapshot, self._chip)
        if snapshot.board != self._board.settings.name:
            raise ValueError(f"the snapshot is of a {snapshot.board}, this is a {self._board.settings.name}")
        with self._without_power():
            self._board.replace_flash(snapshot.flash)
            with self._bus.exclusive:
                self._chip.unsafe_load(snapshot.chip)
        return {"name": name, "serial_number": self._chip.serial_number.hex()}

    def _read(self, name: str) -> bytes:
        if self._folder is None and name in self._kept:
            return self._kept[name]
        path = None if self._folder is None else self._folder / (name + _SUFFIX)
        if path is None or not path.is_file():
            raise ValueError(
                f"no snapshot is called {name!r}; there are {', '.join(self._names()) or 'none'}"
            )
        return path.read_bytes()

    def _names(self) -> list[str]:
        if self._folder is None:
            return sorted(self._kept)
        return sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}"))

    @contextmanager
    def _without_power(self) -> Iterator[None]:
        had = self._board.has_power
        if had:
            self._board.cut_power()
        try:
            yield
        finally:
            if had:
                self._board.restore_power()


def _name(request: dict[str, Any]) -> str:
    name = request.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError('"name" is 1 to 64 letters, digits, dots, hyphens and underscores')
    return name
