"""A board under test, virtual or real, as fixtures hand it out."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

from hri.flash import SerialRepl
from hri.testing.bus import BusCounts, HriBus
from hri.testing.chip import ChipFacts, HriChip
from hri.testing.clock import HriClock
from hri.testing.device import HriDevice

RUN_DEADLINE_S = 60.0


class Listener(Protocol):
    """Who reads a board's port all the time: the serial service behind pytest-embedded's `dut`."""

    def disable_redirect_thread(self) -> contextlib.AbstractContextManager[object]:
        """Return what keeps it from reading for a block."""


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """The interpreter: its name and version, and of a virtual board the SHA-256 of its image (hex)."""

    name: str
    version: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """What a report says of a board; a member is None where the board could not tell.

    `package` is the hash over `files` (path -> SHA-256), which `hri.testing.firmware.package_hash` makes.
    """

    name: str
    virtual: bool
    port: str | None
    runtime: RuntimeFacts | None
    chip: ChipFacts | None
    package: str | None
    files: dict[str, str]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a virtual board did so far; `answering_us` are microseconds in which its host waited for it."""

    bus: BusCounts
    answering_us: int
    faults: tuple[str, ...]


class HriBoard(ABC):
    """A board with a secure element. `name` is its kind, `virtual` whether it is an emulated one."""

    def __init__(self, name: str, *, virtual: bool) -> None:
        self.name = name
        self.virtual = virtual
        self.listener: Listener | None = None

    def __repr__(self) -> str:
        return f"<{'virtual' if self.virtual else 'real'} board {self.name} at {self.port}>"

    @property
    @abstractmethod
    def port(self) -> str:
        """The serial port, the same for the board's life."""

    @property
    @abstractmethod
    def chip(self) -> HriChip:
        """The secure element."""

    @property
    @abstractmethod
    def bus(self) -> HriBus:
        """The I2C bus of a virtual board; on a real one the test is skipped."""

    @property
    @abstractmethod
    def clock(self) -> HriClock:
        """The time of a virtual board; on a real one the test is skipped."""

    @property
    @abstractmethod
    def device(self) -> HriDevice:
        """The service of hri_device on it, with an authority to provision it into."""

    @abstractmethod
    def start(self) -> Self:
        """Power it up, or make sure that it is there; raises an error in words."""

    @abstractmethod
    def stop(self) -> None:
        """Give back everything that it holds."""

    @abstractmethod
    def reset(self) -> None:
        """Restart the microcontroller: by its RUN pin, or on a real board by a soft reset over its port."""

    @abstractmethod
    def power_cycle(self) -> None:
        """Take the power from board and chip, and give it back; on a real board the test is skipped."""

    @abstractmethod
    def detach(self) -> None:
        """Pull the cable: the port is gone until `attach`; on a real board the test is skipped."""

    @abstractmethod
    def attach(self) -> None:
        """Put the cable back."""

    @abstractmethod
    def facts(self) -> BoardFacts:
        """Return what a report says of it; a real board's program is stopped for that, and started again."""

    @abstractmethod
    def usage(self) -> Usage | None:
        """Return what it did so far, None where that cannot be known."""

    def run(self, source: str, deadline_s: float = RUN_DEADLINE_S) -> str:
        """Run MicroPython source on the board in a fresh interpreter, and return what it printed.

        main.py is stopped for it, and starts again afterwards. Source that goes on past the deadline is
        interrupted. Raises ScriptFailed with the last line of a traceback, and DeviceError.
        """
        self.device.hang_up()
        with self.alone(), SerialRepl(self.port) as repl:
            return repl.run(source, deadline_s)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the test's `dut`, if it has one, from reading the port during the block."""
        if self.listener is None:
            yield
            return
        with self.listener.disable_redirect_thread():
            yield
