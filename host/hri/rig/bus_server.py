"""The I2C bus over TCP, so that any program can put a virtual chip on its bus.

The format is the table "I2C bus over TCP" of ``docs/virtual-atecc.md``.
"""

from __future__ import annotations

import socket
import struct

from hri.rig.bus import WAKE_LOW_US, Bus
from hri.rig.tcp_server import TcpServer

_HEADER = struct.Struct(">cBH")
_REPLY = struct.Struct(">BH")
_STATUS_ONLY = tuple(_REPLY.pack(status, 0) for status in range(3))
_RECEIVE_SIZE = 1 << 17


class _Malformed(Exception):
    """A client sent something that is not a request."""


class BusServer:
    """Serve ``bus`` on a TCP port to any number of clients, one whole transaction at a time.

    Port 0 picks a free one. :attr:`failure` holds the exception of a target that could not go on (for
    instance a chip whose state file cannot be written); the client that ran into it is disconnected.
    """

    def __init__(self, bus: Bus, host: str = "127.0.0.1", port: int = 0) -> None:
        self._bus = bus
        self._server = TcpServer(host, port, self._serve, name="bus")
        self.failure: Exception | None = None

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

    def __enter__(self) -> BusServer:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _serve(self, client: socket.socket) -> None:
        pending = b""
        try:
            while chunk := client.recv(_RECEIVE_SIZE):
                replies, pending = self._answer(pending + chunk if pending else chunk)
                if replies:
                    client.sendall(replies)
        except (_Malformed, OSError):
            pass
        except Exception as failure:  # noqa: BLE001 - a broken target must not take the server down
            self.failure = failure

    def _answer(self, received: bytes) -> tuple[bytes, bytes]:
        """Run every whole request in ``received``; return the replies and what is left over."""
        replies: list[bytes] = []
        at, end = 0, len(received)
        while end - at >= _HEADER.size:
            op, address, length = _HEADER.unpack_from(received, at)
            at_payload = at + _HEADER.size
            if op == b"W":
                if end < at_payload + length:
                    if address > 0x7F:
                        raise _Malformed
                    break
                at = at_payload + length
                replies.append(self._run(op, address, length, received[at_payload:at]))
            else:
                at = at_payload
                replies.append(self._run(op, address, length, b""))
        return b"".join(replies), received[at:]

    def _run(self, op: bytes, address: int, length: int, payload: bytes) -> bytes:
        if address > 0x7F:
            raise _Malformed
        bus = self._bus
        with bus.exclusive:
            if op == b"W":
                return _STATUS_ONLY[bus.write(address, payload)]
            if op == b"R":
                status, data = bus.read(address, length)
                return _REPLY.pack(status, len(data)) + data
            if op == b"K":
                bus.wake_pulse(WAKE_LOW_US)
                return _STATUS_ONLY[0]
            if op == b"P":
                bus.power_cycle()
                return _STATUS_ONLY[0]
        raise _Malformed
