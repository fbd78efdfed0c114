"""CircuitPython's usb_cdc: `data` is the line whose file descriptor the test has given."""

import array
import fcntl
import os
import termios


class Serial:
    """A serial line with CircuitPython's names."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self.timeout = None

    @property
    def in_waiting(self):
        """How many bytes can be read."""
        size = array.array("i", [0])
        fcntl.ioctl(self._descriptor, termios.FIONREAD, size)
        return size[0]

    def readinto(self, buffer):
        """Read what is there; the service never waits in here."""
        if self.timeout != 0:
            raise RuntimeError("a read that waits would hold up the service")
        data = os.read(self._descriptor, min(len(buffer), self.in_waiting)) if self.in_waiting else b""
        buffer[: len(data)] = data
        return len(data)

    def write(self, data):
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


console = None
data = Serial(int(os.environ["BOARD_DATA"]))
