"""Every command of the ATECC608 through the driver on the emulated Pico, at three bus speeds.

What counts is one command in an open session: from the call to the answer in hand. The limit is what the chip
itself takes (typical column, see `hri.rig.atecc.timing`) and the bits that must pass on the bus: the packet,
the answer and their two addresses. Milliseconds are the emulated RP2040's own, not silicon's.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench_entry import Entry
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from hri.rig.atecc import Chip, Snapshot, open_chip
from hri.rig.atecc.timing import Timing
from hri.rig.boards import BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.firmware import device_package
from mpremote.transport_serial import SerialTransport

_SPEEDS = {"100k": 100_000, "400k": 400_000, "1M": 1_000_000}
_BITS_A_BYTE = 9
_KEY = ec.derive_private_key(608, ec.SECP256R1())
_SECRET = bytes(range(32))
_DIGEST = hashlib.sha256(b"bench").digest()
# SlotConfig and KeyConfig of the slots that the commands below use.
_SLOTS = {
    0: (0x2087, 0x0033),  # private key: signs anything, ECDH in clear, GenKey
    5: (0x2585, 0x003C),  # secret: MAC, CheckMac, GenDig, DeriveKey (roll)
    8: (0x0008, 0x003C),  # data
    9: (0x0089, 0x003A),  # AES key, which KDF may use
    11: (0x000B, 0x0010),  # public key, which SecureBoot uses
    14: (0x000E, 0x003C),  # data, to be slot-locked
}
_PREPARE = """
import time
from hri_device.atecc.element import ATECC608
from hri_device.ports import micropython as port
def timed(s, *command):
    start = time.ticks_us()
    s.execute(*command)
    return time.ticks_diff(time.ticks_us(), start)
