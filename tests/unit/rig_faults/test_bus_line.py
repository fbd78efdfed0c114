"""A stuck line, a missing supply, a second device and a second controller."""

import pytest
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_faults import FaultyTarget
from hri.rig.bus_line import BusLine
from hri.rig.fault_script import parse_all
from hri.rig.register_file import RegisterFile
from unit.rig_faults.conftest import ADDRESS, INFO, REVISION, WAKE_REPLY

OTHER = 0x50


def line(rig):
    return BusLine.of(rig.bus)


def test_a_stuck_line_silences_every_device_until_its_time_is_over(rig):
    rig.arm("device:0x50", "stuck@12:20ms")
    assert rig.info() == (0, 0, REVISION[:3] + bytes(4))
    assert rig.bus.write(ADDRESS, INFO) == 1
    assert rig.bus.write(OTHER, b"\x00") == 1
    assert line(rig).held is not None
    rig.clock.advance_us(20_000)
    assert line(rig).held is None
    assert rig.bus.write(OTHER, b"\x00") == 0
    assert rig.info() == (0, 0, REVISION)


def test_a_controller_that_does_not_notice_reads_zeros(rig):
    rig.arm("stuck@1.0:5ms:zeros")
    assert rig.bus.write(ADDRESS, INFO) == 0
    assert rig.bus.read(0x11, 4) == (0, bytes(4))
    rig.clock.advance_us(5_000)
    assert rig.bus.read(0x11, 4) == (1, b"")
    assert rig.info() == (0, 0, REVISION)


def test_a_line_that_cannot_go_low_reads_ones(rig):
    rig.arm("stuck@10:5ms:ones")
    assert rig.info() == (0, 0, REVISION[:1] + b"\xff" * 6)
    assert rig.bus.read(ADDRESS, 1) == (1, b"")


def test_clock_pulses_clear_the_bus(rig):
    rig.arm("stuck@9:27clk")
    rig.bus.write(ADDRESS, INFO)
    rig.bus.read(ADDRESS, 1)
    rig.bus.clock_pulses(26)
    assert line(rig).held is not None
    rig.bus.clock_pulses(1)
    assert line(rig).held is None
    assert rig.info() == (0, 0, REVISION)


def test_the_bytes_read_from_a_line_that_got_stuck_are_pulses_too(rig):
    rig.arm("stuck@9:27clk")
    rig.bus.write(ADDRESS, INFO)
    rig.bus.read(ADDRESS, 3)
    assert line(rig).held is not None
    rig.bus.power_cycle()
    rig.wake()
    rig.arm("stuck@9:27clk")
    rig.bus.write(ADDRESS, INFO)
    assert rig.bus.read(ADDRESS, 4) == (0, bytes(4))
    assert line(rig).held is None


def test_each_address_that_is_tried_is_nine_pulses(rig):
    rig.arm("stuck@1.0:27clk")
    outcomes = [rig.bus.write(ADDRESS, INFO) for _ in range(5)]
    assert outcomes == [1, 1, 1, 1, 0]


def test_a_power_cycle_frees_the_bus(rig):
    rig.arm("stuck@1.0")
    rig.bus.write(ADDRESS, INFO)
    rig.clock.advance_us(10**9)
    rig.bus.clock_pulses(10**6)
    assert rig.bus.write(ADDRESS, INFO) == 1
    rig.bus.power_cycle()
    rig.wake()
    assert rig.info() == (0, 0, REVISION)


def test_a_wake_pulse_on_a_stuck_bus_wakes_nobody_and_letting_go_does(make_rig):
    rig = make_rig()
    line(rig).hold(parse_all(["stuck@1:1ms"])[0])
    rig.wake()
    assert rig.bus.write(0, b"\x00") == 1
    assert rig.chip.state == "asleep"
    rig.clock.advance_us(1000)
    assert rig.bus.read(ADDRESS, 4) == (0, WAKE_REPLY)


def test_a_line_let_go_at_once_is_no_wake_pulse(make_rig):
    rig = make_rig()
    line(rig).hold(parse_all(["stuck@1"])[0])
    rig.clock.advance_us(59)
    line(rig).release()
    assert rig.chip.state == "asleep"


