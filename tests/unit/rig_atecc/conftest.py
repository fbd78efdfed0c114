"""A chip on a bus with time standing still, and a client that builds every packet by itself.

The CRC and the packet format here are written from the data sheet, bit by bit, not taken from the rig.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hri.rig.atecc import Chip, Snapshot, open_chip
from hri.rig.bus import Bus, ManualClock

ADDRESS = 0x60
SERIAL = bytes.fromhex("0123456789ABCDEFEE")

# docs/profile.md, slot by slot: SlotConfig, KeyConfig.
PROFILE_SLOTS = [
    (0x2081, 0x0033),
    (0x2082, 0x0073),
    (0x2081, 0x0013),
    (0x2081, 0x0013),
    (0x2081, 0x0013),
    (0x0005, 0x003C),
    (0x0096, 0x003C),
    (0x8787, 0x001C),
    (0x0008, 0x001C),
    (0x0099, 0x0038),
    (0x000A, 0x001C),
    (0x000B, 0x0010),
    (0x000C, 0x001C),
    (0x800D, 0x0010),
    (0x800E, 0x0010),
    (0x000F, 0x0030),
]
SLOT_SIZES = [36] * 8 + [416] + [72] * 7


def crc16(data: bytes) -> int:
    """CRC-16 of the data sheet: polynomial 0x8005, each byte from its lowest bit up."""
    crc = 0
    for byte in data:
        for bit in range(8):
            differ = (byte >> bit ^ crc >> 15) & 1
            crc = crc << 1 & 0xFFFF
            if differ:
                crc ^= 0x8005
    return crc


def command(opcode: int, param1: int = 0, param2: int = 0, data: bytes = b"") -> bytes:
    """Return word address and command group."""
    body = bytes((7 + len(data), opcode, param1, param2 & 0xFF, param2 >> 8)) + data
    return b"\x03" + body + crc16(body).to_bytes(2, "little")


def profile_config(config: bytes) -> bytes:
    """Return the hri-device configuration over a chip's own bytes."""
    new = bytearray(config)
    for slot, (slot_config, key_config) in enumerate(PROFILE_SLOTS):
        new[20 + 2 * slot : 22 + 2 * slot] = slot_config.to_bytes(2, "little")
        new[96 + 2 * slot : 98 + 2 * slot] = key_config.to_bytes(2, "little")
    new[70:72] = b"\x03\xf7"
    new[90:92] = b"\x06\x60"
    return bytes(new)


def zone_address(slot: int, block: int, word: int = 0) -> int:
    return block << 8 | slot << 3 | word


