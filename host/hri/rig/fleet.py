"""Many virtual boards at once, each with a chip, a flash and a serial port of its own, in a few processes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hri.boards import BoardError, load_board
from hri.rig.firmware import device_package

BOARDS_A_PROCESS = 50
"""At most: a process has some ten descriptors a board, and may have 1024."""
_START_DEADLINE_S = 30.0
_BOARD_DEADLINE_S = 10.0
_ORDER_DEADLINE_S = 120.0
_STOP_DEADLINE_S = 60.0
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """One board of a fleet: its name, the serial port it is served on, its chip's serial number in hex."""

    name: str
    port: str
    serial_number: str


class _Process:
    """A process with some boards (:mod:`hri.rig.fleet_worker`)."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.names: Sequence[str] = asked["names"]
        self._pending = b""
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hri.rig.fleet_worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._write(asked)

    def started(self) -> list[Member]:
        """Wait for the boards and return them; raises BoardError where one cannot be had."""
        answer = self._read(_START_DEADLINE_S + _BOARD_DEADLINE_S * len(self.names))
        fields = ("name", "port", "serial_number")
        return [Member(*(member[field] for field in fields)) for member in answer["members"]]

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Give an order and return the answer; raises BoardError where it is refused or does not come."""
        with self._lock:
            self._write(order)
            return self._read(_ORDER_DEADLINE_S)

    def end(self) -> None:
        """Let the boards stop; `wait` waits for it."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self, until: float) -> None:
        """Wait until ``until`` (monotonic seconds) for the process to end, then kill it."""
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _write(self, order: Mapping[str, Any]) -> None:
        pipe = self._process.stdin
        if pipe is None:
            raise BoardError("the fleet was stopped")
        try:
            pipe.write(json.dumps(order).encode() + b"\n")
            pipe.flush()
        except (OSError, ValueError) as error:
            raise BoardError("a process with boards of the fleet has ended") from error

    def _read(self, deadline_s: float) -> dict[str, Any]:
        pipe = self._process.stdout
        if pipe is None:
            raise BoardError("the fleet was stopped")
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        end = time.monotonic() + deadline_s
        while b"\n" not in self._pending:
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                raise BoardError(f"boards of the fleet did not answer within {deadline_s:.0f} s")
            received = os.read(pipe.fileno(), _CHUNK)
            if not received:
                raise BoardError("a process with boards of the fleet has ended")
            self._pending += received
        line, _, self._pending = self._pending.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("ok"):
            raise BoardError(answer["error"])
        return answer


class Fleet:
    """``count`` boards called ``d-0001`` and so on; use it in a ``with`` statement.

    ``folder`` keeps chips and flashes between runs: the same names find the same chips again. ``board`` and
    ``chip`` are as `hri rig serve` takes them. There is one process for each core, and for each
    `BOARDS_A_PROCESS` boards. All methods may be called from any thread.

    Raises BoardError, ValueError for a count that is not positive, and what a runtime raises.
    """

    def __init__(
        self,
        count: int,
        *,
        folder: Path,
        board: str = "unix",
        chip: str | None = None,
        timing: str | float = "none",
        prefix: str = "d",
    ) -> None:
        if count < 1:
            raise ValueError("a fleet has at least one board")
        virtual = load_board(board).virtual
        if virtual is None:
            raise BoardError(f"there is no virtual {board}")
        self.members: tuple[Member, ...] = ()
        self._folder = folder
        self._names = [f"{prefix}-{number:04d}" for number in range(1, count + 1)]
        self._asked = {
            "board": board,
            "chip": chip or virtual.chip,
            "timing": timing,
            "folder": str(folder.absolute()),
            "flash_suffix": "-flash" if virtual.runtime == "unix" else ".flash",
        }
        self._processes: list[_Process] = []
        self._home: dict[str, _Process] = {}

    def start(self) -> None:
        """Start every board; all of them or none."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="hri-fleet-") as scratch:
                _lay_out(Path(scratch))
                for names in _shares(self._names):
                    self._processes.append(_Process(self._asked | {"names": names, "package": scratch}))
                members = [(member, process) for process in self._processes for member in process.started()]
        except BaseException:
            self.stop()
            raise
        self._home = {member.name: process for member, process in members}
        self.members = tuple(sorted((member for member, _ in members), key=lambda member: member.name))

    def stop(self) -> None:
        """Stop every board and wait for it; safe to call twice."""
        end = time.monotonic() + _STOP_DEADLINE_S
        for process in self._processes:
            process.end()
        for process in self._processes:
            process.wait(end)
        self._processes = []
        self._home = {}

    def tell(self, name: str, act: str) -> dict[str, Any]:
        """Do ``act`` (``reset``, ``power-cycle``, ``detach`` ...) to one member; returns how it stands."""
        if name not in self._home:
            raise BoardError(f"the fleet has no {name}")
        return self._home[name].ask({"member": name, "do": "board", "act": act})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _shares(names: Sequence[str]) -> Iterator[list[str]]:
    """Deal ``names`` out to processes."""
    processes = max(min(os.cpu_count() or 1, len(names)), -(-len(names) // BOARDS_A_PROCESS))
    for first in range(processes):
        yield list(names[first::processes])


def _lay_out(folder: Path) -> None:
    """Compile the package once, for every process to read."""
    for name, content in device_package().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
