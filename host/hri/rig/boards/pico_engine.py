"""The emulated RP2040 and its time: as fast as it can compute, never ahead of the wall for its host."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hri.boards import BoardError
from hri.rig.boards.pico_console import PatientConsole
from hri.rig.boards.pico_i2c import I2cAttachment
from hri.rig.bus import Bus
from hri.rig.runtimes import emulator

# How far the guest may run ahead of the wall, in nanoseconds of its own time: less than any timeout, enough
# to pass over the gaps between two interrupts in one go.
_LEAD_NS = 1e6
# Slowness that a later wait may make up for, at most.
_CREDIT_NS = 1e9
_ONE_TICK = 1


class _EmulatorLog:
    """Takes what the emulator remarks on; it would otherwise print, and raise at an error."""

    def __init__(self) -> None:
        self._log = logging.getLogger("hri.rig.emulator")

    def debug(self, component_name: str, message: str) -> None:
        self._log.debug("%s: %s", component_name, message)

    def info(self, component_name: str, message: str) -> None:
        self._log.info("%s: %s", component_name, message)

    def warning(self, component_name: str, message: str) -> None:
        self._log.debug("%s: %s", component_name, message)

    def error(self, component_name: str, message: str) -> None:
        self._log.warning("%s: %s", component_name, message)


class _Stepper:
    """What the emulator's inner loop reads of a simulator; slots, because it reads at every instruction."""

    __slots__ = ("clock", "rp2040", "stopped")

    def __init__(self, rp2040: Any) -> None:
        self.rp2040 = rp2040
        self.clock = rp2040.clock
        self.stopped = False

    def halt(self) -> None:
        self.stopped = True


class PicoEngine:
    """An RP2040 with ``image`` in its flash, its console and its I2C controller ``i2c_id`` on ``bus``.

    A wait of the guest costs nothing while the guest is behind the wall clock, and real time after that:
    since the last byte from the host its clock never runs ahead, so that its timeouts are never shorter for
    the host than on a real board. Not for use by two threads at once, `now_us` excepted.
    """

    def __init__(self, image: Path, *, bus: Bus, i2c_id: int, on_output: Callable[[bytes], None]) -> None:
        emulator.prefer_compiled()
        try:
            from rp2040py.boards import BOARDS
            from rp2040py.device.base_device import BaseDevice, ResetCause
            from rp2040py.execute_batch import execute_batch
        except ImportError as error:
            raise BoardError("the virtual pico needs rp2040py; run: pip install 'hri[rig]'") from error
        self._execute: Callable[[Any, int], None] = execute_batch
        self._causes = ResetCause
        self._device = BaseDevice(board=dataclasses.replace(BOARDS["pico"], image=image, extras=()))
        mcu = self._device.mcu
        mcu.logger = _EmulatorLog()
        mcu.watchdog.on_watchdog_trigger = self._guest_reset
        mcu.on_break = lambda _code: None
        self._core: Any = mcu.core
        self._clock: Any = mcu.clock
        self._stepper = _Stepper(mcu)
        self._pace = self._clock.create_alarm(self._stepper.halt)
        self._device.cdc.on_serial_data = lambda data: on_output(bytes(data))
        self.console = PatientConsole(self._device.cdc)
        self._i2c = I2cAttachment(mcu.i2c[i2c_id], bus, self._clock)
        self.flash: Any = mcu.flash
        self._reset_asked = False
        self._anchor()

    def now_us(self) -> int:
        """Return the chip's time in microseconds since it was made; resets do not touch it."""
        return int(self._clock.nanos) // 1000

    def boot(self, *, power_on: bool) -> None:
        """Start the chip from flash, as after power-on or after a pull on its RUN pin."""
        self.abandon_bus()
        self._device.hard_reset(cause=self._causes.POWER_ON if power_on else self._causes.RUN_PIN)
        self._reset_asked = False
        self._anchor()

    def abandon_bus(self) -> None:
        """Leave the I2C bus, as the controller does when it loses its clock or power."""
        self._i2c.abandon()

    def feed(self, data: bytes) -> None:
        """Send ``data`` to the guest's console."""
        self.console.feed(data)
        self._anchor()

    def idle_s(self, at_most: float) -> float:
        """Return for how many seconds there is nothing to do, unless the host sends something."""
        if not self._core.waiting:
            return 0.0
        if not self._clock.has_scheduled_alarm:
            return at_most
        early_ns: float = self._clock.nanos_to_next_alarm - self._lead_ns()
        return min(at_most, max(0.0, early_ns / 1e9))

    def run(self) -> None:
        """Go on for some milliseconds of the wall, or until the guest would pass the wall clock."""
        self._pace.schedule(self._lead_ns())
        self._stepper.stopped = False
        self._execute(self._stepper, _ONE_TICK)
        self._pace.cancel()
        if self._reset_asked:
            self._reset_asked = False
            self.abandon_bus()
            self._device.hard_reset(cause=self._causes.WATCHDOG)

    def _guest_reset(self) -> None:
        # Called from inside an instruction of the guest; the reset itself waits for the end of the run.
        self._reset_asked = True
        self._stepper.halt()

    def _anchor(self) -> None:
        self._anchor_wall: float = time.monotonic_ns()
        self._anchor_emulated: float = self._clock.nanos

    def _lead_ns(self) -> float:
        """Return how many nanoseconds of its own time the guest may go on before it passes the wall clock."""
        wall = time.monotonic_ns() - self._anchor_wall
        behind: float = wall - (self._clock.nanos - self._anchor_emulated)
        if behind > _CREDIT_NS:
            self._anchor_wall += behind - _CREDIT_NS
            behind = _CREDIT_NS
        return max(0.0, behind + _LEAD_NS)
