"""A virtual board with a virtual chip on its bus, faults ready to be armed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from hri.home import Home
from hri.rig.atecc import open_chip
from hri.rig.boards import Board, BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.bus_faults import FaultyTarget
from hri.rig.slow_clock import SlowClock
from hri.testing.board import BoardFacts, HriBoard, RuntimeFacts, Usage
from hri.testing.bus import HriBus
from hri.testing.chip import HriChip, VirtualChip
from hri.testing.clock import HriClock
from hri.testing.device import HriDevice
from hri.testing.firmware import digests, package_hash
from hri.testing.kinds import Kind

_FAULT_SEED = 1


class VirtualBoard(HriBoard):
    """A board of `kind` with `files` on its flash and a new chip `variant` on its bus.

    `state` keeps the chip's EEPROM and `flash` the board's files, each forgotten when it stops without one;
    without `soldered` the chip is not on the bus. `timing` is the chip's (`hri.rig.atecc.open_chip`).
    Raises BoardError, RuntimeUnavailableError and ValueError.
    """

    def __init__(
        self,
        kind: Kind,
        files: Mapping[str, bytes],
        *,
        home: Callable[[], Home],
        variant: str = "atecc608b",
        timing: str | float = "none",
        state: Path | None = None,
        flash: Path | None = None,
        soldered: bool = True,
    ) -> None:
        super().__init__(kind.name, virtual=True)
        self._kind = kind
        self._files = dict(files)
        clock = BoardClock()
        slow = None if timing in ("none", 0) else SlowClock(clock)
        self._chip = open_chip(variant, state=state, clock=slow or clock, timing=timing)
        wires = FaultyTarget(self._chip, clock, seed=_FAULT_SEED, slow_clock=slow)
        self._bus = Bus([wires] if soldered else [], clock=clock)
        self._image = kind.image()
        self._board: Board = open_board(
            kind.board, bus=self._bus, flash=flash, package=self._files, clock=clock, runtime=self._image
        )
        self._hri_bus = HriBus(self._bus, wires)
        self._clock = HriClock(clock, self._board.link)
        self._hri_chip = VirtualChip(self._chip, self._bus)
        self._device = HriDevice(lambda: self.port, home, lambda _serial: None, self.alone)

    @property
    def port(self) -> str:
        return self._board.port

    @property
    def chip(self) -> HriChip:
        return self._hri_chip

    @property
    def bus(self) -> HriBus:
        return self._hri_bus

    @property
    def clock(self) -> HriClock:
        return self._clock

    @property
    def device(self) -> HriDevice:
        return self._device

    @property
    def rig(self) -> Board:
        """The rig's own board, whose line can be cut and corrupted (`hri.rig.boards.Link`)."""
        return self._board

    def start(self) -> Self:
        self._board.start()
        return self

    def stop(self) -> None:
        try:
            self._device.hang_up()
            self._board.stop()
        finally:
            self._chip.close()

    def reset(self) -> None:
        self._board.reset()

    def power_cycle(self) -> None:
        self._board.power_cycle()

    def detach(self) -> None:
        self._board.link.cut(hang_up=True)

    def attach(self) -> None:
        self._board.link.restore()

    def facts(self) -> BoardFacts:
        files = digests(self._files)
        runtime = self._board.settings.runtime
        image = hashlib.sha256(self._image.read_bytes()).hexdigest()
        return BoardFacts(
            name=self.name,
            virtual=True,
            port=None,
            runtime=RuntimeFacts(runtime.kind, runtime.version, image),
            chip=self._hri_chip.facts,
            package=package_hash(files),
            files=files,
        )

    def usage(self) -> Usage:
        return Usage(self._hri_bus.counters, self._clock.answering_us, tuple(self._hri_bus.struck))
