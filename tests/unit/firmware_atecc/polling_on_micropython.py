"""Run by MicroPython itself (see test_polling_on_micropython.py): what waiting for a chip leaves on the heap.

Argument: the firmware folder. Prints the bytes that one poll leaves: in a bare loop, while a command runs,
while the chip wakes.
"""

import gc
import sys

sys.path.insert(0, sys.argv[1])

from hri_device.atecc.packet import crc16
from hri_device.atecc.session import Session

POLLS = 50
BUSY = OSError(5)
WAKE_REPLY = b"\x04\x11\x33\x43"


def reply(payload):
    body = bytes((len(payload) + 3,)) + payload
    crc = crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


class Bus:
    """Refuses POLLS readings in a row before each reply, and notes the heap at the first and the last."""

    def __init__(self, replies):
        self.replies = replies
        self.count = 0
        self.first = 0
        self.left = [0] * len(replies)
        self.done = 0

    def wake(self):
        pass

    def write(self, _address, _buf):
        pass

    def read_into(self, _address, buf):
        self.count += 1
        if self.count == 2:
            self.first = gc.mem_alloc()
        if self.count <= POLLS:
            raise BUSY
        self.left[self.done] = (gc.mem_alloc() - self.first) // (POLLS - 1)
        self.count = 0
        buf[:] = self.replies[self.done]
        self.done += 1

    def sleep_us(self, _n):
        pass

    def ticks_ms(self):
        return 0

    def ticks_diff(self, a, b):
        return a - b


def bare(bus, view):
    while True:
        try:
            bus.read_into(0x60, view)
            return
        except OSError:
            pass


gc.disable()
reference = Bus([WAKE_REPLY])
bare(reference, memoryview(bytearray(4)))
bus = Bus([WAKE_REPLY, reply(b"1234")])
with Session(bus, 0x60) as session:
    session.execute(0x30, 0, 0, b"", 4, 5)
print(reference.left[0], bus.left[1], bus.left[0])
