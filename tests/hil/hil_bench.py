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
from dataclasses import dataclass
from pathlib import Path

from hri.rig.atecc import Chip
from hri.rig.boards import Board
from hri.rig.bus import Bus
from hri.rig.bus_faults import FaultyTarget
from hri.testing.device import no_home
from hri.testing.kinds import kinds
from hri.testing.run import Run
from hri.testing.virtual import VirtualBoard

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
    """One board with one chip, and the host's home; `run`, where there is one, puts its boards on record."""

    kind: str
    folder: Path
    home: Path
    package: dict[str, bytes]
    run: Run | None = None
    port: str = ""
    virtual: VirtualBoard | None = None

    def power_up(self, name: str = "device", variant: str = "atecc608b", *, soldered: bool = True) -> "Bench":
        """Put the chip and the flash called `name` together and boot; not `soldered`, the bus is empty."""
        kind = kinds()[self.kind]
        self.virtual = VirtualBoard(
            kind,
            self.package if kind.files else {},
            home=no_home,
            variant=variant,
            state=self.folder / f"{name}.chip",
            flash=self.folder / f"{name}-{self.kind}.flash",
            soldered=soldered,
        ).start()
        if self.run is not None:
            self.run.adopt(self.virtual)
        self.port = self.virtual.port
        return self

    def power_down(self) -> None:
        if self.virtual is None:
            return
        if self.run is not None:
            self.run.close(self.virtual)
        else:
            self.virtual.stop()
        self.virtual = None

    @property
    def board(self) -> Board:
        return self.virtual.rig

    @property
    def bus(self) -> Bus:
        return self.virtual.bus.rig

    @property
    def wires(self) -> FaultyTarget:
        return self.virtual.bus.wires

    @property
    def chip(self) -> Chip:
        return self.virtual.chip.virtual

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


def new_bench(kind: str, folder: Path, package: dict[str, bytes], run: Run | None = None) -> Bench:
    """Return a bench with an authority of its own; nothing is powered yet."""
    return Bench(kind, folder, Path(shutil.copytree(_authority(), folder / "home")), package, run)
