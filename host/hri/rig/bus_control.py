"""What is done to a bus that is being served, and to the board on it, over a second socket.

One JSON object a line each way; ``docs/rig-faults.md`` and ``docs/rig.md`` have the requests. Not
authenticated: keep it on localhost.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from hri.boards import BoardError
from hri.rig.bus import Bus
from hri.rig.bus_faults import FaultyTarget
from hri.rig.bus_line import BusLine
from hri.rig.fault_script import parse_all, render
from hri.rig.tcp_server import TcpServer
from hri.rig.trace.file import as_dict, header_dict
from hri.rig.trace.model import Header
from hri.rig.trace.recorder import LiveTrace

_LINE_DEADLINE_S = 5.0
_IDLE_DEADLINE_S = 300.0
_BUSY_DEADLINE_S = 5.0
_MAX_LINE = 1 << 16
_MAX_CLIENTS = 8
_MAX_HITS = 1000
_MAX_CLOCKS = 1_000_000
# 500 transfers of usual size are some 200 KB of JSON; a longer reply would hold the bus up.
_MAX_TRANSACTIONS = 500

Request = Callable[[dict[str, Any]], dict[str, Any]]


class BusControl:
    """Serve the faults of ``wires`` and the supply of ``bus`` on a TCP port of their own.

    ``also`` are further requests by name, which see to themselves that the bus is free: they raise ValueError
    for what makes no sense, and BoardError or OSError for what fails; one at a time. ``header`` is what a
    trace says of itself.

    A line must be whole 5 s after its first byte, at most 64 KiB long, and follow the one before within
    300 s; else the connection is closed. A request waits at most 5 s for a transaction under way. At most
    eight clients at a time.
    """

    def __init__(
        self,
        bus: Bus,
        wires: FaultyTarget,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        also: Mapping[str, Request] = MappingProxyType({}),
        header: Header | None = None,
    ) -> None:
        self._bus = bus
        self._live = LiveTrace(bus, header, wires=wires)
        self._also = also
        self._also_lock = threading.Lock()
        self._wires = wires
        self._server = TcpServer(host, port, self._serve, name="bus-control", most=_MAX_CLIENTS)
        self._requests: dict[str, Request] = {
            "arm": self._arm,
            "clear": self._clear,
            "clock": self._clock,
            "counters": self._counters,
            "hits": self._hits,
            "power": self._power,
            "trace": self._trace,
        }

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port it listens on."""
        return self._server.address

    def start(self) -> None:
        """Begin to accept clients, in threads of its own."""
        self._server.start()

    def stop(self) -> None:
        """Disconnect every client and stop listening; safe to call twice."""
        self._server.stop()

    def __enter__(self) -> BusControl:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what one line asks and return the reply; a bad request changes nothing."""
        try:
            request = json.loads(line)
            name = request.get("do") if isinstance(request, dict) else None
            if isinstance(name, str) and name in self._also:
                with self._also_lock:
                    return {"ok": True, **self._also[name](request)}
            if not isinstance(name, str) or name not in self._requests:
                known = ", ".join((*self._requests, *self._also))
                raise ValueError(f'write {{"do": ...}} with one of {known}')
            if not self._bus.exclusive.acquire(timeout=_BUSY_DEADLINE_S):
                raise TimeoutError("the bus is busy with one transaction; try again")
            try:
                return {"ok": True, **self._requests[name](request)}
            finally:
                self._bus.exclusive.release()
        except (ValueError, TimeoutError, RecursionError, BoardError, OSError) as error:
            return {"ok": False, "error": str(error)}

    def _serve(self, client: socket.socket) -> None:
        pending = b""
        try:
            while True:
                line, pending = _line(client, pending)
                if line is None:
                    return
                reply = self.answer(line)
                client.settimeout(_LINE_DEADLINE_S)
                client.sendall(json.dumps(reply).encode() + b"\n")
        except OSError:
            return

    def _arm(self, request: dict[str, Any]) -> dict[str, Any]:
        texts, seed = request.get("faults"), request.get("seed", self._wires.seed)
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError('arm needs "faults", a list such as ["flip@17"]')
        _number(seed, "seed", (1 << 64) - 1)
        self._wires.arm(parse_all(texts), seed=seed)
        return {"faults": [render(fault) for fault in self._wires.faults], "seed": seed}

    def _clear(self, _request: dict[str, Any]) -> dict[str, Any]:
        self._wires.arm(())
        BusLine.of(self._bus).release()
        return {}

    def _clock(self, request: dict[str, Any]) -> dict[str, Any]:
        pulses = _number(request.get("pulses", 9), "pulses", _MAX_CLOCKS)
        self._bus.clock_pulses(pulses)
        return {"stuck": self._stuck()}

    def _counters(self, _request: dict[str, Any]) -> dict[str, Any]:
        counters, wires = self._bus.counters, self._wires
        return {
            "transfers": counters.transfers,
            "bytes": counters.bytes,
            "wakes": counters.wakes,
            "commands": {f"{opcode:02x}": count for opcode, count in sorted(wires.commands.items())},
            "bytes_seen": wires.bytes_seen,
            "transfers_seen": wires.transfers_seen,
            "struck": wires.struck,
            "faults": [render(fault) for fault in wires.faults],
            "seed": wires.seed,
            "powered": BusLine.of(self._bus).powered,
            "stuck": self._stuck(),
        }

    def _hits(self, request: dict[str, Any]) -> dict[str, Any]:
        first = _number(request.get("from", 0), "from", 1 << 32)
        hits = [
            {
                "time_us": hit.time_us,
                "transfer": hit.transfer,
                "byte": hit.byte,
                "fault": render(hit.fault),
                "armed": render(hit.armed),
            }
            for hit in self._wires.log[first : first + _MAX_HITS]
        ]
        return {"hits": hits, "struck": self._wires.struck}

    def _power(self, request: dict[str, Any]) -> dict[str, Any]:
        on = request.get("on")
        if not isinstance(on, bool):
            raise ValueError('power needs "on", true or false')
        line = BusLine.of(self._bus)
        if on:
            line.power_on()
        else:
            line.power_off()
        return {"powered": line.powered}

    def _trace(self, request: dict[str, Any]) -> dict[str, Any]:
        first = request.get("from")
        if first is not None:
            _number(first, "from", 1 << 53)
        found, following, lost = self._live.since(first, _MAX_TRANSACTIONS)
        return {
            "trace": header_dict(self._live.header),
            "transactions": [as_dict(transaction) for transaction in found],
            "next": following,
            "lost": lost,
        }

    def _stuck(self) -> str | None:
        held = BusLine.of(self._bus).held
        return None if held is None else render(held)


def _number(value: object, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f'"{name}" is a whole number from 0 to {most}')
    return value


def _line(client: socket.socket, pending: bytes) -> tuple[bytes | None, bytes]:
    """Return the next line and what came after it; None when the client is gone, late or says too much."""
    deadline = None if not pending else time.monotonic() + _LINE_DEADLINE_S
    while b"\n" not in pending:
        left = _IDLE_DEADLINE_S if deadline is None else deadline - time.monotonic()
        if left <= 0 or len(pending) > _MAX_LINE:
            return None, b""
        client.settimeout(left)
        received = client.recv(4096)
        if not received:
            return None, b""
        if deadline is None:
            deadline = time.monotonic() + _LINE_DEADLINE_S
        pending += received
    line, _, rest = pending.partition(b"\n")
    return line, rest
