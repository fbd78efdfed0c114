"""What can go wrong between the host and a board, each with what to do next."""

from __future__ import annotations

from functools import partial
from typing import Any

from hri.errors import DeviceError

# Codes of docs/protocol.md that a later attempt may find gone.
_TRANSIENT = frozenset({"chip-busy", "chip-fault"})

_HINTS = {
    "chip-absent": "look at the chip's supply, SDA, SCL and ground, and at its address in hri_board.json",
    "chip-busy": "run the same command again",
    "chip-fault": "look at the wiring and the pull-up resistors, then run the same command again",
    "locked": "run `hri chip info` to see what is locked",
    "wrong-chip": "the board was swapped during the work: plug the first one in again and repeat the command",
    "unauthorised": "this chip takes orders from another operator key: use the home it was provisioned from",
    "not-found": "the board holds no certificate yet: run `hri provision`",
    "storage": "free some space on the board's file system, then run the same command again",
    "too-long": "use a shorter certificate chain or subject",
    "internal": "this is a fault of hri_device: report it with the board's last output",
    "bad-request": "host and board disagree: put the same version of hri_device on the board",
}


class NoDevice(DeviceError):
    """The port does not exist, or went away and did not come back."""


class PortBusy(DeviceError):
    """Another program holds the port."""


class NoPermission(DeviceError):
    """The user may not open the port."""


class DeviceSilent(DeviceError):
    """Nothing that speaks the protocol answered before the deadline."""


class BoardInRepl(DeviceError):
    """The board runs MicroPython or CircuitPython, but the service did not come up."""


class ProtocolMismatch(DeviceError):
    """What answered speaks another version of the protocol, or something else altogether."""


class AnswerLost(DeviceError):
    """An authorised request got no answer; whether it was carried out is not known."""


class DeviceRefused(DeviceError):
    """The board answered with an error of docs/protocol.md; `code` is the protocol's code.

    `state` is the stage of the chip, `status` the chip's own status byte and `opcode` the command that it
    answered, each None where the board gave none.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        op: str,
        state: str | None = None,
        status: int | None = None,
        opcode: int | None = None,
    ) -> None:
        words = f"{op}: {message}"
        if status is not None:
            words += f" (chip status {status:#04x})"
        super().__init__(code, words, _HINTS.get(code, ""))
        self.said = message
        self.op = op
        self.state = state
        self.status = status
        self.opcode = opcode

    def __reduce__(self) -> tuple[Any, ...]:
        remake = partial(DeviceRefused, op=self.op, state=self.state, status=self.status, opcode=self.opcode)
        return remake, (self.code, self.said)

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.code in _TRANSIENT
