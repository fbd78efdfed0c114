"""Virtual boards: real MicroPython behind a serial port, its I2C on the rig's bus."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, Self

from hri.boards import BoardDescription, BoardError, load_board
from hri.boards import board_names as described_boards
from hri.rig.boards.clock import BoardClock
from hri.rig.boards.link import Link, bit_flips
from hri.rig.boards.pico import PicoBoard
from hri.rig.boards.unix import UnixBoard
from hri.rig.bus import Bus
from hri.rig.runtimes import find_runtime

_SETTINGS = "hri_board.json"

__all__ = (
    "Board",
    "BoardClock",
    "BoardDescription",
    "BoardError",
    "Link",
    "bit_flips",
    "board_names",
    "open_board",
)


class Board(Protocol):
    """A board that runs in the background of this process; all methods are safe to call from any thread."""

    settings: BoardDescription
    clock: BoardClock
    link: Link

    @property
    def has_power(self) -> bool: ...

    @property
    def port(self) -> str:
        """Return the path of the serial port that clients open; it stays the same for the board's life."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def sync(self) -> None: ...
    def reset(self) -> None: ...
    def power_cycle(self) -> None: ...
    def cut_power(self) -> None: ...
    def restore_power(self) -> None: ...
    def read_flash(self) -> bytes: ...
    def replace_flash(self, content: bytes) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def board_names() -> list[str]:
    """Return the names of the boards that the rig runs, or has something to run in the place of, in order."""
    return [name for name in described_boards() if load_board(name).virtual]


def open_board(
    name: str,
    *,
    bus: Bus,
    flash: Path | None = None,
    package: Mapping[str, bytes] | Path | None = None,
    clock: BoardClock | None = None,
    runtime: Path | None = None,
) -> Board:
    """Return the board ``name``, not yet started: use it in a ``with`` statement, or call `Board.start`.

    ``flash`` keeps the board's files between runs: a littlefs image with an emulated RP2040, a folder
    otherwise; None forgets them. One board at a time may have it. ``package`` goes onto the flash before
    power comes on, where it differs from what is there: path to content, or a folder. ``clock`` is the one
    the chips on ``bus`` were given, so that they live in the board's time. ``runtime`` is an image to run in
    place of the pinned one. A board for which another stands in (``settings.virtual.stand_in``) gets its own
    hri_board.json, unless there is one.

    Raises BoardError and RuntimeUnavailableError.
    """
    settings = load_board(name)
    virtual = settings.virtual
    kinds: dict[str, Callable[..., Board]] = {"rpi_pico": PicoBoard, "unix": UnixBoard}
    if virtual is None or virtual.runtime not in kinds:
        raise BoardError(f"there is no virtual {name}; there are {', '.join(board_names())}")
    return kinds[virtual.runtime](
        settings,
        find_runtime(virtual.runtime, image=runtime),
        bus=bus,
        flash=flash,
        package={} if package is None else package,
        unless_there={_SETTINGS: json.dumps(settings.settings()).encode()} if virtual.stand_in else {},
        clock=clock or BoardClock(),
    )
