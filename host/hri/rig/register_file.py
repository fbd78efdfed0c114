"""A second device for the bus: registers behind a pointer, as sensors and small EEPROMs have them."""

from __future__ import annotations

_SIZE = 256


class RegisterFile:
    """256 registers at ``address``, a :class:`hri.rig.bus.Target`.

    The first byte of a write sets the pointer, the others are stored from there on; reads go on from it. All
    are 0xFF at power-up.
    """

    def __init__(self, address: int) -> None:
        self.address = address
        self.registers = bytearray(b"\xff" * _SIZE)
        self._pointer = 0
        self._pointed = False

    def wake_pulse(self, low_us: float) -> None:
        """Nothing: it never sleeps."""

    def start(self, address: int, read: bool) -> bool:  # noqa: ARG002
        self._pointed = False
        return address == self.address

    def write_byte(self, value: int) -> bool:
        if self._pointed:
            self.registers[self._pointer] = value
            self._pointer = (self._pointer + 1) % _SIZE
        else:
            self._pointer, self._pointed = value, True
        return True

    def read_byte(self) -> int:
        value = self.registers[self._pointer]
        self._pointer = (self._pointer + 1) % _SIZE
        return value

    def stop(self) -> None:
        """Nothing: what was written is stored already."""

    def power_cycle(self) -> None:
        self.registers[:] = b"\xff" * _SIZE
        self._pointer = 0
