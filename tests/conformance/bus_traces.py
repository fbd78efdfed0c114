"""The operations whose traces are in tests/vectors/bus_traces: our driver's, and an independent client's.

Every input is fixed, so that a driver that has not changed writes the same bytes to a chip that answers the
same. `tools/record_traces.py` recorded them on the virtual chip; a trace of silicon beside them is replayed
too, when its name begins with that of an operation.
"""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import adafruit_atecc.adafruit_atecc as client
from hri.rig.bus import ACK, Bus, ManualClock
from hri_device.atecc.commands import CONFIG, Commands
from hri_device.atecc.element import ATECC608
from unit.firmware_atecc.rig_bus import RigBus

FOLDER = Path(__file__).parents[1] / "vectors" / "bus_traces"
DIGEST, NUM_IN = bytes(range(32)), bytes(range(20))
NOTE = b"0123456789abcdef0123456789abcdef"


def identify(element):
    """Revision, configuration with the serial number, and 32 random bytes."""
    return element.revision(), element.read_config(), element.random(32)


def generate(element):
    """A new key in a slot that may have one."""
    return element.generate_key(2)


def sign(element):
    """A signature of a fixed digest."""
    return element.sign(0, DIGEST)


def attest(element):
    """Nonce, GenDig over the configuration, GenKey and the internal signature, in one waking."""
    return element.state(0, NUM_IN, 1)


def attest_config(element):
    """Nonce, GenDig and Sign of what the chip holds: two commands that lean on TempKey."""
    with element.session as session:
        commands = Commands(session)
        commands.nonce(0, NUM_IN)
        commands.gendig(CONFIG, 0)
        return commands.sign(0x40, 1)


def write(element):
    """A write, read back."""
    element.write_slot(8, NOTE)
    return element.read_slot(8, len(NOTE))


def refused(element):
    """A refusal: the permanent key may not be replaced."""
    try:
        element.generate_key(0)
    except Exception as error:  # noqa: BLE001 - which one is the driver's own test
        return str(error)
    return None


OURS: dict[str, Callable] = {
    "identify": identify,
    "generate": generate,
    "sign": sign,
    "attest": attest,
    "attest-config": attest_config,
    "write": write,
    "refused": refused,
}


def adafruit_identify(atecc):
    """Version, serial number, locks."""
    return atecc.version(), atecc.serial_number, atecc.locked


def adafruit_sign(atecc):
    """A nonce and a signature."""
    return bytes(atecc.ecdsa_sign(0, bytearray(DIGEST)))


ADAFRUIT: dict[str, Callable] = {
    "adafruit-identify": adafruit_identify,
    "adafruit-sign": adafruit_sign,
}


class BlinkaBus:
    """What adafruit_bus_device asks of an I2C bus, straight into the rig's."""

    def __init__(self, bus):
        self._bus = bus

    def try_lock(self):
        return True

    def unlock(self):
        pass

    def writeto(self, address, buffer, *, start=0, end=None):
        if self._bus.write(address, bytes(buffer[start:end])) != ACK:
            raise OSError(19, "no acknowledge")

    def readfrom_into(self, address, buffer, *, start=0, end=None):
        end = len(buffer) if end is None else end
        outcome, data = self._bus.read(address, end - start)
        if outcome != ACK:
            raise OSError(19, "no acknowledge")
        buffer[start:end] = data


def run_ours(bus: Bus, clock: ManualClock, name: str, operation: Callable | None = None):
    """Run an operation of our driver on `bus`; returns what it makes of the chip's answers."""
    return (operation or OURS[name])(ATECC608(RigBus(bus, clock)))


@contextmanager
def adafruit(bus: Bus, clock: ManualClock, address: int):
    """The independent client on `bus`, its sleeps turned into time on `clock`."""
    sleep = SimpleNamespace(sleep=lambda seconds: clock.advance_us(round(seconds * 1_000_000)))
    with mock.patch.object(client, "time", sleep):
        yield client.ATECC(BlinkaBus(bus), address=address)


def run_adafruit(bus: Bus, clock: ManualClock, name: str, address: int):
    """Run an operation of the independent client on `bus`."""
    with adafruit(bus, clock, address) as atecc:
        return ADAFRUIT[name](atecc)


def run(bus: Bus, clock: ManualClock, name: str, address: int):
    """Run the operation called `name`, whoever's it is; our driver finds the chip by itself."""
    return run_ours(bus, clock, name) if name in OURS else run_adafruit(bus, clock, name, address)
