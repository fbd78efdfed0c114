"""One waking of the chip: wake, commands that share TempKey, sleep whatever happens.

508A datasheet DS20005927A, "I2C interface", "Watchdog failsafe", "I/O synchronisation".
"""

from .. import const
from ..errors import BusError, CommandError, PacketError
from .packet import build, parse

_RESET = const(0x00)
_SLEEP = const(0x01)
_IDLE = const(0x02)
_WAKE_REPLY = b"\x04\x11\x33\x43"
_NOTHING = const(0xFF)  # a byte read past the end of a reply, which is the first where there is no new one
_LOST = "what it held is lost"

_WOKEN = const(0x11)
_WATCHDOG = const(0xEE)
_NOT_RECEIVED = const(0xFF)

_NONCE = const(0x16)
# Info, Read, Random: neither change the chip nor lean on TempKey, so may be asked again whatever became of
# the first asking. Every other command is sent again only where the chip says, or shows, that it did not run.
_REPEATABLE = (0x30, 0x02, 0x1B)

_COMMAND_LIMIT = const(163)  # word address, count, opcode, parameters, 155 bytes of data, CRC
_REPLY_LIMIT = const(102)  # count, 99 bytes of a SHA context, CRC
_TRIES = const(3)
# A chip is ready 1.5 ms after the pulse. One more pulse is sent every few milliseconds, when each of three
# addresses has been tried as often as the others.
_READY_US = const(1000)
_READY_TRIES = const(9)
# Short against any execution time worth waiting for: what is overslept here, every signature pays.
_POLL_US = const(200)
_WAKE_MS = const(48)
# The watchdog puts a chip to sleep 0.7 to 1.7 s after its waking, whatever it is at (tWATCHDOG).
_WATCHDOG_MS = const(1700)
_RENEW_MS = const(500)
# The 608B has no published maximum, and a bus shared with others takes its own time.
_MARGIN_MS = const(20)


