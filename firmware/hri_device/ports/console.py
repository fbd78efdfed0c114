"""The console (standard input and output) as the byte stream of the serial link."""

import select


class Console:
    """Bytes from `stdin` to `stdout`, both binary and unbuffered; `source` is stdin as select.poll takes it.

    None of the runtimes reads "what is there" without waiting for the buffer to fill, so a byte is read only
    when there is one.
    """

    def __init__(self, stdin, stdout, source):
        self._stdin = stdin
        self._stdout = stdout
        self._byte = bytearray(1)
        poll = select.poll()
        poll.register(source, select.POLLIN)
        # ipoll, where there is one, makes no list per call.
        self._poll = getattr(poll, "ipoll", poll.poll)

    def wait(self, ms):
        """Return whether there is something to read, waiting for it at most `ms` milliseconds."""
        for _ in self._poll(ms):
            return True
        return False

    def read_into(self, buf):
        """Read what is there into `buf` and return how many bytes; 0 also where the stream has ended."""
        size = len(buf)
        count = 0
        while count < size and self.wait(0) and self._stdin.readinto(self._byte):
            buf[count] = self._byte[0]
            count += 1
        return count

    def write(self, data):
        """Write all of `data`."""
        self._stdout.write(data)

    def kbd_intr(self, on):
        """Turn the console's Ctrl-C on or off, where it can be."""