@dataclass
class Wire:
    """The client's side of the bus."""

    chip: Chip
    bus: Bus
    clock: ManualClock
    crc16 = staticmethod(crc16)
    packet = staticmethod(command)
    profile_config = staticmethod(profile_config)
    zone_address = staticmethod(zone_address)

    def wake(self) -> None:
        self.bus.wake_pulse(80.0)

    def word(self, value: int) -> int:
        return self.bus.write(ADDRESS, bytes((value,)))

    def receive(self) -> bytes:
        """Return the payload of the answer, its count and CRC checked."""
        outcome, head = self.bus.read(ADDRESS, 1)
        assert outcome == 0, "the chip does not acknowledge"
        outcome, rest = self.bus.read(ADDRESS, head[0] - 1)
        assert outcome == 0
        assert crc16(head + rest[:-2]) == int.from_bytes(rest[-2:], "little")
        return rest[:-2]

    def call(self, opcode: int, param1: int = 0, param2: int = 0, data: bytes = b"") -> bytes:
        """Run one command to its end and return the answer's payload: one byte is a status."""
        assert self.bus.write(ADDRESS, command(opcode, param1, param2, data)) == 0
        for _ in range(4000):
            if self.bus.start(ADDRESS, True):
                self.bus.stop()
                return self.receive()
            self.bus.stop()
            self.clock.advance_us(100)
        raise AssertionError("the chip stays busy")

    def fresh_session(self) -> None:
        """Sleep and wake: volatile state gone, a whole watchdog period ahead."""
        self.word(1)
        self.wake()

    def read_config(self) -> bytes:
        return b"".join(self.call(0x02, 0x80, block << 3) for block in range(4))

    def write_config(self, config: bytes) -> None:
        for word in range(4, 32):
            if word != 21:
                assert self.call(0x12, 0, word, config[word * 4 : word * 4 + 4]) == b"\0"

    def lock_config(self) -> None:
        self.write_config(profile_config(self.read_config()))
        assert self.call(0x17, 0x00, crc16(self.read_config())) == b"\0"

    def write_slot(self, slot: int, data: bytes) -> None:
        for block in range(0, len(data), 32):
            chunk = data[block : block + 32].ljust(32, b"\0")
            assert self.call(0x12, 0x82, zone_address(slot, block // 32), chunk) == b"\0"

    def lock_data(self, contents: dict[int, bytes] | None = None) -> None:
        """Fill every slot that is not a private key, and lock with the CRC of it."""
        covered = b""
        for slot in range(5, 16):
            data = (contents or {}).get(slot, bytes((slot,)) * SLOT_SIZES[slot])
            self.write_slot(slot, data)
            covered += data
        assert self.call(0x17, 0x01, crc16(covered + b"\xff" * 64)) == b"\0"

    def personalise(self, contents: dict[int, bytes] | None = None) -> None:
        self.wake()
        self.lock_config()
        self.lock_data(contents)
        self.fresh_session()

    def identified(self, opcode: int, param1: int, param2: int) -> bytes:
        """Return opcode, parameters, SN[8] and SN[0:2], the T of the message tables."""
        serial = self.chip.serial_number
        return bytes((opcode, param1, param2 & 0xFF, param2 >> 8)) + serial[8:9] + serial[:2]

    def random_nonce(self, number: bytes = bytes(20)) -> bytes:
        """Run Nonce in random mode and return the TempKey it leaves."""
        random_out = self.call(0x16, 0x00, 0, number)
        return hashlib.sha256(random_out + number + b"\x16\x00\x00").digest()

    def fixed_nonce(self, value: bytes) -> None:
        assert self.call(0x16, 0x03, 0, value) == b"\0"


@pytest.fixture
def make_wire() -> Callable[..., Wire]:
    def make(timing: str | float = "none", **options: object) -> Wire:
        clock = ManualClock()
        options.setdefault("random", random.Random(608).randbytes)  # noqa: S311
        options.setdefault("serial_number", SERIAL)
        chip = open_chip("atecc608b", clock=clock, timing=timing, **options)
        return Wire(chip, Bus([chip], clock=clock), clock)

    return make


@pytest.fixture
def wire(make_wire: Callable[..., Wire]) -> Wire:
    """A blank chip, awake."""
    made = make_wire()
    made.wake()
    return made


@pytest.fixture
def locked(make_wire: Callable[..., Wire]) -> Wire:
    """A chip with the hri-device profile, both zones locked, awake."""
    made = make_wire()
    made.personalise()
    return made


# Any other slot of a personalised chip: never written, never read, other data.
_CLOSED = (0x8F8F, 0x001C)


@pytest.fixture
def personalised(make_wire: Callable[..., Wire]) -> Callable[..., Wire]:
    """Make a chip with both zones locked, its slots and other configuration bytes as given, awake.

    ``slots`` are SlotConfig and KeyConfig by slot, ``contents`` what they hold, ``scalars`` private keys and
    ``config`` single bytes of the configuration zone.
    """

    def make(
        slots: dict[int, tuple[int, int]],
        contents: dict[int, bytes] | None = None,
        *,
        scalars: dict[int, int] | None = None,
        config: dict[int, int] | None = None,
        otp: bytes = bytes(range(64)),
        locked: bool = True,
        **options: object,
    ) -> Wire:
        wire = make_wire(**options)
        zone = bytearray(wire.chip.eeprom.config)
        for slot in range(16):
            slot_config, key_config = slots.get(slot, _CLOSED)
            zone[20 + 2 * slot : 22 + 2 * slot] = slot_config.to_bytes(2, "little")
            zone[96 + 2 * slot : 98 + 2 * slot] = key_config.to_bytes(2, "little")
        zone[13], zone[86], zone[87] = 1, 0 if locked else 0x55, 0
        for at, value in (config or {}).items():
            zone[at] = value
        held = [bytes((0xF0 | slot,)) * size for slot, size in enumerate(SLOT_SIZES)]
        for slot, content in (contents or {}).items():
            held[slot] = content + held[slot][len(content) :]
        for slot, scalar in (scalars or {}).items():
            held[slot] = bytes(4) + scalar.to_bytes(32, "big") + held[slot][36:]
        wire.chip.unsafe_load(Snapshot(bytes(zone), otp, tuple(held)))
        wire.wake()
        return wire

    return make
