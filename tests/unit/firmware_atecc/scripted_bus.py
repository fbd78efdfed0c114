"""A bus that plays one script, byte for byte, on a clock that moves only when the driver sleeps."""

WAKE_REPLY = bytes.fromhex("04113343")
OK = bytes.fromhex("04000340")


def pulse():
    return ("pulse",)


def write(data):
    return ("write", bytes(data))


def lose(data):
    """Expect this write and do not acknowledge it."""
    return ("lose", bytes(data))


def read(data):
    return ("read", bytes(data))


def busy(milliseconds):
    """Acknowledge no read for this long, counted from the first one."""
    return ("busy", milliseconds)


def takes(milliseconds):
    """Let time pass, as a command of that length does, without a word on the bus."""
    return ("takes", milliseconds)


def awake():
    return [pulse(), read(WAKE_REPLY)]


def exchange(command, reply):
    return [write(command), read(reply)]


SLEEP = write(b"\x01")
IDLE = write(b"\x02")
RESET = write(b"\x00")


def crc(data):
    """The CRC-16 of the 508A datasheet, bit by bit, low byte first."""
    register = 0
    for byte in data:
        for bit in range(8):
            differ = (byte >> bit & 1) ^ (register >> 15)
            register = register << 1 & 0xFFFF
            if differ:
                register ^= 0x8005
    return bytes((register & 0xFF, register >> 8))


def command(opcode, param1, param2, data=b""):
    body = bytes((7 + len(data), opcode, param1, param2 & 0xFF, param2 >> 8)) + data
    return b"\x03" + body + crc(body)


def reply(payload):
    body = bytes((3 + len(payload),)) + payload
    return body + crc(body)


class ScriptedBus:
    """Fails at the first step that departs from the script; when it has ended, the chip is gone."""

    def __init__(self, *steps, address=0x60):
        self._steps = []
        for step in steps:
            self._steps.extend(step if isinstance(step, list) else [step])
        self._address = address
        self._until = None
        self.now = 0x3FFFFF00  # about to wrap, as MicroPython's ticks do
        self._us = 0
        self.reads = 0

    @property
    def left(self):
        return self._steps

    def _next(self):
        return self._steps[0] if self._steps else None

    def _done(self):
        self._steps.pop(0)
        while self._steps and self._steps[0][0] == "takes":
            self.now += self._steps.pop(0)[1]

    def wake(self):
        step = self._next()
        if step == ("pulse",):
            self._done()
        elif step is not None and step[0] != "busy":
            raise AssertionError(f"wake pulse where the script has {step}")

    def write(self, address, buf):
        if address != self._address:
            raise OSError(5)
        step = self._next()
        if step is None or step[0] == "busy":
            raise OSError(5)
        assert step[0] in ("write", "lose"), f"write of {bytes(buf).hex()} where the script has {step}"
        assert bytes(buf).hex() == step[1].hex()
        self._done()
        if step[0] == "lose":
            raise OSError(5)

    def read_into(self, address, buf):
        if address != self._address:
            raise OSError(5)
        self.reads += 1
        step = self._next()
        if step is not None and step[0] == "busy":
            if self._until is None:
                self._until = self.now + step[1]
            if self.now < self._until:
                raise OSError(5)
            self._until = None
            self._done()
            step = self._next()
        if step is None or step[0] == "pulse":
            raise OSError(5)
        assert step[0] == "read", f"read where the script has {step}"
        self._done()
        # What is read past the end of a reply is FF.
        buf[:] = (step[1] + b"\xff" * len(buf))[: len(buf)]

    def sleep_us(self, n):
        self._us += n
        self.now += self._us // 1000
        self._us %= 1000

    def ticks_ms(self):
        return self.now & 0x3FFFFFFF

    def ticks_diff(self, a, b):
        return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000
