"""A client of a chip at any address: packets and CRC written from the data sheet, nothing from the rig."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hri.rig.atecc import Chip, Factory, open_chip
from hri.rig.bus import Bus, ManualClock

NOW = datetime(2026, 11, 25, 9, 41, 7, 250_000, tzinfo=UTC)
ADDRESSES = {
    "atecc608b-tngtls": 0x35,
    "atecc608a-tngtls": 0x35,
    "atecc608b-tflxtls": 0x36,
    "atecc608a-tflxtls": 0x36,
}
SLOT_SIZES = [36] * 8 + [416] + [72] * 7


def crc16(data: bytes) -> bytes:
    """CRC-16 of the data sheet: polynomial 0x8005, each byte from its lowest bit up, low byte first."""
    crc = 0
    for byte in data:
        for bit in range(8):
            differ = (byte >> bit ^ crc >> 15) & 1
            crc = crc << 1 & 0xFFFF
            if differ:
                crc ^= 0x8005
    return crc.to_bytes(2, "little")


class Client:
    """The host's side of the bus, awake."""

    def __init__(self, chip: Chip, address: int) -> None:
        self.chip, self.address = chip, address
        self.bus = Bus([chip], clock=ManualClock())
        self.bus.wake_pulse(80.0)

    def call(self, opcode: int, param1: int = 0, param2: int = 0, data: bytes = b"") -> bytes:
        """Run one command and return the answer's payload: one byte is a status."""
        body = bytes((7 + len(data), opcode, param1, param2 & 0xFF, param2 >> 8)) + data
        assert self.bus.write(self.address, b"\x03" + body + crc16(body)) == 0
        outcome, head = self.bus.read(self.address, 1)
        assert outcome == 0
        _, rest = self.bus.read(self.address, head[0] - 1)
        assert crc16(head + rest[:-2]) == rest[-2:]
        return rest[:-2]

    def config(self) -> bytes:
        return b"".join(self.call(0x02, 0x80, block << 3) for block in range(4))

    def otp(self) -> bytes:
        return self.call(0x02, 0x81, 0) + self.call(0x02, 0x81, 8)

    def serial_number(self) -> bytes:
        config = self.config()
        return config[0:4] + config[8:13]

    def slot(self, slot: int) -> bytes:
        """Read a slot in clear: blocks, then what is left in words; a refusal is its status byte."""
        data = b""
        while len(data) < SLOT_SIZES[slot]:
            block, left = len(data) // 32, SLOT_SIZES[slot] - len(data)
            where = block << 8 | slot << 3 | len(data) % 32 // 4
            answer = self.call(0x02, 0x82 if left >= 32 else 0x02, where)
            if len(answer) == 1:
                return answer
            data += answer
        return data

    def write_slot(self, slot: int) -> bytes:
        return self.call(0x12, 0x82, slot << 3, bytes(32))

    def public_key(self, slot: int) -> bytes:
        return self.call(0x40, 0x00, slot)

    def lock_slot(self, slot: int) -> bytes:
        return self.call(0x17, slot << 2 | 2)

    def random_nonce(self) -> None:
        assert len(self.call(0x16, 0x00, 0, bytes(20))) == 32


@pytest.fixture
def factory() -> Factory:
    return Factory(now=lambda: NOW)


@pytest.fixture
def connect(factory: Factory) -> Callable[..., Client]:
    """Makes a chip in ``factory`` and puts it on a bus of its own."""

    def make(variant: str, address: int | None = None, **options: object) -> Client:
        options.setdefault("factory", factory)
        chip = open_chip(variant, clock=ManualClock(), **options)
        return Client(chip, ADDRESSES[variant] if address is None else address)

    return make


@pytest.fixture(params=ADDRESSES)
def any_chip(request: pytest.FixtureRequest, connect: Callable[..., Client]) -> Client:
    return connect(request.param)


@pytest.fixture(params=[name for name in ADDRESSES if "tng" in name])
def tngtls(request: pytest.FixtureRequest, connect: Callable[..., Client]) -> Client:
    return connect(request.param)


@pytest.fixture(params=[name for name in ADDRESSES if "tflx" in name])
def tflxtls(request: pytest.FixtureRequest, connect: Callable[..., Client]) -> Client:
    return connect(request.param)
