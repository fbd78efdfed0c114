"""The other end of :mod:`hri.rig.bus_control`: a bus that is somewhere else, and the board on it."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Any, Self

_MAX_REPLY = 1 << 24


class RemoteControl:
    """The faults and the supply of a served bus, and the board that is served with it.

    Every method raises ValueError with the server's words when it refuses, and OSError when it goes away or
    does not answer in ``timeout`` seconds.
    """

    def __init__(self, host: str, port: int, *, timeout: float = 90.0) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._replies = self._socket.makefile("rb")

    def close(self) -> None:
        """Hang up."""
        self._replies.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def arm(self, *faults: str, seed: int | None = None) -> list[str]:
        """Forget all faults, count from zero and wait for these; return them as the server read them."""
        request: dict[str, Any] = {"do": "arm", "faults": faults}
        if seed is not None:
            request["seed"] = seed
        armed: list[str] = self._ask(request)["faults"]
        return armed

    def clear(self) -> None:
        """Forget all faults and let go of a stuck line."""
        self._ask({"do": "clear"})

    def clock(self, pulses: int = 9) -> None:
        """Clock SCL, to clear a stuck bus."""
        self._ask({"do": "clock", "pulses": pulses})

    def counters(self) -> dict[str, Any]:
        """Return what was counted, and the state of supply and line."""
        return self._ask({"do": "counters"})

    def hits(self) -> list[dict[str, Any]]:
        """Return every fault that struck and was logged, in order."""
        found: list[dict[str, Any]] = []
        while more := self._ask({"do": "hits", "from": len(found)})["hits"]:
            found += more
        return found

    def trace(self, first: int | None = None) -> dict[str, Any]:
        """Return the bus's transactions from number ``first`` on, None for those from now on.

        Members: ``trace`` (the header), ``transactions`` (as the lines of a file), ``next`` (the number to
        ask from), ``lost`` (how many since ``first`` are not kept any more).
        """
        return self._ask({"do": "trace"} if first is None else {"do": "trace", "from": first})

    def power_off(self) -> None:
        """Take the supply from everything on the bus."""
        self._ask({"do": "power", "on": False})

    def power_on(self) -> None:
        """Give it back."""
        self._ask({"do": "power", "on": True})

    def board(self, act: str | None = None) -> dict[str, Any]:
        """Do ``act`` to the board, None for nothing, and return what it is and how it stands.

        Acts are ``reset``, ``power-cycle``, ``power-off``, ``power-on``, ``detach`` and ``attach``.
        """
        return self._ask({"do": "board"} if act is None else {"do": "board", "act": act})

    def save(self, name: str) -> dict[str, Any]:
        """Keep board and chip as they are now under ``name``; returns it, and the file if it is one."""
        return self._ask({"do": "save", "name": name})

    def load(self, name: str) -> dict[str, Any]:
        """Go back to what was saved under ``name``: the board loses its power while that happens."""
        return self._ask({"do": "load", "name": name})

    def snapshots(self) -> list[str]:
        """Return the names that `load` knows."""
        names: list[str] = self._ask({"do": "snapshots"})["snapshots"]
        return names

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        line = self._replies.readline(_MAX_REPLY)
        if not line.endswith(b"\n"):
            raise ConnectionError("the control connection was closed")
        reply: dict[str, Any] = json.loads(line)
        if not reply.pop("ok"):
            raise ValueError(reply["error"])
        return reply
