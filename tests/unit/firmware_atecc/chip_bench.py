"""A virtual chip on wires and a supply that can fail, and the driver on them: one for the tests of faults."""

import hashlib

from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_faults import FaultyTarget
from hri_device.atecc.packet import crc16
from hri_device.atecc.standalone import StandaloneATECC608
from unit.firmware_atecc.rig_bus import RigBus
from unit.firmware_atecc.test_on_virtual_chip import profile_over

_WRITE = 0x12
SIZES = [36] * 8 + [416] + [72] * 7
_PRIVATE = range(5)
CONTENTS = {
    slot: hashlib.shake_256(bytes((slot,))).digest(SIZES[slot]) for slot in range(16) if slot not in _PRIVATE
}


def data_crc(contents):
    """The CRC for lock_data: `contents` in ascending order of slots, and an OTP zone that nobody wrote."""
    return crc16(b"".join(contents.values()) + b"\xff" * 64)


DATA_CRC = data_crc(CONTENTS)


class TearingBus(RigBus):
    """Has the supply fail in an EEPROM change: `tear` = (which command `tearing`, after how many bytes)."""

    def __init__(self, bus, clock, chip):
        super().__init__(bus, clock)
        self._chip = chip
        self.writes = 0
        self.tearing = _WRITE
        self.tear = None

    def about_to_send(self, opcode):
        if opcode != self.tearing:
            return
        if self.tear and self.tear[0] == self.writes:
            self._chip.tear_next_write(self.tear[1], seed=self.writes)
            self.tear = None
        self.writes += 1


class Bench:
    """A blank chip on wires that can fail; `restart` mends them and makes a new driver, as a reset does."""

    def __init__(self):
        self.clock = ManualClock()
        self.chip = open_chip("atecc608b", state=None, clock=self.clock, timing="typical")
        self.wires = FaultyTarget(self.chip, self.clock)
        self.wanted = profile_over(self.chip.eeprom.config)
        self.restart()

    def restart(self):
        self.wires.arm(())
        self.bus = TearingBus(Bus([self.wires], clock=self.clock), self.clock, self.chip)
        self.element = StandaloneATECC608(self.bus)

    def configured(self):
        self.element.write_config(self.wanted)
        self.element.lock_config(crc16(self.wanted))
        self.restart()
        return self

    def write_contents(self):
        for slot, content in CONTENTS.items():
            self.element.write_slot(slot, content)

    def personalised(self):
        self.write_contents()
        self.element.lock_data(DATA_CRC)
        self.restart()
        return self

    def is_as_wanted(self):
        config = self.chip.eeprom.config
        return config[16:84] == self.wanted[16:84] and config[88:] == self.wanted[88:]
