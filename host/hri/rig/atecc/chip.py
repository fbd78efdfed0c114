"""The chip on the wire: waking, acknowledging, buffers, time; and the way from a packet to a command.

Sources: public 608 variant pages, "I2C Interface" (O); ATECC508A data sheet DS20005927A, "I2C Interface",
"Wake", "Watchdog" (5). ``docs/virtual-atecc.md`` has the rules one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hri.rig.atecc.core import Core
from hri.rig.atecc.eeprom import POWER_ON_SELF_TEST, Eeprom, Snapshot
from hri.rig.atecc.info_commands import blocks, run_every_self_test
from hri.rig.atecc.opcodes import COMMANDS, INFO, READ, SELFTEST
from hri.rig.atecc.packet import MAX_COUNT, MIN_COUNT, STATUS_GROUPS, Status, crc16, group
from hri.rig.atecc.power_loss import PowerLost, Tear
from hri.rig.atecc.refusal import Refused
from hri.rig.atecc.store import ChipStateError, StateFile
from hri.rig.atecc.timing import Timing
from hri.rig.atecc.variants import Variant
from hri.rig.atecc.volatile import Volatile
from hri.rig.bus import WAKE_LOW_US, Clock

_ASLEEP, _IDLE, _AWAKE = range(3)
_RESET, _SLEEP, _IDLE_WORD, _COMMAND = range(4)
_RUN = {opcode: command.run for opcode, command in COMMANDS.items()}
_NAMES = ("asleep", "idle", "awake")
_BLOCKS = 0x3F


def _works_after_failure(opcode: int, param1: int) -> bool:
    """Reads of the configuration zone and SelfTest go on in the failure state (O, "SelfTest")."""
    return opcode == SELFTEST or (opcode == READ and param1 & 3 == 0)


class Chip:
    """A virtual ATECC608, a :class:`hri.rig.bus.Target`.

    Made by :func:`hri.rig.atecc.open_chip`. ``commands`` counts the commands that ran, by opcode. Names that
    begin with ``unsafe_`` do what no real chip can be made to do.
    """

    def __init__(
        self,
        variant: Variant,
        eeprom: Eeprom,
        *,
        clock: Clock,
        timing: Timing,
        random: Callable[[int], bytes],
        file: StateFile | None,
    ) -> None:
        self.variant = variant
        self.commands: Counter[int] = Counter()
        self._clock = clock
        self._timing = timing
        self._times = timing.by_divider[eeprom.clock_divider]
        self._file = file
        self._core = Core(eeprom, random, self._store)
        self._state = _ASLEEP
        self._address = eeprom.i2c_address
        self._ready_at = 0
        self._watchdog_at = 0
        self._word = -1
        self._writing = False
        self._input = bytearray()
        self._output = b""
        self._position = 0

    # The wire.

    def wake_pulse(self, low_us: float) -> None:
        """Wake up, unless the pulse is shorter than 60 us; awake already, nothing changes."""
        if low_us < WAKE_LOW_US:
            return
        now = self._clock.now_us()
        if self._state == _AWAKE:
            if now < self._watchdog_at:
                return
            self._fall_asleep()
        was_asleep = self._state == _ASLEEP
        self._state = _AWAKE
        self._ready_at = now + self._timing.wake_us
        self._watchdog_at = now + self._core.eeprom.watchdog_us
        self._answer(STATUS_GROUPS[Status.AFTER_WAKE])
        self._input.clear()
        if was_asleep:
            self._begin(now)

    def _begin(self, now: int) -> None:
        """Do what waking from sleep begins with: take the clock from ChipMode and test itself if told to."""
        eeprom = self._core.eeprom
        self._times = self._timing.by_divider[eeprom.clock_divider]
        if eeprom.chip_options & POWER_ON_SELF_TEST:
            run_every_self_test(self._core)
            self._ready_at = now + max(self._timing.wake_us, self._times[SELFTEST])
            if self._core.failed_self_tests:
                self._answer(STATUS_GROUPS[Status.SELF_TEST])

    def start(self, address: int, read: bool) -> bool:
        """Acknowledge the own address when awake, not busy and, for a read, not amid a command."""
        if self._writing:
            self._end_write()
        if self._state != _AWAKE or address != self._address:
            return False
        now = self._clock.now_us()
        if now >= self._watchdog_at:
            self._fall_asleep()
            return False
        if now < self._ready_at or (read and self._input):
            return False
        self._writing = not read
        self._word = -1
        return True

    def write_byte(self, value: int) -> bool:
        if self._word == _COMMAND:
            received = self._input
            if received and len(received) >= received[0]:
                return False
            received.append(value)
            return True
        if self._word >= 0 or value > _COMMAND:
            return False
        self._word = value
        return True

    def read_byte(self) -> int:
        """Send the next byte of the output buffer, 0xFF past its end."""
        position = self._position
        if position < len(self._output):
            self._position = position + 1
            return self._output[position]
        return 0xFF

    def stop(self) -> None:
        if self._writing:
            self._end_write()

    def power_cycle(self) -> None:
        """Lose everything volatile, and what was being received or answered; asleep afterwards."""
        self._writing = False
        self._fall_asleep()
        self._core.lose_power()

    def _end_write(self) -> None:
        self._writing = False
        word = self._word
        if word == _COMMAND:
            received = self._input
            if received and (len(received) >= received[0] or received[0] > MAX_COUNT):
                packet = bytes(received)
                received.clear()
                self._execute(packet)
        elif word == _RESET:
            self._position = 0
            self._input.clear()
        elif word == _SLEEP:
            self._fall_asleep()
        elif word == _IDLE_WORD:
            self._state = _IDLE
            self._input.clear()

    def _fall_asleep(self) -> None:
        self._state = _ASLEEP
        self._core.reset()
        self._input.clear()
        self._answer(b"")
        # A new address counts from the next waking (508A, "I2C_Address"; UserExtraAdd on the 608).
        self._address = self._core.eeprom.i2c_address

    def _answer(self, output: bytes) -> None:
        self._output = output
        self._position = 0

    # Commands.

    def _execute(self, packet: bytes) -> None:
        if len(packet) < MIN_COUNT or crc16(packet[:-2]) != packet[-2] | packet[-1] << 8:
            self._answer(STATUS_GROUPS[Status.CRC_ERROR])
            return
        opcode = packet[1]
        times = self._times
        now = self._clock.now_us()
        duration = times.get(opcode, 0)
        if now + duration >= self._watchdog_at:
            self._answer(STATUS_GROUPS[Status.WATCHDOG])
            return
        self._answer(STATUS_GROUPS[Status.EXECUTION_ERROR])
        self.commands[opcode] += 1
        core = self._core
        command = _RUN.get(opcode)
        try:
            if command is None:
                raise Refused(Status.PARSE_ERROR)
            if core.failed_self_tests and not _works_after_failure(opcode, packet[2]):
                raise Refused(Status.SELF_TEST)
            payload = command(core, packet[2], packet[3] | packet[4] << 8, packet[5:-2])
        except PowerLost:
            self.power_cycle()
            return
        except Refused as refusal:
            # "Failing commands return relatively quickly" (5); how quickly is assumed.
            duration = duration if refusal.status is Status.MISCOMPARE else min(duration, times[INFO])
            self._answer(STATUS_GROUPS[refusal.status])
        else:
            self._answer(group(payload))
        self._ready_at = now + duration

    def _store(self, eeprom: Eeprom) -> None:
        if self._file is not None:
            self._file.save(self.variant.name, eeprom.snapshot())

    # What a test or a rig may see and do.

    @property
    def eeprom(self) -> Snapshot:
        """The whole EEPROM, private keys included, as it is now."""
        return self._core.eeprom.snapshot()

    @property
    def volatile(self) -> Volatile:
        """The volatile buffers' states and the flags, as they are now."""
        self._look_at_the_watchdog()
        return self._core.volatile()

    @property
    def serial_number(self) -> bytes:
        """SN[0:9]."""
        return self._core.eeprom.serial_number

    @property
    def state(self) -> str:
        """``asleep``, ``idle`` or ``awake``, the watchdog taken into account."""
        self._look_at_the_watchdog()
        return _NAMES[self._state]

    def _look_at_the_watchdog(self) -> None:
        if self._state == _AWAKE and self._clock.now_us() >= self._watchdog_at:
            self._fall_asleep()

    def fail_self_test(self, mask: int) -> None:
        """Let the blocks of ``mask`` fail their health test and self-test from now on; 0 mends them all.

        The bits are SelfTest's: 01 random numbers, 04 (or 02) ECDSA, 08 ECDH, 10 AES, 20 SHA. Raises
        ValueError for any other.
        """
        if mask & ~_BLOCKS:
            raise ValueError(f"the blocks that can fail are the bits of {_BLOCKS:#04x}, not {mask:#04x}")
        self._core.faulty_blocks = blocks(mask)

    def tear_next_write(self, after: int, *, seed: int = 0) -> None:
        """Let the supply fail within the next EEPROM change, once ``after`` of its changed bytes are written.

        The byte then being written keeps a seeded mixture of its old and new bits, those before it are new
        and those after it old; where ``after`` is all of them, the change is whole and only the answer lost.
        The torn EEPROM is what the state file holds. Raises ValueError for a negative count.
        """
        self._core.tear = Tear(after, seed)

    def save(self) -> None:
        """Write the state file; raises ChipStateError when that fails or there is none."""
        if self._file is None:
            raise ChipStateError("chip-state", "this chip has no state file")
        self._store(self._core.eeprom)

    def close(self) -> None:
        """Let another process open the chip; safe to call twice."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Chip:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def unsafe_private_key(self, slot: int) -> int:
        """Return the private scalar in ``slot``, which no chip ever gives away."""
        return int.from_bytes(self._core.eeprom.slots[slot][4:36], "big")

    def unsafe_set_private_key(self, slot: int, scalar: int) -> None:
        """Write a private scalar into ``slot`` whatever its policy and locks say."""
        self._core.set_private_key(slot, scalar.to_bytes(32, "big"))
        self._core.store()

    def unsafe_load(self, snapshot: Snapshot) -> None:
        """Replace the whole EEPROM and cycle the power."""
        self._core.eeprom = Eeprom(snapshot)
        self._core.store()
        self.power_cycle()

    def unsafe_clone(self) -> Chip:
        """Return a second chip with the same EEPROM, in memory: the copy that real hardware prevents."""
        return Chip(
            self.variant,
            Eeprom(self.eeprom),
            clock=self._clock,
            timing=self._timing,
            random=self._core.random_source,
            file=None,
        )
