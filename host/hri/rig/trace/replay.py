"""A chip that answers as one was recorded to, as long as its driver does what was recorded.

It knows no secret and computes nothing, so it stands in for a chip whose keys nobody has: a trace of silicon
is a test of a driver.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import zip_longest

from hri.rig.bus import WAKE_LOW_US
from hri.rig.trace.packets import IDLE, WAKE_REPLY, field_of
from hri.rig.trace.script import Item, Pulse, Read, Script, Write, is_command, is_idle, written_words

_PADDING = 0xFF


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first thing that a driver did otherwise.

    ``command`` counts commands from 1: the one that was due, or during which it happened. ``byte`` is the
    index of the first byte that differs, the word address being byte 0, with what ``expected`` and ``got``
    say of it; None where the whole thing is another.
    """

    command: int
    after: str
    expected: str
    got: str
    byte: int | None = None
    expected_byte: int | None = None
    got_byte: int | None = None
    field: str | None = None

    @property
    def words(self) -> str:
        """What happened, in one sentence."""
        said = f"command {self.command}: expected {self.expected}, got {self.got}"
        if self.byte is not None:
            said += f"; byte {self.byte} ({self.field}): expected {_hex(self.expected_byte)}, got "
            said += _hex(self.got_byte)
        return f"{said}; the last that agreed was {self.after}"

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON."""
        return {
            "command": self.command,
            "after": self.after,
            "expected": self.expected,
            "got": self.got,
            "byte": self.byte,
            "field": self.field,
            "expected_byte": self.expected_byte,
            "got_byte": self.got_byte,
        }


def _hex(value: int | None) -> str:
    return "nothing" if value is None else f"{value:02x}"


class ReplayTarget:
    """A :class:`hri.rig.bus.Target` that follows ``script``; once the driver leaves it, it is silent.

    Every byte that the driver writes must be the one recorded. Left to it are the number of polls and of
    wake pulses, in how many reads it takes a reply, and renewals of the watchdog (idle, then wake), which
    depend on time alone and keep everything that the chip holds. ``over`` is set when the script is at its
    end, or the driver has left it.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.divergence: Divergence | None = None
        self.over = threading.Event()
        self._at = 0
        self._served = 0
        self._commands = 0
        self._last = "nothing"
        self._written: bytearray | None = None
        self._renewing = ""

    @property
    def finished(self) -> bool:
        """Whether the whole script was followed."""
        return self.divergence is None and self._due is None

    @property
    def followed(self) -> int:
        """How many commands agreed."""
        return self._commands

    @property
    def due(self) -> str:
        """What comes next, in words."""
        item = self._due
        return "nothing more" if item is None else item.words

    # The bus.

    def wake_pulse(self, low_us: float) -> None:
        if low_us < WAKE_LOW_US or self.divergence is not None:
            return
        self._leave_read()
        if isinstance(self._due, Pulse):
            self._advance()
        elif self._renewing:
            self._renewing = "awake"
        elif not (self._at and isinstance(self.script.items[self._at - 1], Pulse)):
            self._diverge("a wake pulse")

    def start(self, address: int, read: bool) -> bool:
        self._end_write()
        if address != self.script.address or self.divergence is not None:
            return False
        if read:
            return self._answers()
        self._leave_read()
        if self._at in self.script.refused and not isinstance(self._due, Write):
            # The chip refused writes here: it was asleep, or at work.
            return False
        self._written = bytearray()
        return True

    def write_byte(self, value: int) -> bool:
        written = self._written
        if written is None:
            return False
        index, due = len(written), self._due
        written.append(value)
        return not (isinstance(due, Write) and index in due.nacked)

    def read_byte(self) -> int:
        data = self._readable
        position, self._served = self._served, self._served + 1
        return data[position] if position < len(data) else _PADDING

    def stop(self) -> None:
        self._end_write()
        due = self._due
        if isinstance(due, Read) and self._served >= len(due.data):
            self._look_for_the_end()

    def power_cycle(self) -> None:
        """Nothing: a trace goes on after a loss of power with what the driver does then."""
        self._written = None

    # The script.

    @property
    def _due(self) -> Item | None:
        items = self.script.items
        return items[self._at] if self._at < len(items) else None

    @property
    def _readable(self) -> bytes:
        if self._renewing == "awake":
            return WAKE_REPLY
        due = self._due
        return due.data if isinstance(due, Read) else b""

    def _answers(self) -> bool:
        if self._renewing:
            self._served = 0
            return self._renewing == "awake"
        if isinstance(self._due, Read):
            return True
        # Past the end of a reply a chip that is awake gives FF.
        return bool(self._at) and isinstance(self.script.items[self._at - 1], Read)

    def _leave_read(self) -> None:
        """Take a reply of which anything was read for read."""
        if isinstance(self._due, Read) and self._served and not self._renewing:
            self._advance()
        self._served = 0

    def _look_for_the_end(self) -> None:
        if self._at == len(self.script.items) - 1:
            self._advance()

    def _advance(self) -> None:
        item = self._due
        if isinstance(item, Write):
            self._last = item.words
            self._commands += is_command(item)
        self._at += 1
        self._served = 0
        if self._due is None:
            self.over.set()

    def _end_write(self) -> None:
        written, self._written = self._written, None
        if not written:
            return
        data = bytes(written)
        due = self._due
        if isinstance(due, Write) and data == due.data:
            self._renewing = ""
            self._advance()
        elif data == bytes((IDLE,)) and is_command_due(due):
            self._renewing = "idle"
        elif self._after_renewal(data):
            self._end_write_again(data)
        else:
            self._diverge(written_words(data), data)

    def _after_renewal(self, data: bytes) -> bool:
        """Step over a renewal that was recorded and is not needed now; False, with nothing changed, else."""
        items, at = self.script.items, self._at
        if not is_idle(self._due):
            return False
        at += 1
        while at < len(items) and (isinstance(items[at], Pulse) or items[at] == Read(WAKE_REPLY)):
            at += 1
        following = items[at] if at < len(items) else None
        if at == self._at + 1 or not is_command_due(following) or following != Write(data):
            return False
        self._at = at
        return True

    def _end_write_again(self, data: bytes) -> None:
        self._written = bytearray(data)
        self._end_write()

    def _diverge(self, got: str, data: bytes | None = None) -> None:
        due = self._due
        expected = "the end of the trace" if due is None else due.words
        command = self._commands + 1
        place: tuple[int | None, int | None, int | None, str | None] = (None, None, None, None)
        if isinstance(due, Write) and data is not None and len(due.data) > 1 and len(data) > 1:
            place = _first_difference(due.data, data)
        self.divergence = Divergence(command, self._last, expected, got, *place)
        self.over.set()


def is_command_due(item: Item | None) -> bool:
    """Return whether a command comes next."""
    return item is not None and is_command(item)


def _first_difference(expected: bytes, got: bytes) -> tuple[int, int | None, int | None, str]:
    pairs = enumerate(zip_longest(expected, got))
    index, (wanted, came) = next((index, pair) for index, pair in pairs if pair[0] != pair[1])
    return index, wanted, came, field_of(index, len(expected))
