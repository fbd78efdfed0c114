"""Virtual boards in wall seconds and bytes: boot, provisioning, flashing, a first identity, fleets.

Wall seconds are this machine's of today and have no goal. Bytes that a flash moves are exact.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bench_entry import Entry, reported
from hri.elements.board import BoardElement
from hri.flash import Installer, SerialRepl, build_package
from hri.home import Home, Passphrases
from hri.link import SerialLink
from hri.provision import provision
from hri.rig.atecc import open_chip
from hri.rig.boards import Board, BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.firmware import device_package
from hri.rig.fleet import Fleet, Member

_PASSPHRASES = {
    "HRI_CA_PASSPHRASE": "bench issuing passphrase",
    "HRI_ROOT_PASSPHRASE": "bench root passphrase",
}
_KINDS = {"rpi_pico": "rp2", "unix": "linux"}
_FLEET = 40
_AT_ONCE = 8
_IDLE_S = 3.0
_GIB = 1 << 30
_TICKS = os.sysconf("SC_CLK_TCK")
_MACHINE = "the wall seconds of this machine"


def measure() -> dict[str, Entry]:
    """Return every measure of boards."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        _hri(home, "ca", "init")
        entries = _first_identity(Path(scratch, "newcomer"))
        for kind in _KINDS:
            entries |= _boot_and_provisioning(kind, home) | _flashing(kind)
        return entries | _fleet(home, Path(scratch, "fleet"))


def _hri(home: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "hri.cli", "--home", str(home), "--json", *arguments],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        env=os.environ | _PASSPHRASES,
    )


def _first_identity(home: Path) -> dict[str, Entry]:
    """Run the README's commands by hand: serve a board, make the CA, provision, authenticate."""
    start = time.perf_counter()
    served = subprocess.Popen(
        [sys.executable, "-m", "hri.cli", "rig", "serve", "--board", "unix"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = served.stdout.readline().strip() if served.stdout else ""
        _hri(home, "ca", "init")
        _hri(home, "provision", "--port", port, "--device-id", "device-001", "--lock")
        _hri(home, "authenticate", "--port", port)
        seconds = time.perf_counter() - start
    finally:
        served.terminate()
        served.communicate(timeout=30)
    return {
        "newcomer.first_identity.commands": reported(
            4, "commands", "serve, ca init, provision, authenticate"
        ),
        "newcomer.first_identity": reported(round(seconds, 1), "s", f"{_MACHINE}, all four together"),
    }


def _board(kind: str, package: dict[str, bytes]) -> Board:
    clock = BoardClock()
    return open_board(kind, bus=Bus([open_chip("atecc608b", clock=clock)]), package=package, clock=clock)


def _boot_and_provisioning(kind: str, home: Path) -> dict[str, Entry]:
    board = _board(kind, device_package())
    start = time.perf_counter()
    with board, ExitStack() as stack:
        link = stack.enter_context(SerialLink.open(board.port))
        link.call("hello", {})
        booted = time.perf_counter() - start
        context = stack.enter_context(
            Home(home, Passphrases(_PASSPHRASES), environ={}).context(unlocked=True)
        )
        element = BoardElement(link, authorise=context.authorise())
        start = time.perf_counter()
        provision(lambda: element, context, device_id=f"bench-{kind}", lock=True)
        provisioned = time.perf_counter() - start
    return {
        f"board.{kind}.boot": reported(round(booted, 2), "s", f"{_MACHINE}, from power to the first answer"),
        f"board.{kind}.provision": reported(round(provisioned, 2), "s", _MACHINE),
    }


def _flashing(kind: str) -> dict[str, Entry]:
    package = build_package(platform=_KINDS[kind])
    entries = {}
    with _board(kind, {}) as board:
        for name in ("first", "again"):
            start = time.perf_counter()
            with SerialRepl(board.port) as repl:
                done = Installer(repl).install(package)
            seconds = round(time.perf_counter() - start, 2)
            entries[f"flash.{kind}.{name}"] = reported(seconds, "s", f"{_MACHINE}, every file hashed")
            entries[f"flash.{kind}.{name}.bytes"] = reported(
                done.bytes_sent, "bytes", f"of {done.bytes_total} on the board"
            )
    return entries


def _fleet(home: Path, folder: Path) -> dict[str, Entry]:
    def provisioned(member: Member) -> None:
        with (
            Home(home, Passphrases(_PASSPHRASES), environ={}).context(unlocked=True) as context,
            SerialLink.open(member.port) as link,
        ):
            element = BoardElement(link, authorise=context.authorise())
            provision(lambda: element, context, device_id=member.name, lock=True)

    cores = len(os.sched_getaffinity(0))
    start = time.perf_counter()
    with Fleet(_FLEET, folder=folder) as fleet:
        started = time.perf_counter() - start
        memory = _memory()
        before = _processor_seconds()
        time.sleep(_IDLE_S)
        idle = max((_processor_seconds() - before) / _IDLE_S, 1 / _TICKS / _IDLE_S)
        start = time.perf_counter()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(provisioned, fleet.members))
        minutes = (time.perf_counter() - start) / 60
    return {
        "fleet.start": reported(round(started / _FLEET * 1000), "ms a board", _MACHINE),
        "fleet.boards_a_gib": reported(
            round(_GIB * _FLEET / memory), "unix boards", "by proportional set size, chips included"
        ),
        "fleet.idle_boards_a_core": reported(
            round(_FLEET / idle), "unix boards", "that wait for a host, by processor time"
        ),
        "fleet.provisioned": reported(
            round(_FLEET / minutes / cores),
            "devices a minute and core",
            f"{_MACHINE}, host and boards",
        ),
    }


def _ours() -> list[Path]:
    """Return the /proc folders of this process's descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, todo = [], [os.getpid()]
    while todo:
        children = [pid for pid, parent in parents.items() if parent == todo[0]]
        todo = todo[1:] + children
        found += children
    return [Path("/proc", str(pid)) for pid in found]


def _memory() -> int:
    """Return the bytes of this process's descendants, each shared page counted once."""
    total = 0
    for process in _ours():
        lines = (process / "smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def _processor_seconds() -> float:
    """Return what this process's descendants have had of the processor."""
    ticks = 0
    for process in _ours():
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS
