"""The emulated RP2040's I2C controller on the rig's bus, with the time each bit takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hri.rig.bus import Bus

if TYPE_CHECKING:
    from rp2040py.clock.clock import IClock
    from rp2040py.peripherals.i2c import RPI2C, I2CMode

# The controller runs from clk_sys, which MicroPython leaves at 125 MHz.
_CLOCK_HZ = 125_000_000
# RP2040 datasheet 4.3.14.1: SCL high lasts HCNT + spike length + 7 cycles, low lasts LCNT + 1.
_HIGH_OVERHEAD = 7
_LOW_OVERHEAD = 1
# Eight bits and the acknowledge.
_BYTE_BITS = 9
_FS_SPKLEN = 0xA0
_TXFLR = 0x74
_TX_EMPTY = 1 << 4
_TX_EMPTY_CTRL = 1 << 8


class I2cAttachment:
    """Hands what the guest's I2C controller does to ``bus``, each byte when the wire would be through."""

    def __init__(self, controller: RPI2C, bus: Bus, clock: IClock) -> None:
        self._controller = controller
        self._bus = bus
        self._alarm = clock.create_alarm(self._due)
        self._then: Callable[[], None] | None = None
        self._bit_ns = 0.0
        self._active = False
        self._shifting = False
        # The emulator reports an empty transmit FIFO when it takes a byte out. With TX_EMPTY_CTRL set, as the
        # SDK does, the controller reports it when the byte is acknowledged (datasheet 4.3.17, IC_CON). That
        # is when the SDK reads why a transfer failed; with the wire's time between it would look too soon.
        self._set_interrupts = controller._set_interrupts
        controller._set_interrupts = self._raise  # type: ignore[method-assign]
        controller.on_start = self._start
        controller.on_connect = self._connect
        controller.on_write_byte = self._write
        controller.on_read_byte = self._read
        controller.on_stop = self._stop

    def abandon(self) -> None:
        """Leave the bus in the middle of whatever goes on, as a controller does that is reset."""
        self._alarm.cancel()
        self._then = None
        self._shifting = False
        if self._active:
            self._active = False
            self._bus.stop()

    def _after(self, bits: int, then: Callable[[], None]) -> None:
        self._then = then
        self._alarm.schedule(bits * self._bit_ns)

    def _due(self) -> None:
        then, self._then = self._then, None
        if then:
            then()

    def _start(self, _repeated: bool) -> None:
        controller = self._controller
        spike = controller.read_uint32(_FS_SPKLEN)
        high = controller.scl_high_period + spike + _HIGH_OVERHEAD
        cycles = high + controller.scl_low_period + _LOW_OVERHEAD
        self._bit_ns = cycles * 1e9 / _CLOCK_HZ
        self._bus.scl_hz = round(_CLOCK_HZ / cycles)
        self._after(1, controller.complete_start)

    def _connect(self, address: int, mode: I2CMode) -> None:
        def done() -> None:
            self._active = True
            self._controller.complete_connect(self._bus.start(address, bool(mode)))
            self._report_empty()

        self._after(_BYTE_BITS, done)

    def _write(self, value: int) -> None:
        def done() -> None:
            self._shifting = False
            self._controller.complete_write(self._bus.write_byte(value))
            self._report_empty()

        self._shifting = True
        self._after(_BYTE_BITS, done)

    def _raise(self, mask: int) -> None:
        wait = self._shifting and self._controller.control & _TX_EMPTY_CTRL
        self._set_interrupts(mask & ~_TX_EMPTY if wait else mask)

    def _report_empty(self) -> None:
        """Report the FIFO that a finished byte, or an abort, has left empty."""
        if not self._shifting and not self._controller.read_uint32(_TXFLR):
            self._set_interrupts(_TX_EMPTY)

    def _read(self, _acknowledge: bool) -> None:
        self._after(_BYTE_BITS, lambda: self._controller.complete_read(self._bus.read_byte()))

    def _stop(self) -> None:
        def done() -> None:
            if self._active:
                self._active = False
                self._bus.stop()
            self._controller.complete_stop()

        self._after(1, done)
