"""The device record in CircuitPython's `microcontroller.nvm`, which code may write to at any time."""

from .chipstore import pack, packed_size, unpack


class NvmStore:
    """Keeps the record at the beginning of `nvm`, a bytearray that survives a loss of power.

    For boards whose file system belongs to the computer they are plugged into. The microcontroller writes by
    whole flash sectors, so a loss of power in the very moment of saving costs the record, which then counts
    as none and is stored again by the same host command. Raises DamagedError where a record cannot be used
    and Refusal "too-long" where one does not fit.
    """

    def __init__(self, nvm):
        self._nvm = nvm

    def load(self):
        """Return the stored Record, or None where there is none."""
        size = packed_size(bytes(self._nvm[:8]), len(self._nvm))
        return unpack(bytes(self._nvm[:size])) if size else None

    def save(self, record):
        """Store `record` in place of any other, in one write."""
        data = pack(record, len(self._nvm))
        self._nvm[: len(data)] = data
