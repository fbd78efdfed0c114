"""A real board on a serial port, and its chip as the board reports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Self

import pytest

from hri.errors import DeviceError, HriError
from hri.flash import SerialRepl
from hri.flash.onboard import Onboard
from hri.home import Home
from hri.link.port import Port
from hri.rig.atecc import Chip
from hri.testing.board import BoardFacts, HriBoard, RuntimeFacts
from hri.testing.bus import HriBus
from hri.testing.chip import ChipFacts, HriChip
from hri.testing.clock import HriClock
from hri.testing.device import HriDevice
from hri.testing.firmware import package_hash
from hri.testing.port_lock import PortLock

# The board finds its chip as main.py does, so that wiring in hri_board.json counts.
_READ_CONFIG = """
import sys
from binascii import hexlify
from hri_device import startup
from hri_device.atecc.element import ATECC608
settings = startup.read_settings()
if sys.platform in ('linux', 'darwin'):
    from hri_device.ports import cpython as port
    bus = port.bus_from_environment()
else:
    from hri_device.ports import micropython as port
    bus = port.I2CBus(*[settings.get(k, d) for k, d in
        (('i2c', 0), ('scl', 1), ('sda', 0), ('freq', 400000))])
print(hexlify(ATECC608(bus, settings.get('address')).read_config()).decode())
"""


def _cannot(what: str) -> NoReturn:
    pytest.skip(f"{what} on a real board")


def _chip_facts(run: Callable[[str], str]) -> ChipFacts:
    said = run(_READ_CONFIG)
    try:
        return ChipFacts.from_config(bytes.fromhex(said.strip()))
    except ValueError as error:
        raise DeviceError(
            "board-refused", f"the board printed {said[-80:]!r} for its chip", "look at hri_device on it"
        ) from error


class RealChip:
    """The chip on a real board; every look at it stops the board's program, and starts it again."""

    def __init__(self, run: Callable[[str], str]) -> None:
        self._run = run

    @property
    def facts(self) -> ChipFacts:
        return _chip_facts(self._run)

    @property
    def serial_number(self) -> str:
        return self.facts.serial_number

    @property
    def state(self) -> str:
        _cannot("a chip's power state cannot be seen")

    @property
    def virtual(self) -> Chip:
        _cannot("there is no virtual chip")

    def power_cycle(self) -> None:
        _cannot("the chip's supply cannot be switched")


class RealBoard(HriBoard):
    """The board on `port`, for this run alone.

    `lock_chip` is the serial number of the chip that may be locked, None for none.
    """

    def __init__(self, port: str, *, home: Callable[[], Home], lock_chip: str | None) -> None:
        super().__init__("port", virtual=False)
        self._port = port
        self._lock_chip = lock_chip
        self._claim = PortLock(port)
        self._chip = RealChip(self.run)
        self._device = HriDevice(lambda: self.port, home, self._why_not_lock, self.alone)

    @property
    def port(self) -> str:
        return self._port

    @property
    def chip(self) -> HriChip:
        return self._chip

    @property
    def bus(self) -> HriBus:
        _cannot("its wires cannot be made to fail or be counted")

    @property
    def clock(self) -> HriClock:
        _cannot("its own time cannot be read")

    @property
    def device(self) -> HriDevice:
        return self._device

    def start(self) -> Self:
        self._claim.take()
        probe = Port(self._port)
        try:
            probe.open()
        except BaseException:
            self._claim.release()
            raise
        probe.close()
        return self

    def stop(self) -> None:
        try:
            self._device.hang_up()
        finally:
            self._claim.release()

    def reset(self) -> None:
        self._device.hang_up()
        # By way of its prompt: what follows an interrupt too closely may still go to the program.
        with self.alone(), SerialRepl(self._port):
            pass

    def power_cycle(self) -> None:
        _cannot("its supply cannot be switched")

    def detach(self) -> None:
        _cannot("its cable cannot be pulled")

    def attach(self) -> None:
        """Do nothing: the cable was never pulled."""

    def facts(self) -> BoardFacts:
        runtime, files, chip, problem = None, {}, None, None
        try:
            self._device.hang_up()
            with self.alone(), SerialRepl(self._port) as repl:
                board = Onboard(repl)
                said = board.interpreter
                runtime = RuntimeFacts(said.name, said.version)
                paths = board.sizes("")
                files = {path: digest or "" for path, digest in board.digests("", sorted(paths)).items()}
                chip = _chip_facts(repl.run)
        except HriError as error:
            problem = error.message
        return BoardFacts(
            name=self.name,
            virtual=False,
            port=self._port,
            runtime=runtime,
            chip=chip,
            package=package_hash(files) if files else None,
            files=files,
            problem=problem,
        )

    def usage(self) -> None:
        return None

    def _why_not_lock(self, serial_number: str) -> str | None:
        if self._lock_chip is not None and self._lock_chip.lower() == serial_number.lower():
            return None
        return f"to allow that, add --hri-lock-chip {serial_number}"
