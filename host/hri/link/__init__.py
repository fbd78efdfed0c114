"""The host end of the serial protocol (docs/protocol.md)."""

from hri.link.errors import (
    AnswerLost,
    BoardInRepl,
    DeviceRefused,
    DeviceSilent,
    NoDevice,
    NoPermission,
    PortBusy,
    ProtocolMismatch,
)
from hri.link.serial_link import Deadlines, Link, SerialLink

__all__ = [
    "AnswerLost",
    "BoardInRepl",
    "Deadlines",
    "DeviceRefused",
    "DeviceSilent",
    "Link",
    "NoDevice",
    "NoPermission",
    "PortBusy",
    "ProtocolMismatch",
    "SerialLink",
]
