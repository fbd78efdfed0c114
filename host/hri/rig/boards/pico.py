"""A virtual Raspberry Pi Pico: real MicroPython on an emulated RP2040, served on a pty."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hri.boards import BoardDescription, BoardError, FileSystem, load_board
from hri.rig.boards.clock import BoardClock
from hri.rig.boards.files import FlashLock, Package, read_package
from hri.rig.boards.link import Link
from hri.rig.boards.littlefs_image import place_in_image
from hri.rig.boards.pico_engine import PicoEngine
from hri.rig.boards.port import Port
from hri.rig.boards.worker import Worker
from hri.rig.bus import Bus

_BOOT_DEADLINE_S = 60.0
_IDLE_WAIT_S = 0.05
# Flash changes are on disk at most about this long after they were made.
_SAVE_EVERY_S = 1.0


def _layout_of(settings: BoardDescription) -> FileSystem:
    """Return where the image keeps its file system: the board's own, or the one that stands in for it."""
    for virtual in (settings.virtual, load_board("rpi_pico").virtual):
        if virtual is not None and virtual.filesystem is not None:
            return virtual.filesystem
    raise BoardError(f"the description of {settings.name} has no [virtual.filesystem] section")


class PicoBoard:
    """The emulated Pico as a `Board`; ``flash`` is the file that keeps its file system, or None for none."""

    def __init__(
        self,
        settings: BoardDescription,
        image: Path,
        *,
        bus: Bus,
        flash: Path | None,
        package: Package,
        unless_there: Mapping[str, bytes],
        clock: BoardClock,
    ) -> None:
        layout = _layout_of(settings)
        self.settings = settings
        self.clock = clock
        self._layout = layout
        self._region = slice(layout.offset, layout.offset + layout.size)
        self._bus = bus
        self._image = image
        self._flash_file = flash
        self._flash_lock: FlashLock | None = None
        self._package = read_package(package)
        self._unless_there = unless_there
        self._worker = Worker(f"board {settings.name}", self._turn)
        self.link = Link(
            lambda: self._worker.call(self._port.hang_up),
            lambda: self._worker.call(self._port.connect),
            clock.now_us,
        )
        self._port = Port(self.link)
        self._engine: PicoEngine | None = None
        self._saved = b""
        self._saved_at = 0.0
        self._powered = False

    @property
    def port(self) -> str:
        """Return the path of the serial port."""
        return str(self._port.path)

    def __enter__(self) -> PicoBoard:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Place the package on the flash, power the board up and wait until its console is there."""
        try:
            engine = PicoEngine(
                self._image, bus=self._bus, i2c_id=self.settings.i2c.id, on_output=self._port.write
            )
            file = self._flash_file
            self._flash_lock = None if file is None else FlashLock(file)
            present = file.read_bytes() if file is not None and file.is_file() else None
            engine.flash[self._region] = place_in_image(
                self._layout, present, self._package, self._unless_there
            )
            self._engine = engine
            self._save_flash()
            self.clock.bind(engine.now_us)
            self._power_on()
            self._worker.start()
            self._await_console()
        except BaseException:
            self._close()
            raise

    def stop(self) -> None:
        """Stop the board, keep its flash and take its port away."""
        self._close()
        if self._worker.error is not None:
            raise BoardError(f"the emulator failed: {self._worker.error!r}") from self._worker.error

    def sync(self) -> None:
        """Write the flash to its file now."""
        self._worker.call(self._save_flash)

    def reset(self) -> None:
        """Reset the microcontroller, as its RUN pin does; the chips on the bus keep their power."""
        self._worker.call(lambda: self._running(lambda engine: engine.boot(power_on=False)))
        self._await_console()

    def power_cycle(self) -> None:
        """Take the power from the board and its bus, and give it back."""
        self.cut_power()
        self.restore_power()

    def cut_power(self) -> None:
        """Take the power away: everything stops where it is; flash and the chips' own memory stay."""
        self._worker.call(self._power_off)

    def restore_power(self) -> None:
        """Give the power back and wait until the console is there."""
        self._worker.call(self._power_on)
        self._await_console()

    @property
    def has_power(self) -> bool:
        """Return whether the board runs."""
        return self._powered

    def read_flash(self) -> bytes:
        """Return the image of the board's file system as it is now."""
        content = bytearray()
        self._worker.call(lambda: content.extend(self._running_flash()[self._region]))
        return bytes(content)

    def replace_flash(self, content: bytes) -> None:
        """Put an image that `read_flash` returned in the place of the present one, while there is no power.

        Raises ValueError for one of another size, BoardError with the power on.
        """
        if len(content) != self._layout.size:
            raise ValueError(f"this board's flash has {self._layout.size} bytes, not {len(content)}")
        self._worker.call(lambda: self._replace_flash(content))

    def _replace_flash(self, content: bytes) -> None:
        if self._powered:
            raise BoardError("a flash is replaced while the board has no power")
        self._running_flash()[self._region] = content
        self._save_flash()

    def _running_flash(self) -> Any:
        if self._engine is None:
            raise BoardError("the board was not started")
        return self._engine.flash

    def _running(self, act: Callable[[PicoEngine], None]) -> None:
        if self._engine is None or not self._powered:
            raise BoardError("the board has no power")
        act(self._engine)

    def _power_on(self) -> None:
        if self._engine is not None and not self._powered:
            self._engine.boot(power_on=True)
            self._powered = True

    def _power_off(self) -> None:
        if self._engine is not None and self._powered:
            self._powered = False
            self._engine.abandon_bus()
            self._bus.power_cycle()
            self._save_flash()

    def _close(self) -> None:
        self._worker.stop()
        self._save_flash()
        self._powered = False
        self._port.close()
        if self._flash_lock is not None:
            self._flash_lock.release()

    def _save_flash(self) -> None:
        self._saved_at = time.monotonic()
        if self._flash_file is None or self._engine is None:
            return
        content = bytes(self._engine.flash[self._region])
        if content == self._saved:
            return
        self._flash_file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._flash_file.with_name(f".{self._flash_file.name}.new")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._flash_file)
        self._saved = content

    def _await_console(self) -> None:
        end = time.monotonic() + _BOOT_DEADLINE_S
        while self._engine is not None and not self._engine.console.connected:
            if self._worker.error is not None:
                raise BoardError(f"the emulator failed: {self._worker.error!r}") from self._worker.error
            if time.monotonic() > end:
                raise BoardError(
                    f"no usb console within {_BOOT_DEADLINE_S:.0f} s; is {self._image} made for this board?"
                )
            time.sleep(0.002)

    def _turn(self) -> None:
        engine = self._engine
        if engine is None or not self._powered:
            self._wait(_IDLE_WAIT_S, listen=True)
            # Whatever the host sends to a board without power is lost.
            self._port.read()
            return
        listen = engine.console.room > 0
        self._wait(engine.idle_s(_IDLE_WAIT_S), listen=listen)
        self._port.flush()
        data = self._port.read() if listen else b""
        if data:
            engine.feed(data)
        engine.run()
        if time.monotonic() - self._saved_at > _SAVE_EVERY_S:
            self._save_flash()

    def _wait(self, timeout: float, *, listen: bool) -> None:
        port = self._port.fileno()
        readable = [self._worker.wake_fd, *([port] if listen and port >= 0 else [])]
        select.select(readable, [port] if self._port.wants_write else [], [], timeout)
