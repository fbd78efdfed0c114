"""Wakes, commands and bytes on the bus, and emulated milliseconds of our code, on the emulated Pico.

Times are the emulated RP2040's own, at its 125 MHz, not silicon's. The chip's are those of `timing`: none, or
the typical column of the 508A datasheet (see `hri.rig.atecc.timing`).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_entry import Entry, exactly, multiple_of_time, reported
from hri.ca.authority import Authority
from hri.ca.operator import OperatorKey
from hri.config import load
from hri.context import Context, utc_now
from hri.elements.board import BoardElement
from hri.link import SerialLink
from hri.provision import provision
from hri.registry import Registry
from hri.rig.atecc import Chip, open_chip
from hri.rig.atecc.timing import Timing
from hri.rig.boards import Board, BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.firmware import device_package
from mpremote.transport_serial import SerialTransport

_DEVICE = "device-001"
_FAST_HZ = 400_000
_BITS_A_BYTE = 9
_NONCE, _SIGN = 0x16, 0x41
# In the guest: one service as main.py makes it, and a request timed from its bytes to the answer's.
_PREPARE = """
import gc, time
from hri_device import cbor
from hri_device.atecc.element import ATECC608
from hri_device.certstore import FileStore
from hri_device.ports import micropython as port
from hri_device.service import Service
Service.answer = _answer
service = Service(ATECC608(port.I2CBus()), FileStore("hri"), None)
body = cbor.encode(["identity.answer", {"challenge": bytes(range(32)), "verifier": "bench"}])
service.answer(body)
gc.collect()
"""
# In the provisioning the service adds up what its answers take, without the link, and notes the heap at its
# fullest: nothing is collected within a request, so that is all that one request ever held or let go.
_STOPWATCH = b"""
import gc
import time
from hri_device.service import Service
_answer = Service.answer
spent = [0, 0]
def _timed(service, body):
    gc.collect()
    gc.disable()
    start = time.ticks_us()
    try:
        return _answer(service, body)
    finally:
        spent[0] += time.ticks_diff(time.ticks_us(), start)
        spent[1] = max(spent[1], gc.mem_alloc())
        gc.enable()
Service.answer = _timed
"""
_CHALLENGE = """
start = time.ticks_us()
answer = service.answer(body)
print(time.ticks_diff(time.ticks_us(), start), answer[0])
"""


@dataclass(frozen=True)
class _Counted:
    wakes: int
    commands: dict[int, int]
    bytes: int


@dataclass(frozen=True)
class _Run:
    """What one board said: of a provisioning and of a challenge; times in emulated milliseconds."""

    provisioning: _Counted
    provisioning_ms: float
    provisioning_peak: int
    challenge: _Counted
    challenge_ms: float


class _Meter:
    """Counts of a bus since the last look."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._commands: dict[int, int] = {}
        self.take()

    def take(self) -> _Counted:
        (commands,) = self._bus.commands()
        since = {op: count - self._commands.get(op, 0) for op, count in commands.items()}
        self._commands = dict(commands)
        counters = self._bus.counters
        counted = _Counted(counters.wakes, {op: n for op, n in since.items() if n}, counters.bytes)
        counters.reset()
        return counted


@contextmanager
def _board(timing: str, flash: Path) -> Iterator[tuple[Board, Bus, Chip]]:
    clock = BoardClock()
    chip = open_chip("atecc608b", state=None, clock=clock, timing=timing)
    bus = Bus([chip])
    package = device_package()
    package["main.py"] = _STOPWATCH + package["main.py"]
    with open_board("rpi_pico", bus=bus, flash=flash, package=package, clock=clock) as board:
        yield board, bus, chip


def _provision(board: Board, folder: Path) -> None:
    now = utc_now()
    Authority.create(
        folder, root_passphrase=b"bench root passphrase", ca_passphrase=b"bench passphrase", now=now
    )
    with Registry.open(folder / "hri.db") as registry:
        context = Context(
            load(None),
            registry,
            Authority.open(folder, b"bench passphrase"),
            OperatorKey.open(folder, b"bench passphrase"),
            station="bench",
        )
        link = SerialLink.open(board.port)
        try:
            provision(lambda: BoardElement(link), context, device_id=_DEVICE, lock=True)
        finally:
            link.close()


def _run(timing: str) -> _Run:
    with tempfile.TemporaryDirectory() as scratch, _board(timing, Path(scratch) / "flash") as (board, bus, _):
        meter = _Meter(bus)
        _provision(board, Path(scratch))
        provisioning = meter.take()
        repl = SerialTransport(board.port)
        try:
            repl.enter_raw_repl(soft_reset=False, timeout_overall=60)
            spent, peak = map(int, repl.exec("print(*spent)").split())
            repl.exec(_PREPARE)
            meter.take()
            microseconds, status = repl.exec(_CHALLENGE).split()
            challenge = meter.take()
        finally:
            repl.close()
        if int(status) != 0:
            raise ValueError("the bench's challenge was refused")
    return _Run(provisioning, spent / 1000, peak, challenge, int(microseconds) / 1000)


def measure() -> dict[str, Entry]:
    """Return counts and emulated times of one challenge and one provisioning."""
    bare, typical = _run("none"), _run("typical")
    times = Timing.parse("typical")
    chip_ms = (times.wake_us + sum(times.execution_us[op] for op in (_NONCE, _SIGN))) / 1000
    bus_ms = bare.challenge.bytes * _BITS_A_BYTE / _FAST_HZ * 1000
    apart = "what the device spends on all requests of a provisioning, link and host apart"
    return {
        "bus.challenge.wakes": exactly(bare.challenge.wakes, "wakes", 1),
        "bus.challenge.commands": exactly(sum(bare.challenge.commands.values()), "commands", 2),
        "bus.challenge.bytes": reported(bare.challenge.bytes, "bytes", "the count itself"),
        "bus.provisioning.wakes": reported(bare.provisioning.wakes, "wakes", "the count itself"),
        "bus.provisioning.commands": reported(
            sum(bare.provisioning.commands.values()), "commands", "the count itself"
        ),
        "bus.provisioning.bytes": reported(bare.provisioning.bytes, "bytes", "the count itself"),
        "firmware.peak_in_provisioning": reported(
            bare.provisioning_peak, "bytes", "heap in use at its fullest, garbage of one request included"
        ),
        "time.challenge.no_chip_time": reported(
            round(bare.challenge_ms, 2), "emulated ms", "our code and the bus, with a chip that takes no time"
        ),
        "time.challenge.typical": multiple_of_time(
            typical.challenge_ms, chip_ms + bus_ms, "emulated ms, of which chip and bus are the limit", 1.2
        ),
        "time.provisioning.no_chip_time": reported(round(bare.provisioning_ms), "emulated ms", apart),
        "time.provisioning.typical": reported(round(typical.provisioning_ms), "emulated ms", apart),
    }
