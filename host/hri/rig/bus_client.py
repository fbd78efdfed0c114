"""The other end of :mod:`hri.rig.bus_server`: a bus that is somewhere else."""

from __future__ import annotations

import socket
import struct

_HEADER = struct.Struct(">cBH")
_REPLY = struct.Struct(">BH")


class RemoteBus:
    """A bus reached over TCP. Raises OSError when the server goes away or does not answer in ``timeout``."""

    def __init__(self, host: str, port: int, *, timeout: float = 10.0) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> RemoteBus:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _receive(self, least: int, expected: int, received: bytes = b"") -> bytes:
        """Return ``least`` bytes or more; asking for all that are expected saves a call for most replies."""
        while len(received) < least:
            more = self._socket.recv(expected - len(received))
            if not more:
                raise ConnectionError("the bus server closed the connection")
            received += more
        return received

    def _call(self, op: bytes, address: int, length: int, payload: bytes = b"") -> tuple[int, bytes]:
        self._socket.sendall(_HEADER.pack(op, address, length) + payload)
        expected = _REPLY.size + (0 if payload else length)
        reply = self._receive(_REPLY.size, expected)
        status, size = _REPLY.unpack_from(reply)
        end = _REPLY.size + size
        return status, self._receive(end, end, reply)[_REPLY.size :]

    def write(self, address: int, payload: bytes) -> int:
        """Write ``payload``; return ACK, ADDRESS_NACK or DATA_NACK of :mod:`hri.rig.bus`."""
        return self._call(b"W", address, len(payload), payload)[0]

    def read(self, address: int, length: int) -> tuple[int, bytes]:
        """Read ``length`` bytes; return the outcome and the bytes."""
        return self._call(b"R", address, length)

    def wake(self) -> None:
        """Send a wake pulse of at least 60 us."""
        self._call(b"K", 0, 0)

    def power_cycle(self) -> None:
        """Cut and restore the supply of everything on the bus."""
        self._call(b"P", 0, 0)
