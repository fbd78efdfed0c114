"""Virtual boards: real MicroPython behind a serial port, its I2C on the rig's bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, Self

from hri.rig.boards.clock import BoardClock
from hri.rig.boards.link import Link, bit_flips
from hri.rig.boards.pico import PicoBoard
from hri.rig.boards.settings import BoardError, BoardSettings, board_names, load_settings
from hri.rig.boards.unix import UnixBoard
from hri.rig.bus import Bus
from hri.rig.runtimes import find_runtime

__all__ = (
    "Board",
    "BoardClock",
    "BoardError",
    "BoardSettings",
    "Link",
    "bit_flips",
    "board_names",
    "load_settings",
    "open_board",
)


class Board(Protocol):
    """A board that runs in the background of this process; all methods are safe to call from any thread."""

    settings: BoardSettings
    clock: BoardClock
    link: Link

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
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


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

    ``flash`` keeps the board's files between runs: a littlefs image file for ``rpi_pico``, a folder for
    ``unix``; None forgets them. ``package`` goes onto the flash before power comes on, where it differs from
    what is there: path to content, or a folder. ``clock`` is the one the chips on ``bus`` were given, so that
    they live in the board's time. ``runtime`` is an image to run in place of the pinned one.

    Raises BoardError and RuntimeUnavailableError.
    """
    settings = load_settings(name)
    kinds: dict[str, Callable[..., Board]] = {"rpi_pico": PicoBoard, "unix": UnixBoard}
    if settings.runtime not in kinds:
        raise BoardError(f"nothing here runs the runtime {settings.runtime!r} of {name}")
    return kinds[settings.runtime](
        settings,
        find_runtime(settings.runtime, image=runtime),
        bus=bus,
        flash=flash,
        package={} if package is None else package,
        clock=clock or BoardClock(),
    )
