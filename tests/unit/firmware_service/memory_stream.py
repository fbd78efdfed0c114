"""A byte stream as the ports offer it, in memory and with a clock of its own."""


class MemoryStream:
    """Yields `script` in order: bytes arrive together, an int is that many milliseconds of silence.

    When the script is used up the stream reads as closed. `split` is the most that one read yields.
    """

    def __init__(self, script, split=1 << 30):
        self._script = list(script)
        self._split = split
        self.written = bytearray()
        self.consumed = 0
        self.interrupt_on = True
        self.interrupt_changes = []

    def wait(self, ms):
        while self._script and self._script[0] == b"":
            self._script.pop(0)
        if not self._script or isinstance(self._script[0], bytes):
            return True
        if self._script[0] > ms:
            self._script[0] -= ms
            return False
        self._script.pop(0)
        return self.wait(ms)

    def read_into(self, buf):
        if not self._script:
            return 0
        data = self._script[0]
        size = min(len(buf), len(data), self._split)
        buf[:size] = data[:size]
        self._script[0] = data[size:]
        self.consumed += size
        return size

    def write(self, data):
        self.written += data

    def kbd_intr(self, on):
        self.interrupt_on = on
        self.interrupt_changes.append(on)
