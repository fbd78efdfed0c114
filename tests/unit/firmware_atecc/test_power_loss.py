"""Power that fails at every byte on the wires and within every EEPROM write: noticed, never locked over."""

import contextlib
import hashlib

import pytest
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_faults import FaultyTarget
from hri.rig.fault_script import parse_all
from hri_device.atecc.packet import crc16
from hri_device.atecc.standalone import StandaloneATECC608
from hri_device.errors import CommandError, PacketError, SecureElementError
from unit.firmware_atecc.rig_bus import RigBus
from unit.firmware_atecc.test_on_virtual_chip import profile_over

_WRITE = 0x12
_BLOCK = 32
_SIZES = [36] * 8 + [416] + [72] * 7
_PRIVATE = range(5)
_CONTENTS = {
    slot: hashlib.shake_256(bytes((slot,))).digest(_SIZES[slot]) for slot in range(16) if slot not in _PRIVATE
}
_DATA_CRC = crc16(b"".join(_CONTENTS.values()) + b"\xff" * 64)


class TearingBus(RigBus):
    """Has the supply fail within the EEPROM change of one Write, `tear` = (which, after how many bytes)."""

    def __init__(self, bus, clock, chip):
        super().__init__(bus, clock)
        self._chip = chip
        self.writes = 0
        self.tear = None

    def about_to_send(self, opcode):
        if opcode != _WRITE:
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
        for slot, content in _CONTENTS.items():
            self.element.write_slot(slot, content)

    def personalised(self):
        self.write_contents()
        self.element.lock_data(_DATA_CRC)
        self.restart()
        return self

    def is_as_wanted(self):
        config = self.chip.eeprom.config
        return config[16:84] == self.wanted[16:84] and config[88:] == self.wanted[88:]


def writing_config():
    bench = Bench()
    bench.element.write_config(bench.wanted)
    return bench


_WHOLE = writing_config()
_CONFIG_BYTES, _CONFIG_WRITES = _WHOLE.wires.bytes_seen, _WHOLE.bus.writes


def lock_if_sound(bench):
    """After a failure: lock what should be there, and hold the chip to having locked nothing else."""
    bench.restart()
    sound = bench.is_as_wanted()
    try:
        bench.element.lock_config(crc16(bench.wanted))
    except ValueError:
        assert not sound
        assert bench.chip.eeprom.config[87] == 0x55
        bench.element.write_config(bench.wanted)
        bench.element.lock_config(crc16(bench.wanted))
    assert bench.is_as_wanted()
    assert bench.element.is_config_locked()


def test_power_loss_at_any_byte_of_a_new_configuration_is_noticed_and_never_locked_over():
    noticed = 0
    for at in range(1, _CONFIG_BYTES + 1):
        bench = Bench()
        bench.wires.arm(parse_all([f"power@{at}"]))
        try:
            bench.element.write_config(bench.wanted)
        except SecureElementError:
            noticed += 1
        else:
            # A reading may be repeated, and the end may come after all was done.
            assert bench.is_as_wanted()
        lock_if_sound(bench)
    assert noticed > _CONFIG_BYTES // 4


@pytest.mark.parametrize("which", range(_CONFIG_WRITES))
def test_a_torn_write_of_the_configuration_is_noticed_and_never_locked_over(which):
    for after in range(_BLOCK):
        bench = Bench()
        bench.bus.tear = (which, after)
        with pytest.raises(SecureElementError):
            bench.element.write_config(bench.wanted)
        lock_if_sound(bench)


def test_power_loss_at_any_byte_of_the_lock_leaves_the_zone_open_or_locked_as_wanted():
    whole = writing_config()
    whole.restart()
    whole.element.lock_config(crc16(whole.wanted))
    for at in range(1, whole.wires.bytes_seen + 1):
        bench = writing_config()
        bench.restart()
        bench.wires.arm(parse_all([f"power@{at}"]))
        with contextlib.suppress(SecureElementError):
            bench.element.lock_config(crc16(bench.wanted))
        bench.restart()
        assert bench.is_as_wanted()
        if not bench.element.is_config_locked():
            bench.element.lock_config(crc16(bench.wanted))


@pytest.mark.parametrize("slot", [5, 6, 8, 14])
def test_a_slot_torn_before_the_data_lock_is_refused_by_the_lock_whether_or_not_it_can_be_read(slot):
    for block in range(-(-_SIZES[slot] // _BLOCK)):
        length = min(_BLOCK, _SIZES[slot] - block * _BLOCK)
        # Some bytes new, one torn, some old.
        for after in {1, 2, length // 2, length - 2}:
            bench = Bench().configured()
            bench.write_contents()
            bench.bus.tear = (bench.bus.writes + block, after)
            other = hashlib.shake_256(b"other").digest(_SIZES[slot])
            with pytest.raises(SecureElementError):
                bench.element.write_slot(slot, other)
            bench.restart()
            for believed in (_CONTENTS, {**_CONTENTS, slot: other}):
                with pytest.raises(CommandError, match="command 17"):
                    bench.element.lock_data(crc16(b"".join(believed.values()) + b"\xff" * 64))
                assert not bench.element.is_data_locked()
            bench.personalised()
            assert bench.element.is_data_locked()


@pytest.mark.parametrize("after", range(_BLOCK))
def test_a_slot_torn_after_the_data_lock_is_never_made_permanent(after):
    bench = Bench().configured().personalised()
    record = bytes(range(36))
    bench.bus.tear = (0, after)
    with pytest.raises(SecureElementError):
        bench.element.write_slot(5, record)
    bench.restart()
    with pytest.raises(PacketError, match="write it again"):
        bench.element.lock_slot_holding(5, record)
    assert not bench.element.is_slot_locked(5)
    bench.element.write_slot(5, record)
    bench.element.lock_slot_holding(5, record)
    assert bench.element.is_slot_locked(5)
    assert bench.element.read_slot(5, 36) == record