"""


@dataclass(frozen=True)
class _Command:
    """One command: its packet, the size of its answer, and what goes before it in the same session."""

    name: str
    opcode: int
    param1: int = 0
    param2: int = 0
    data: bytes = b""
    size: int = 0
    before: tuple[tuple[int, int, int, bytes, int], ...] = ()
    data_open: bool = False

    @property
    def bus_bytes(self) -> int:
        """The bytes that must pass: address, word address and packet; address and answer."""
        return 1 + 1 + 7 + len(self.data) + 1 + max(self.size, 1) + 3


def _signature() -> bytes:
    r, s = decode_dss_signature(_KEY.sign(_DIGEST, ec.ECDSA(Prehashed(hashes.SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _public_key() -> bytes:
    numbers = _KEY.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def _checkmac(serial: bytes) -> bytes:
    """A challenge, the right response of slot 5 to it, and OtherData (vendor's host-side calculations)."""
    challenge, other = bytes(32), bytes((0x08, 0, 5, 0)) + bytes(9)
    message = _SECRET + challenge + other[:4] + bytes(8) + other[4:7] + serial[8:9] + other[7:11]
    response = hashlib.sha256(message + serial[:2] + other[11:]).digest()
    return challenge + response + other


def _commands(serial: bytes) -> Iterator[_Command]:
    load = (0x16, 0x03, 0, _DIGEST, 0)
    fresh = (0x16, 0x00, 0, bytes(20), 32)
    yield _Command("AES", 0x51, 0, 9, bytes(16), 16)
    yield _Command("CheckMac", 0x28, 0, 5, _checkmac(serial))
    yield _Command("Counter", 0x24, 1, 1, b"", 4)
    yield _Command("DeriveKey", 0x1C, 0, 5, b"", 0, (fresh,))
    yield _Command("ECDH", 0x43, 0x0C, 0, _public_key(), 32)
    yield _Command("GenDig", 0x15, 2, 5, b"", 0, (fresh,))
    yield _Command("GenKey", 0x40, 4, 0, b"", 64)
    yield _Command("Info", 0x30, 0, 0, b"", 4)
    yield _Command("KDF", 0x56, 0x12, 5, bytes((0, 0, 0, 32)) + bytes(32), 32)
    yield _Command("Lock", 0x17, 14 << 2 | 2, 0)
    yield _Command("MAC", 0x08, 0, 5, bytes(32), 32)
    yield _Command("Nonce", 0x16, 0, 0, bytes(20), 32)
    yield _Command("PrivWrite", 0x46, 0, 0, bytes(4) + (608).to_bytes(32, "big"), data_open=True)
    yield _Command("Random", 0x1B, 0, 0, b"", 32)
    yield _Command("Read", 0x02, 0x80, 0, b"", 32)
    yield _Command("SHA", 0x47, 1, 64, bytes(64), 0, ((0x47, 0, 0, b"", 0),))
    yield _Command("SecureBoot", 0x80, 5, 0, _DIGEST + _signature())
    yield _Command("SelfTest", 0x77, 0x3B)
    yield _Command("Sign", 0x41, 0x80, 0, b"", 64, (load,))
    yield _Command("UpdateExtra", 0x20, 0, 0x55)
    yield _Command("Verify", 0x45, 2, 4, _signature() + _public_key(), 0, (load,))
    yield _Command("Write", 0x12, 0x82, 8 << 3, bytes(32))


def _load(chip: Chip, *, data_open: bool) -> None:
    """Give the chip the configuration above, its keys and its locks."""
    config, slots = bytearray(chip.eeprom.config), [bytearray(slot) for slot in chip.eeprom.slots]
    for number, (slot_config, key_config) in _SLOTS.items():
        config[20 + 2 * number : 22 + 2 * number] = slot_config.to_bytes(2, "little")
        config[96 + 2 * number : 98 + 2 * number] = key_config.to_bytes(2, "little")
    config[70:72] = b"\x01\xb0"  # SecureBoot verifies signatures with the key in slot 11
    config[84], config[86], config[87] = 0, 0x55 if data_open else 0, 0
    config[88:90] = b"\xff\xff"
    slots[0][:36] = bytes(4) + (608).to_bytes(32, "big")
    slots[5][:32] = slots[9][:32] = _SECRET
    public = _public_key()
    slots[11][:72] = bytes(4) + public[:32] + bytes(4) + public[32:]
    snapshot: Snapshot = replace(chip.eeprom, config=bytes(config), slots=tuple(map(bytes, slots)))
    chip.unsafe_load(snapshot)


def _script(command: _Command) -> str:
    longest = 2000
    steps = [
        f"s.execute({op}, {p1}, {p2}, {data!r}, {size}, {longest})"
        for op, p1, p2, data, size in command.before
    ]
    one = f"{command.opcode}, {command.param1}, {command.param2}, {command.data!r}, {command.size}, {longest}"
    lines = [*steps, f"t = timed(s, {one})"]
    return "with e.session as s:\n" + "".join(f"    {line}\n" for line in lines) + "print(t)"


def measure() -> dict[str, Entry]:
    """Return, for each command and bus speed, its time as a multiple of what chip and bus take."""
    entries: dict[str, Entry] = {}
    times = Timing.parse("typical").execution_us
    clock = BoardClock()
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_chip("atecc608b", clock=clock, timing="typical") as chip,
        open_board(
            "rpi_pico", bus=Bus([chip]), flash=Path(scratch) / "flash", package=_package(), clock=clock
        ) as board,
    ):
        commands = list(_commands(chip.serial_number))
        repl = SerialTransport(board.port)
        try:
            repl.enter_raw_repl(soft_reset=False, timeout_overall=60)
            repl.exec(_PREPARE)
            for speed, hz in _SPEEDS.items():
                repl.exec(f"e = ATECC608(port.I2CBus(freq={hz}))")
                for command in commands:
                    _load(chip, data_open=command.data_open)
                    took_ms = int(repl.exec(_script(command))) / 1000
                    limit = times[command.opcode] / 1000 + 1000 * _BITS_A_BYTE * command.bus_bytes / hz
                    entries[f"command.{command.name}.{speed}"] = Entry(
                        round(took_ms, 2),
                        "emulated ms",
                        f"none: {command.bus_bytes} bytes on the bus, chip and bus are the limit",
                        True,
                        round(limit, 2),
                        round(took_ms / limit, 3),
                    )
        finally:
            repl.close()
    return entries


def _package() -> dict[str, bytes]:
    # Nothing starts by itself: the console is the bench's.
    return device_package() | {"main.py": b""}