class Session:
    """Keeps the chip at `address` (7 bits) of `bus` awake from `with session:` to the end of the block.

    `bus` is that of ports. Without an address it is the first of 60 (as delivered), 35 (TNGTLS) and 36
    (TrustFLEX) that gives the wake reply. TempKey holds from one command to the next, and is gone after the
    block: the chip is put to sleep however the block is left. Entering raises BusError where no chip wakes.
    """

    def __init__(self, bus, address=None):
        self._bus = bus
        # Those that may be the chip's, the likeliest first; one that woke is the only one from then on.
        self._addresses = [address] if address else [0x60, 0x35, 0x36]
        self._command = bytearray(_COMMAND_LIMIT)
        self._reply = bytearray(_REPLY_LIMIT)
        self._word = bytearray(1)
        self._woken = 0
        self._last = None
        self.holding = False  # the chip holds something, as in TempKey, that later commands lean on
        self._unfinished = False  # a command was sent whose end was not seen

    def __enter__(self):
        self.holding = False
        try:
            self._wake()
        except BaseException:
            self._put(_SLEEP)
            raise
        return self

    def __exit__(self, *exc_info):
        # A chip that is at work, or gone, does not acknowledge; the watchdog will see to it, and the next
        # waking allows for it.
        if not self._put(_SLEEP):
            self._put(_SLEEP)
        self.holding = False

    def execute(self, opcode, param1, param2, data, size, longest):
        """Send a command and return the `size` bytes of its reply (b"" for 0: a bare success is due).

        A negative size is that of the longest reply, where the chip decides. `longest` is the command's
        longest execution time in milliseconds. Raises CommandError with the chip's status, PacketError for a
        reply that stays damaged, BusError where none comes.
        """
        bus = self._bus
        if bus.ticks_diff(bus.ticks_ms(), self._woken) >= _RENEW_MS:
            self._renew()
        length = build(self._command, opcode, param1, param2, data)
        tries = _TRIES
        while True:
            tries -= 1
            try:
                payload = self._exchange(opcode, length, size, longest)
                break
            except CommandError as error:
                # These say that the command was not executed, so any command may be sent again.
                if not tries or error.status not in (_WOKEN, _WATCHDOG, _NOT_RECEIVED):
                    raise
                if error.status == _WATCHDOG:
                    self._renew()
            except (BusError, PacketError):
                if not tries or self.holding or opcode not in _REPEATABLE:
                    raise
                self._put(_SLEEP)
                self._wake()
        if opcode == _NONCE:
            self.holding = True
        return payload

    def _exchange(self, opcode, length, size, longest):
        self._unfinished = True
        self._send(opcode, length)
        view = memoryview(self._reply)[: max(size, -size, 1) + 3]
        silent = False
        tries = _TRIES
        while True:
            self._receive(opcode, view, longest)
            self._unfinished = False
            silent |= view[0] == _NOTHING
            tries -= 1
            try:
                payload = parse(view, size, opcode)
                break
            except PacketError:
                if not tries:
                    raise
            # The reply stays in the chip; only its way here was at fault.
            self._put(_RESET)
        # So does the last one, read to its end, where the command never came in: it is no answer to this.
        if silent and payload == self._last:
            raise PacketError("command %02x: old reply" % opcode)
        self._last = payload
        return payload

    def _send(self, opcode, length):
        view = memoryview(self._command)[:length]
        if self._write(view):
            return
        if self.holding:
            raise BusError(_LOST)
        # The chip may have gone to sleep, or the acknowledge been lost of a command that now runs.
        self._wake(opcode not in _REPEATABLE)
        self._unfinished = True
        if not self._write(view):
            raise BusError("command %02x: not taken" % opcode)

    def _receive(self, opcode, view, longest):
        bus = self._bus
        address = self._addresses[0]
        start = bus.ticks_ms()
        longest += _MARGIN_MS
        while True:
            # The clock before the read: a host that was held up in between is not the chip's fault.
            late = bus.ticks_diff(bus.ticks_ms(), start) > longest
            try:
                bus.read_into(address, view)
                return
            except OSError:
                if late:
                    raise BusError("command %02x: no reply" % opcode, True)
            bus.sleep_us(_POLL_US)

    def _wake(self, unsure=False):
        # `unsure` whether the last command runs: then only a chip that holds no reply to it may go to sleep.
        bus = self._bus
        view = memoryview(self._reply)[:4]
        start = bus.ticks_ms()
        # A command that was abandoned may run until the watchdog ends it; until then no pulse is heard.
        limit = _WATCHDOG_MS if self._unfinished else _WAKE_MS
        answered = False
        while True:
            late = bus.ticks_diff(bus.ticks_ms(), start) >= limit
            self._woken = bus.ticks_ms()
            if self._pulse(view):
                if view == _WAKE_REPLY:
                    break
                answered = True
                if self.holding or (unsure and view[0] != _NOTHING):
                    late = True  # Another try would begin with the loss of what it held.
                elif not late:
                    # Awake all along, with the reply to something older: from sleep it starts afresh. Or not
                    # the chip, so another address goes first.
                    self._put(_SLEEP)
                    self._addresses.append(self._addresses.pop(0))
            if late:
                self._unfinished = False  # Whatever was under way, it has ended by now.
                if not answered:
                    raise BusError("no chip at address %02x" % self._addresses[0])
                # A chip that failed its self-test says so here.
                parse(view, 0, 0)
                raise PacketError("wake reply")
        del self._addresses[1:]
        self._unfinished = False

    def _pulse(self, view):
        # Return whether a chip answers, whose address then is the first.
        bus = self._bus
        addresses = self._addresses
        try:
            bus.wake()
        except OSError:
            pass  # Then no read succeeds either, and that is reported.
        for _ in range(_READY_TRIES):
            bus.sleep_us(_READY_US)
            try:
                bus.read_into(addresses[0], view)
                return True
            except OSError:
                addresses.append(addresses.pop(0))
        return False

    def _renew(self):
        # Idle keeps TempKey, and the waking starts the watchdog anew.
        if not self._put(_IDLE) and self.holding:
            raise BusError(_LOST)
        self._wake()

    def _put(self, word):
        self._word[0] = word
        return self._write(self._word)

    def _write(self, view):
        # Return whether the chip acknowledges.
        try:
            self._bus.write(self._addresses[0], view)
        except OSError:
            return False
        return True
