"""A `SoftBoard` on a pty, for whoever needs a real serial port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hri.link import DeviceRefused
from unit.link.fake_device import FakeDevice
from unit.provision.soft_board import SoftBoard


@contextmanager
def served(board: SoftBoard) -> Iterator[str]:
    """Serve the board and yield the name of its port."""

    def answer(op: str, args: dict[str, Any], authorisation: bytes | None) -> list[Any]:
        try:
            return [0, board.call(op, args, authorisation=authorisation)]
        except DeviceRefused as refused:
            fault = {"code": refused.code, "message": refused.said, "state": refused.state or ""}
            if refused.status is not None:
                fault |= {"status": refused.status, "opcode": refused.opcode}
            return [1, fault]

    with FakeDevice(answer) as device:
        yield device.port
