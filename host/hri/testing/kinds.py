"""The kinds of virtual board that tests run on: a described board, and the runtime that it boots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hri.boards import load_board
from hri.rig.boards import board_names
from hri.rig.runtimes import find_runtime, frozen


@dataclass(frozen=True, slots=True)
class Kind:
    """A virtual board: `board` is its description's name, `runtime` one of ``hri.rig.runtimes``.

    `files` says whether hri_device goes onto its flash; an image that has it frozen in needs none.
    """

    name: str
    board: str
    runtime: str
    files: bool = True

    def image(self) -> Path:
        """Return the runtime's file; raises RuntimeUnavailableError."""
        return find_runtime(self.runtime)


def kinds() -> Mapping[str, Kind]:
    """Return every kind by its name."""
    found = {}
    for name in board_names():
        virtual = load_board(name).virtual
        if virtual is not None:
            found[name] = Kind(name, name, virtual.runtime)
    found[frozen.NAME] = Kind(frozen.NAME, "rpi_pico", frozen.NAME, files=False)
    return found
