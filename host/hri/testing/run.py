"""One run of pytest: opens its boards, and remembers what each was and did."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hri.errors import HriError
from hri.flash.onboard import Onboard
from hri.flash.repl import SerialRepl
from hri.home import Home, Passphrases
from hri.testing.board import BoardFacts, HriBoard, Usage
from hri.testing.device import no_home, temporary_home
from hri.testing.firmware import board_files, digests
from hri.testing.kinds import kinds
from hri.testing.options import REAL, BadOption, Options
from hri.testing.real import RealBoard
from hri.testing.virtual import VirtualBoard

_numbers = itertools.count(1)


@dataclass
class Opened:
    """A board that was opened: `id` is its own in the whole run, `locks` says how its chip was seen last."""

    id: str
    board: HriBoard
    facts: BoardFacts | None
    locks: dict[str, bool] | None = None
    open: bool = True

    def look(self) -> None:
        """Note how the locks of a virtual chip are now; a real one is only asked when it is let go."""
        if self.open and self.board.virtual:
            self._read_locks()

    def _read_locks(self) -> None:
        try:
            chip = self.board.chip.facts
        except HriError:
            self.locks = None
        else:
            self.locks = {"config": chip.config_locked, "data": chip.data_locked}

    def close(self, *, ask: bool) -> None:
        """Note the locks a last time, with `ask` a real chip's too, and stop the board."""
        if self.board.virtual or ask:
            self._read_locks()
        self.open = False
        self.board.stop()

    def as_dict(self) -> dict[str, Any]:
        """Return what a report says of the board; empty where nobody asked for facts."""
        if self.facts is None:
            return {}
        return {"id": self.id, **asdict(self.facts), "locks_after": self.locks}


class Run:
    """Opens boards as the options say.

    `folder` makes a scratch folder of a name; with `reported`, boards are asked for what a report says.
    """

    def __init__(self, options: Options, folder: Callable[[str], Path], *, reported: bool) -> None:
        self.options = options
        self.opened: list[Opened] = []
        self._folder = folder
        self._reported = reported
        self._files: dict[str, dict[str, bytes]] = {}

    def open(self, kind: str, *, variant: str | None = None) -> HriBoard:
        """Return a running board of `kind` with a new chip, or the real one; `close` gives it back.

        Raises HriError, BoardError, RuntimeUnavailableError, BadOption and what the project's files cause.
        """
        board = self._real() if kind == REAL else self._virtual(kind, variant or self.options.chip)
        board.start()
        try:
            if kind == REAL and self.options.firmware is not None:
                self._bring(board)
            return self.adopt(board)
        except BaseException:
            board.stop()
            raise

    def adopt(self, board: HriBoard) -> HriBoard:
        """Take a running board on record; `close` then stops it."""
        facts = board.facts() if self._reported else None
        opened = Opened(f"{os.getpid()}-{next(_numbers)}", board, facts)
        opened.look()
        self.opened.append(opened)
        return board

    def close(self, board: HriBoard) -> None:
        """Stop a board; what it was and did stays on record."""
        for opened in self.opened:
            if opened.board is board and opened.open:
                opened.close(ask=self._reported)

    def usage(self) -> dict[str, Usage]:
        """Return what each virtual board did so far, by its id."""
        found = {opened.id: opened.board.usage() for opened in self.opened}
        return {id: usage for id, usage in found.items() if usage is not None}

    def _virtual(self, kind: str, variant: str) -> HriBoard:
        described = kinds()[kind]
        return VirtualBoard(
            described,
            self._files_of(described.board, device=described.files),
            # One a board: a chip that is provisioned obeys its own authority alone.
            home=functools.cache(self._temporary_home),
            variant=variant,
            timing=self.options.timing,
        )

    def _files_of(self, board: str, *, device: bool) -> dict[str, bytes]:
        key = f"{board} {device}"
        if key not in self._files:
            self._files[key] = board_files(
                board, self.options.firmware, compiled=self.options.compiled, device=device
            )
        return self._files[key]

    def _temporary_home(self) -> Home:
        return temporary_home(self._folder("hri-home"))

    def _real(self) -> HriBoard:
        home = self.options.home
        given = no_home if home is None else lambda: Home(home, Passphrases(os.environ), environ=os.environ)
        return RealBoard(self.options.port or "", home=given, lock_chip=self.options.lock_chip)

    def _bring(self, board: HriBoard) -> None:
        """Have the project's files on a real board, writing those that differ where that was allowed."""
        with SerialRepl(board.port) as repl:
            onboard = Onboard(repl)
            files = self._wanted(onboard.interpreter.platform)
            there = onboard.digests("", sorted(files))
            stale = [path for path, digest in digests(files).items() if there[path] != digest]
            if stale and not self.options.flash:
                shown = ", ".join(stale[:4]) + (" ..." if len(stale) > 4 else "")
                raise BadOption(
                    f"{len(stale)} files on the board at {board.port} are not those of --hri-firmware: "
                    f"{shown}; add --hri-flash to write them"
                )
            for path in stale:
                onboard.replace(f"/{path}", files[path])

    def _wanted(self, platform: str) -> dict[str, bytes]:
        files = board_files(
            "unix" if platform in ("linux", "darwin") else "rpi_pico",
            self.options.firmware,
            compiled=self.options.compiled,
        )
        # A real board's wiring is its own, as it is described on it.
        own = self.options.firmware is not None and (self.options.firmware / "hri_board.json").is_file()
        return files if own else {path: data for path, data in files.items() if path != "hri_board.json"}
