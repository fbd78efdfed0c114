"""Faults that are the chip's own: slow, torn in the EEPROM, failing its self-tests."""

import pytest
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_faults import FaultyTarget
from hri.rig.fault_script import parse, parse_all, render
from hri.rig.register_file import RegisterFile
from hri.rig.slow_clock import SlowClock
from unit.rig_faults.conftest import ADDRESS, INFO, REVISION

TYPICAL_INFO_US = 100


class Patient(RegisterFile):
    """A target that only writes down which of its own faults it was given, and when."""

    def __init__(self):
        super().__init__(0x50)
        self.written = 0
        self.given = []

    def write_byte(self, value):
        self.written += 1
        return super().write_byte(value)

    def fail_self_test(self, mask):
        self.given.append(("health", mask, self.written))

    def tear_next_write(self, after, *, seed=0):
        self.given.append(("tear", after, seed, self.written))


@pytest.fixture
def patient():
    clock, target = ManualClock(), Patient()
    wires = FaultyTarget(target, clock)
    return target, wires, Bus([wires], clock=clock)


def test_a_slow_chip_takes_as_much_longer(make_rig):
    rig = make_rig("slow:4", timing="typical")
    rig.wake()
    rig.clock.advance_us(3999)
    assert rig.bus.write(ADDRESS, INFO) == 1
    rig.clock.advance_us(1)
    assert rig.bus.write(ADDRESS, INFO) == 0
    rig.clock.advance_us(4 * TYPICAL_INFO_US - 1)
    assert rig.bus.read(ADDRESS, 7)[0] == 1
    rig.clock.advance_us(1)
    assert rig.bus.read(ADDRESS, 7) == (0, REVISION)


def test_arming_anew_gives_the_chip_its_speed_back(make_rig):
    rig = make_rig("slow:100", timing="typical")
    rig.wake()
    rig.clock.advance_us(100_000)
    rig.arm()
    assert rig.bus.write(ADDRESS, INFO) == 0
    rig.clock.advance_us(TYPICAL_INFO_US)
    assert rig.bus.read(ADDRESS, 7) == (0, REVISION)


def test_a_slow_clock_never_goes_back_and_keeps_its_reading_when_its_speed_changes():
    clock = ManualClock(1000)
    slow = SlowClock(clock)
    readings = []
    for factor in (1, 3, 7.5, 1, 10_000, 1.25):
        before = slow.now_us()
        slow.factor = factor
        assert slow.now_us() == before
        clock.advance_us(3000)
        readings.append(slow.now_us() - before)
    assert readings == [3000, 1000, 400, 3000, 0, 2400]


def test_a_clock_that_stands_still_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        SlowClock(ManualClock()).factor = 0


def test_self_tests_fail_from_arming_and_are_mended_by_arming_anew(patient):
    target, wires, _ = patient
    wires.arm(parse_all(["health:rng+sha"]))
    wires.arm(())
    assert target.given == [("health", 0x21, 0), ("health", 0, 0)]


def test_self_tests_fail_from_a_byte_on(patient):
    target, wires, bus = patient
    wires.arm(parse_all(["health@3:rng", "flip@1x1000:bit0"]))
    bus.write(0x50, bytes(5))
    assert target.given == [("health", 1, 2)]


def test_a_tear_is_handed_to_the_chip_at_once_or_from_a_position_on(patient):
    target, wires, bus = patient
    wires.arm(parse_all(["torn-write@3:seed9", "torn-write@5:from2.0:seed8"]))
    bus.write(0x50, bytes(4))
    bus.write(0x50, bytes(4))
    assert target.given == [("tear", 3, 9, 0), ("tear", 5, 8, 4)]
    assert [render(hit.fault) for hit in wires.log] == ["torn-write@3:seed9", "torn-write@5:from2.0:seed8"]


def test_the_seed_of_a_tear_is_that_of_the_run_and_is_logged(patient):
    target, wires, _ = patient
    drawn = []
    for seed in (1, 1, 2):
        wires.arm(parse_all(["torn-write@3"]), seed=seed)
        drawn.append(target.given[-1][2])
        assert render(wires.log[0].fault) == f"torn-write@3:seed{drawn[-1]}"
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("text", ["health:rng", "torn-write@3", "slow:2", "random:0.1:torn-write"])
def test_a_target_without_the_means_refuses_and_keeps_what_was_armed(text):
    clock = ManualClock()
    wires = FaultyTarget(RegisterFile(0x50), clock, parse_all(["flip@2:bit0"]))
    bus = Bus([wires], clock=clock)
    bus.write(0x50, b"\x00")
    with pytest.raises(ValueError, match=f"{text.split(':')[0].split('@')[0]} needs|torn-write needs"):
        wires.arm([parse("drop@1"), parse(text)])
    bus.write(0x50, b"\x00")
    assert wires.bytes_seen == 2
    assert [render(hit.fault) for hit in wires.log] == ["flip@2:bit0"]
