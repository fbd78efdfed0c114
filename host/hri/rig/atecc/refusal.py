"""How a command ends without success."""

from __future__ import annotations

from hri.rig.atecc.packet import Status


class Refused(Exception):
    """A command ended with a status other than success."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


def parse_error() -> Refused:
    """Length, opcode or parameters are illegal whatever the chip's state."""
    return Refused(Status.PARSE_ERROR)


def execution_error() -> Refused:
    """The command is legal but not in the chip's present state."""
    return Refused(Status.EXECUTION_ERROR)


def require(condition: object) -> None:
    """Refuse with an execution error unless ``condition`` holds."""
    if not condition:
        raise execution_error()