def test_without_a_supply_nothing_answers_or_wakes(rig):
    line(rig).power_off()
    assert rig.chip.state == "asleep"
    rig.wake()
    assert rig.bus.write(ADDRESS, INFO) == 1
    assert rig.chip.state == "asleep"
    line(rig).power_on()
    assert rig.bus.write(ADDRESS, INFO) == 1
    rig.wake()
    assert rig.info() == (0, 0, REVISION)


def test_the_supply_may_go_amid_a_transaction(rig):
    assert rig.bus.start(ADDRESS, False)
    rig.bus.write_byte(INFO[0])
    line(rig).power_off()
    assert not rig.bus.write_byte(INFO[1])
    rig.bus.stop()
    rig.bus.power_cycle()
    rig.wake()
    assert rig.info() == (0, 0, REVISION)


def test_a_second_device_keeps_its_own_registers(rig):
    rig.arm("device:0x50")
    rig.bus.write(OTHER, b"\x10\xaa\xbb")
    rig.bus.write(OTHER, b"\x0f")
    assert rig.bus.read(OTHER, 4) == (0, b"\xff\xaa\xbb\xff")
    assert rig.info() == (0, 0, REVISION)
    assert rig.wires.bytes_seen == 15
    rig.arm()
    assert rig.bus.write(OTHER, b"\x10") == 1


def test_registers_are_lost_with_the_supply():
    device = RegisterFile(OTHER)
    bus = Bus([device])
    bus.write(OTHER, b"\xff\x01\x02")
    assert bytes(device.registers[-1:] + device.registers[:1]) == b"\x01\x02"
    bus.power_cycle()
    assert set(device.registers) == {0xFF}


def test_a_device_at_the_address_of_the_chip_spoils_what_is_read(rig):
    rig.bus.connect(RegisterFile(ADDRESS))
    rig.bus.write(ADDRESS, b"\x00\x00\x55")
    rig.bus.write(ADDRESS, b"\x00")
    assert rig.bus.read(ADDRESS, 2)[1] == bytes((0x04 & 0x00, 0x11 & 0x55))


def test_traffic_of_another_controller_comes_between_ours_and_counts_nothing(rig):
    seen = []
    rig.arm("device:0x50", "traffic@2.0:0x50:w10aa:r1")
    rig.bus.observer = lambda event: seen.append((event.kind, event.value))
    assert rig.info() == (0, 0, REVISION)
    starts = [value for kind, value in seen if kind == "start"]
    assert starts == [ADDRESS << 1, OTHER << 1, OTHER << 1 | 1, ADDRESS << 1 | 1]
    assert rig.wires.bytes_seen == 15
    assert rig.wires.transfers_seen == 2


def test_another_controller_may_read_our_answer_away(rig):
    rig.arm("traffic@2.0:0x60:r3")
    assert rig.info() == (0, 0, REVISION[3:] + b"\xff" * 3)
    assert rig.wires.bytes_seen == 15


def test_faults_do_not_strike_what_another_controller_reads(rig):
    rig.arm("traffic@2.0:0x60:r3", "flip@9:bit0")
    assert rig.info()[2][0] == REVISION[3] ^ 1
    assert rig.wires.struck == 2


def test_traffic_never_comes_before_a_repeated_start(rig):
    rig.arm("traffic@*.0:0x60:r1")
    assert rig.bus.start(ADDRESS, True)
    rig.bus.read_byte()
    before = len(rig.wires.hits)
    assert rig.bus.start(ADDRESS, True)
    assert len(rig.wires.hits) == before
    rig.bus.stop()


def test_arbitration_that_is_lost_refuses_ours_as_often_as_told(rig):
    rig.arm("device:0x50", "arbitration@1.0x2:0x50:w0001")
    assert [rig.bus.write(ADDRESS, INFO) for _ in range(3)] == [1, 1, 0]
    assert rig.bus.read(ADDRESS, 7) == (0, REVISION)


def test_traffic_by_byte_comes_at_the_next_transfer(rig):
    rig.arm("traffic@5:0x60:w00")
    assert rig.info() == (0, 0, REVISION)
    assert [(hit.transfer, hit.byte) for hit in rig.wires.log] == [(1, 0)]


def test_a_stuck_line_needs_a_bus():
    clock = ManualClock()
    wires = FaultyTarget(RegisterFile(OTHER), clock, parse_all(["stuck@1"]))
    wires.start(OTHER, False)
    with pytest.raises(RuntimeError, match="put the target on one"):
        wires.write_byte(0)
