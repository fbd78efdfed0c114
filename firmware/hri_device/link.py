"""Frames on a byte stream: 00 | COBS(version, request id, body, CRC-32) | 00 (docs/protocol.md, "Frames")."""

try:
    from binascii import crc32
except ImportError:
    from .crc32 import crc32  # type: ignore[assignment]

from . import const
from .request import Refusal

_VERSION = const(1)
_INNER_LIMIT = const(4096)
_INNER_LEAST = const(7)  # version, request id, CRC-32 and no body
_FIRST_BUFFER = const(512)
_CHUNK = const(64)
_UNFINISHED_MS = const(500)
_IDLE_MS = const(1000)
_CTRL_C = const(3)
# A stream that says it is readable and yields nothing, this many times in a row, has been closed.
_EMPTY_READS = const(64)


class Link:
    """The device's end of the serial protocol over a stream from `ports`.

    The stream offers read_into(buf) -> count, wait(ms) -> bool and write(bytes).
    """

    def __init__(self, stream):
        self._stream = stream
        self._chunk = memoryview(bytearray(_CHUNK))
        self._have = 0  # bytes of the chunk that were read
        self._next = 0  # the first of them not looked at yet
        self._inside = False
        self._frame = bytearray(_FIRST_BUFFER)
        self._restart()

    def _restart(self):
        self._size = 0
        self._left = 0  # bytes still due in the present COBS block
        self._gap = False  # a zero stands between the present block and the next
        self._interrupt = False

    def receive(self):
        """Return (request id, body) of the next good frame; body is a memoryview good until the next call.

        Whatever is damaged, overlong or of another version is passed over in silence. Raises
        KeyboardInterrupt for a Ctrl-C (docs/protocol.md, "Ctrl-C") and EOFError when the stream has been
        closed.
        """
        if len(self._frame) > _FIRST_BUFFER:
            self._frame = bytearray(_FIRST_BUFFER)
        while True:
            if self._next == self._have:
                self._fill()
            byte = self._chunk[self._next]
            if not self._inside:
                self._next += 1
                if byte == 0:
                    self._inside = True
                elif byte == _CTRL_C:
                    raise KeyboardInterrupt
            elif byte == 0:
                self._next += 1
                if self._is_good():
                    self._inside = False
                    body = memoryview(self._frame)[3 : self._size - 4]
                    number = self._frame[1] << 8 | self._frame[2]
                    self._restart()
                    return number, body
                # A zero that ends nothing good may be the one that opens the next frame.
                self._restart()
            elif self._left == 0:
                self._next += 1
                if byte == _CTRL_C:
                    self._interrupt = True
                if self._gap:
                    self._store(b"\0")
                self._left = byte - 1
                self._gap = byte != 0xFF
            else:
                self._next += self._copy()

    def _fill(self):
        # Outside a frame one byte at a time, inside never past the byte that may end it: what follows a
        # Ctrl-C or a frame belongs to the REPL if the service ends, and could not be put back.
        want = min(self._left + 1, _CHUNK) if self._inside else 1
        stream = self._stream
        for _ in range(_EMPTY_READS):
            while not stream.wait(_UNFINISHED_MS if self._inside else _IDLE_MS):
                if self._inside:
                    interrupt = self._interrupt
                    self._restart()
                    self._inside = False
                    want = 1
                    if interrupt:
                        raise KeyboardInterrupt
            self._next = 0
            self._have = stream.read_into(self._chunk[:want])
            if self._have:
                return
        raise EOFError

    def _copy(self):
        end = min(self._next + self._left, self._have)
        part = bytes(self._chunk[self._next : end])
        zero = part.find(b"\0")
        if zero >= 0:
            # The block was cut short. The main loop sees the zero next, and the bytes missing condemn the
            # frame.
            part = part[:zero]
        self._interrupt = self._interrupt or b"\x03" in part
        self._store(part)
        self._left -= len(part)
        return len(part)

    def _store(self, part):
        size = self._size + len(part)
        if size > _INNER_LIMIT:
            # Overlong for good: no later part brings it back below the limit.
            self._size = size
            return
        if size > len(self._frame):
            # A new buffer, not a longer one: a view of the old one may be in use.
            try:
                longer = bytearray(min(max(size, 2 * len(self._frame)), _INNER_LIMIT))
            except MemoryError:
                # What does not fit here is as good as overlong: the service goes on without it.
                self._size = _INNER_LIMIT + 1
                return
            longer[: self._size] = memoryview(self._frame)[: self._size]
            self._frame = longer
        self._frame[self._size : size] = part
        self._size = size

    def _is_good(self):
        if self._left or not _INNER_LEAST <= self._size <= _INNER_LIMIT or self._frame[0] != _VERSION:
            return False
        view = memoryview(self._frame)
        end = self._size - 4
        return crc32(view[:end]) == int.from_bytes(view[end : self._size], "big")

    def send(self, number, body):
        """Send the answer to request `number`: three free bytes, then the body (a bytearray).

        `body` is used up. Raises Refusal "too-long", with nothing sent, when the frame would exceed 4096
        bytes.
        """
        if len(body) + 4 > _INNER_LIMIT:
            raise Refusal("too-long", "answer")
        body[0] = _VERSION
        body[1] = number >> 8
        body[2] = number & 0xFF
        body += crc32(body).to_bytes(4, "big")
        view = memoryview(body)
        size = len(body)
        out = bytearray(1)
        at = end = 0
        while end < size:
            zero = body.find(b"\0", at, at + 254)
            end = zero if zero >= 0 else min(at + 254, size)
            out.append(end - at + 1)
            out += view[at:end]
            # In pieces: the encoded frame is never held whole beside the plain one.
            if len(out) > 256:
                self._stream.write(out)
                out = bytearray()
            at = end + (zero >= 0)
        out.append(0)
        self._stream.write(out)
