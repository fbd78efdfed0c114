"""A virtual board that is a process: MicroPython's unix port behind a supervisor, served on a pty."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import tempfile
import termios
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from hri.boards import BoardDescription, BoardError, boards_folder
from hri.rig.boards.clock import BoardClock, monotonic_us
from hri.rig.boards.files import (
    FlashLock,
    Package,
    pack_folder,
    place_in_folder,
    read_package,
    unpack_folder,
)
from hri.rig.boards.link import Link
from hri.rig.boards.port import Port, open_raw_pty
from hri.rig.boards.worker import Worker
from hri.rig.bus import Bus
from hri.rig.bus_client import RemoteBus
from hri.rig.bus_server import BusServer

# Its folder below boards/, also where it stands in for another board.
_NAME = "unix"
_IDLE_WAIT_S = 0.5
_CHUNK = 512
_END_DEADLINE_S = 10.0
_HEAP = "heapsize=4M"
# Exit statuses of the supervisor (boards/unix/supervisor.py).
_SOFT_RESET = 64
_SOFT_RESET_RAW = 65
_HARD_RESET = 66
# A program that crashes at once is restarted at this pace.
_CRASH_PAUSE_S = 0.2
# `machine.reset_cause()` values of the RP2040 port.
_POWER_ON = 1
_WATCHDOG = 3


class _Process:
    """One life of the MicroPython process, with ``terminal`` as controlling terminal and standard files."""

    def __init__(self, command: list[str], environment: dict[str, str], terminal: str) -> None:
        # A session leader without a terminal gets the first one that it opens as its controlling one.
        self._pid = os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,
        )
        self._lock = threading.Lock()
        self.status: int | None = None

    def watch(self, worker: Worker) -> None:
        """Note the exit status when it comes, and wake ``worker``."""
        threading.Thread(target=self._wait, args=(worker,), name="board process", daemon=True).start()

    def _wait(self, worker: Worker) -> None:
        # Waits without reaping, so that the number stays ours until the lock is held.
        os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            _, status = os.waitpid(self._pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
        worker.wake()

    def kill(self) -> None:
        """End the process now and wait until it is gone."""
        with self._lock:
            if self.status is None:
                os.kill(self._pid, signal.SIGKILL)
        end = time.monotonic() + _END_DEADLINE_S
        while self.status is None and time.monotonic() < end:
            time.sleep(0.001)


class UnixBoard:
    """The unix port as a `Board`; ``flash`` is the folder that is its file system, or None for none."""

    def __init__(
        self,
        settings: BoardDescription,
        program: Path,
        *,
        bus: Bus,
        flash: Path | None,
        package: Package,
        unless_there: Mapping[str, bytes],
        clock: BoardClock,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._program = program
        self._server = BusServer(bus, "127.0.0.1", 0)
        self._scratch = Path(tempfile.mkdtemp(prefix="hri-flash-")) if flash is None else None
        self._flash = (flash or self._scratch or Path()).absolute()
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
        self._console, self._terminal = open_raw_pty()
        self._quiet_signals()
        self._process: _Process | None = None
        self._to_board = b""

    @property
    def port(self) -> str:
        """Return the path of the serial port."""
        return str(self._port.path)

    def __enter__(self) -> UnixBoard:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Place the package on the flash, serve the bus and power the board up."""
        try:
            self._flash_lock = FlashLock(self._flash) if self._scratch is None else None
            place_in_folder(self._flash, self._package, self._unless_there)
            self._server.start()
            self.clock.bind(monotonic_us)
            self._spawn(_POWER_ON)
            self._worker.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process and take the port and the bus away; the flash folder stays."""
        self._worker.stop()
        self._kill()
        self._server.stop()
        self._port.close()
        for descriptor in (self._console, self._terminal):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if self._flash_lock is not None:
            self._flash_lock.release()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        if self._worker.error is not None:
            raise BoardError(f"the board failed: {self._worker.error!r}") from self._worker.error

    def sync(self) -> None:
        """Do nothing: the flash is a folder, and what the board wrote is in it."""

    def reset(self) -> None:
        """Reset the microcontroller; the chips on the bus keep their power."""
        self._worker.call(self._restart)

    def power_cycle(self) -> None:
        """Take the power from the board and its bus, and give it back."""
        self.cut_power()
        self.restore_power()

    def cut_power(self) -> None:
        """Take the power away: everything stops where it is; flash and the chips' own memory stay."""
        self._worker.call(self._power_off)

    def restore_power(self) -> None:
        """Give the power back."""
        self._worker.call(self._power_on)

    @property
    def has_power(self) -> bool:
        """Return whether the board runs."""
        return self._process is not None

    def read_flash(self) -> bytes:
        """Return the files on the flash as a tar archive."""
        return pack_folder(self._flash)

    def replace_flash(self, content: bytes) -> None:
        """Put what `read_flash` returned in the place of what is there, while there is no power.

        Raises ValueError for anything else, BoardError with the power on.
        """
        if self.has_power:
            raise BoardError("a flash is replaced while the board has no power")
        unpack_folder(self._flash, content)

    def _restart(self) -> None:
        if self._process is None:
            raise BoardError("the board has no power")
        self._kill()
        self._spawn(_POWER_ON)

    def _power_off(self) -> None:
        if self._process is not None:
            self._kill()
            # By the front door, so that it waits for a transaction that is still under way.
            with RemoteBus(*self._server.address) as bus:
                bus.power_cycle()

    def _power_on(self) -> None:
        if self._process is None:
            self._spawn(_POWER_ON)

    def _quiet_signals(self) -> None:
        """Have the terminal make signals of nothing but 0x03, and lose nothing when it does."""
        mode = termios.tcgetattr(self._terminal)
        mode[3] |= termios.NOFLSH
        for character in (termios.VQUIT, termios.VSUSP):
            mode[6][character] = b"\0"
        mode[6][termios.VINTR] = b"\x03"
        termios.tcsetattr(self._terminal, termios.TCSANOW, mode)

    def _environment(self, cause: int, *, raw: bool) -> dict[str, str]:
        host, port = self._server.address
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HRI_BUS": f"{host}:{port}",
            "HRI_FLASH": str(self._flash),
            "HRI_BOOT": "raw" if raw else "main",
            "HRI_RESET_CAUSE": str(cause),
        }

    def _spawn(self, cause: int, *, raw: bool = False) -> None:
        supervisor = boards_folder() / _NAME / "supervisor.py"
        command = [str(self._program), "-X", _HEAP, str(supervisor)]
        self._process = _Process(command, self._environment(cause, raw=raw), os.ttyname(self._terminal))
        self._process.watch(self._worker)

    def _kill(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process = None
        self._to_board = b""
        with contextlib.suppress(OSError, termios.error):
            # What was on its way in either direction is lost with the chip's buffers.
            termios.tcflush(self._terminal, termios.TCIOFLUSH)

    def _revive(self) -> None:
        """Start the process again after it ended by itself, as the supervisor asked for by its status."""
        status = self._process.status if self._process else None
        if status is None:
            return
        soft = status in (_SOFT_RESET, _SOFT_RESET_RAW)
        if not soft and status != _HARD_RESET:
            self._port.write(f"\r\nmicropython ended with status {status}\r\n".encode())
            time.sleep(_CRASH_PAUSE_S)
        self._spawn(_POWER_ON if soft else _WATCHDOG, raw=status == _SOFT_RESET_RAW)

    def _turn(self) -> None:
        port = self._port.fileno()
        # Not select(): a process with many boards has descriptors beyond its 1024.
        wanted = {self._worker.wake_fd: select.POLLIN, self._console: select.POLLIN}
        if self._to_board:
            wanted[self._console] |= select.POLLOUT
        if port >= 0:
            wanted[port] = (0 if self._to_board else select.POLLIN) | (
                select.POLLOUT if self._port.wants_write else 0
            )
        poll = select.poll()
        for descriptor, events in wanted.items():
            if events:
                poll.register(descriptor, events)
        poll.poll(_IDLE_WAIT_S * 1000)
        self._relay()
        self._revive()

    def _relay(self) -> None:
        self._port.flush()
        if not self._to_board:
            self._to_board = self._port.read()
        if self._process is None:
            self._to_board = b""
        if self._to_board:
            with contextlib.suppress(BlockingIOError):
                self._to_board = self._to_board[os.write(self._console, self._to_board) :]
        with contextlib.suppress(BlockingIOError):
            self._port.write(os.read(self._console, _CHUNK))
