"""What a hardware-in-the-loop test works with: a board, its chip, and the host's command line."""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from hri.rig.atecc import open_chip
from hri.rig.boards import Board, BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.bus_faults import FaultyTarget

PASSPHRASES = {"HRI_CA_PASSPHRASE": "test issuing passphrase", "HRI_ROOT_PASSPHRASE": "test root passphrase"}
_CLI_DEADLINE_S = 240


@dataclass(frozen=True)
class Answer:
    """What a command line left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)

    @property
    def error(self) -> dict:
        return json.loads(self.err.strip().splitlines()[-1])["error"]


def hri(home: Path, *arguments: str, environment: dict[str, str] | None = None) -> Answer:
    """Run `hri --home HOME ARGUMENTS` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "hri.cli", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        timeout=_CLI_DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env=os.environ | PASSPHRASES | (environment or {}),
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@dataclass
class Bench:
    """One board with one chip, and the host's home."""

    kind: str
    folder: Path
    home: Path
    package: dict[str, bytes]
    port: str = ""
    board: Board | None = None
    bus: Bus | None = None
    wires: FaultyTarget | None = None
    chip: object = None
    timing: str = "none"
    cleanup: list = field(default_factory=list)

    def power_up(
        self, name: str = "device", variant: str = "atecc608b", *, faulty: bool = False, chip: bool = True
    ) -> "Bench":
        """Put the chip and the flash called `name` together and boot.

        With `faulty` the chip's wires can be made to fail (`self.wires`); without `chip` the bus is empty.
        """
        clock = BoardClock()
        self.chip = open_chip(variant, state=self.folder / f"{name}.chip", clock=clock, timing=self.timing)
        self.wires = FaultyTarget(self.chip, clock, seed=1) if faulty else None
        self.bus = Bus([self.wires or self.chip] if chip else [])
        flash = self.folder / (f"{name}.flash" if self.kind == "rpi_pico" else f"{name}-flash")
        self.board = open_board(self.kind, bus=self.bus, flash=flash, package=self.package, clock=clock)
        self.board.start()
        self.port = self.board.port
        return self

    def power_down(self) -> None:
        if self.board is not None:
            self.board.stop()
            self.chip.close()
        self.board = None

    def hri(self, *arguments: str, **options) -> Answer:
        return hri(self.home, *arguments, **options)

    def mpremote(self, *arguments: str, attempts: int = 3) -> str:
        """Run mpremote on the port; a port that has just been let go may still be busy."""
        for attempt in range(attempts):
            done = subprocess.run(
                [sys.executable, "-m", "mpremote", "connect", self.port, *arguments],
                capture_output=True,
                text=True,
                timeout=120,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode == 0:
                return done.stdout
            time.sleep(0.2 * attempt)
        raise AssertionError(f"mpremote: {done.stdout}{done.stderr}")


@functools.cache
def _authority() -> Path:
    """A home with an authority, made once a process: every bench gets a copy."""
    home = Path(tempfile.mkdtemp(prefix="hri-hil-")) / "home"
    atexit.register(shutil.rmtree, home.parent, ignore_errors=True)
    made = hri(home, "ca", "init")
    assert made.status == 0, made.err
    return home


def new_bench(kind: str, folder: Path, package: dict[str, bytes]) -> Bench:
    """Return a bench with an authority of its own; nothing is powered yet."""
    return Bench(kind, folder, Path(shutil.copytree(_authority(), folder / "home")), package)
