"""Commands a second that the virtual chip answers over TCP, beside a bare TCP echo of as many requests.

Server and client are two processes. `together` holds both on one core, so it includes what the client
spends; that is the measure with a goal of its own. `apart` gives each a core, which is slower where waking
the other core takes longer than the work does, as in most virtual machines; there only the share of the bare
echo's rate says something about our code. The client polls, as a driver does: one request writes the
command, the next asks for the answer until it comes. Info and a 32-byte Read take turns.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from bench_entry import Entry, at_least, share_of_rate
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus
from hri.rig.bus_client import RemoteBus
from hri.rig.bus_server import BusServer

_ADDRESS = 0x60
# Word address, count, opcode, parameters, CRC; and the length of the answer.
_COMMANDS = (
    (bytes.fromhex("03 07 30 00 00 00 03 5d"), 7),
    (bytes.fromhex("03 07 02 80 00 00 09 ad"), 35),
)
# In between the client lets the chip sleep, or the watchdog would.
_COMMANDS_A_WAKE = 1000
_ROUNDS = 6
_GOAL = 5000
_SHARE = 0.5
_UNIT = "commands/s"


def _serve(what: str) -> None:
    """Serve a chip or an echo, print the port, and stop when standard input ends."""
    if what == "chip":
        with BusServer(Bus([open_chip("atecc608b")])) as server:
            print(server.address[1], flush=True)
            sys.stdin.read()
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client:
            while received := client.recv(1 << 16):
                client.sendall(received)


@contextlib.contextmanager
def _served(what: str, core: int) -> Iterator[int]:
    server = subprocess.Popen(
        [sys.executable, __file__, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    said = server.stdout or sys.stdin
    try:
        os.sched_setaffinity(server.pid, {core})
        yield int(said.readline())
    finally:
        server.communicate(timeout=30)


def _chip_round(bus: RemoteBus) -> float:
    """Return commands a second over one waking."""
    bus.write(_ADDRESS, b"\x01")
    bus.wake()
    start = time.perf_counter()
    for number in range(_COMMANDS_A_WAKE):
        packet, length = _COMMANDS[number & 1]
        if bus.write(_ADDRESS, packet):
            raise ValueError("the chip did not take a command of the bench")
        status, answer = bus.read(_ADDRESS, length)
        while status:
            status, answer = bus.read(_ADDRESS, length)
        if answer[0] != length:
            raise ValueError("the chip refused a command of the bench")
    return _COMMANDS_A_WAKE / (time.perf_counter() - start)


def _echo_round(connection: socket.socket) -> float:
    """Return pairs of requests a second, as long as those of a command."""
    requests = (bytes(4 + len(_COMMANDS[0][0])), bytes(4))
    start = time.perf_counter()
    for _ in range(_COMMANDS_A_WAKE):
        for request in requests:
            connection.sendall(request)
            received = len(connection.recv(64))
            while received < len(request):
                received += len(connection.recv(64))
    return _COMMANDS_A_WAKE / (time.perf_counter() - start)


def _rates(server_core: int) -> tuple[float, float]:
    """Return the best rates of chip and echo; the rounds take turns, so that both meet the same machine."""
    with contextlib.ExitStack() as stack:
        chip_port, echo_port = (stack.enter_context(_served(what, server_core)) for what in ("chip", "echo"))
        bus = stack.enter_context(RemoteBus("127.0.0.1", chip_port))
        echo = stack.enter_context(socket.create_connection(("127.0.0.1", echo_port), timeout=10))
        echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rounds: list[tuple[Callable[[], float], float]] = [
            (lambda: _chip_round(bus), 0.0),
            (lambda: _echo_round(echo), 0.0),
        ]
        for _ in range(_ROUNDS):
            rounds = [(run, max(best, run())) for run, best in rounds]
        return rounds[0][1], rounds[1][1]


def measure() -> dict[str, Entry]:
    """Return commands a second over TCP, on one core and on two where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    here = cores[0]
    places = {"together": here} | ({"apart": cores[1]} if len(cores) > 1 else {})
    entries = {}
    os.sched_setaffinity(0, {here})
    try:
        for name, core in places.items():
            chip, echo = _rates(core)
            together = core == here
            entries[f"rig.tcp.{name}"] = (
                at_least(chip, echo, _UNIT, _GOAL) if together else share_of_rate(chip, echo, _UNIT, _SHARE)
            )
    finally:
        os.sched_setaffinity(0, set(cores))
    return entries


if __name__ == "__main__":
    _serve(sys.argv[1])
