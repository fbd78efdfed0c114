"""Where faults strike: over all bytes, within one transfer, in every transfer, at an address."""

from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_faults import FaultyTarget
from hri.rig.fault_script import parse_all
from hri.rig.register_file import RegisterFile
from unit.rig_faults.conftest import ADDRESS, INFO, REVISION


def test_a_transfer_counts_its_own_bytes(rig):
    rig.arm("flip@2.3:bit0")
    assert rig.info() == (0, 0, REVISION[:2] + b"\x01" + REVISION[3:])
    assert rig.info() == (0, 0, REVISION)


def test_every_transfer_may_be_hit(rig):
    rig.arm("truncate@*.6")
    assert rig.bus.read(ADDRESS, 7)[1] == bytes.fromhex("04 11 33 43 ff ff ff")
    rig.bus.write(ADDRESS, b"\x00")
    assert rig.bus.read(ADDRESS, 7)[1][5:] == b"\xff\xff"
    assert [(hit.transfer, hit.byte) for hit in rig.wires.log] == [(1, 6), (3, 6)]


def test_polling_a_busy_chip_moves_no_position(make_rig):
    for polls in (0, 50):
        rig = make_rig(timing="typical")
        rig.wake()
        rig.clock.advance_us(1000)
        rig.arm("flip@2.2:bit7")
        assert rig.bus.write(ADDRESS, INFO) == 0
        for _ in range(polls):
            assert rig.bus.read(ADDRESS, 1)[0] == 1
        rig.clock.advance_us(100)
        assert rig.bus.read(ADDRESS, 7) == (0, REVISION[:1] + b"\x80" + REVISION[2:])


def test_an_address_is_refused_as_often_as_told(rig):
    rig.arm("nack@2.0x3")
    assert rig.bus.write(ADDRESS, INFO) == 0
    assert [rig.bus.read(ADDRESS, 1)[0] for _ in range(3)] == [1, 1, 1]
    assert rig.bus.read(ADDRESS, 7) == (0, REVISION)


def test_every_address_may_be_refused_for_ever(rig):
    rig.arm("nack@*.0")
    assert {rig.bus.write(ADDRESS, INFO) for _ in range(20)} == {1}
    rig.arm()
    assert rig.info() == (0, 0, REVISION)


def test_the_supply_may_fail_at_an_address(rig):
    rig.arm("power@2.0")
    assert rig.info() == (0, 1, b"")
    assert rig.chip.state == "asleep"
    rig.wake()
    assert rig.info() == (0, 0, REVISION)


def test_a_delay_at_an_address_refuses_it_until_it_is_over(rig):
    rig.arm("delay@2.0:3ms")
    assert rig.info() == (0, 1, b"")
    rig.clock.advance_us(3000)
    assert rig.bus.read(ADDRESS, 7) == (0, REVISION)


def test_all_faults_at_one_byte_strike(rig):
    rig.arm("flip@10:bit0", "flip@10:bit1", "delay@10:1ms")
    assert rig.info()[2][1] == 3
    assert rig.bus.write(ADDRESS, INFO) == 1
    assert len(rig.wires.hits) == rig.wires.struck == 3


def test_a_refused_address_leaves_the_chip_able_to_go_on(rig):
    rig.arm("nack@1.0")
    assert rig.bus.write(ADDRESS, INFO) == 1
    assert rig.bus.read(ADDRESS, 4) == (0, bytes.fromhex("04 11 33 43"))


def test_the_target_sees_the_end_of_a_transaction_that_was_refused():
    class Counting(RegisterFile):
        stops = 0

        def stop(self):
            self.stops += 1

    target, clock = Counting(0x50), ManualClock()
    bus = Bus([FaultyTarget(target, clock, parse_all(["nack@1.0"]))], clock=clock)
    assert bus.write(0x50, b"\x00") == 1
    assert target.stops == 1
    assert bus.write(0x50, b"\x00") == 0
    assert target.stops == 2


def test_arming_counts_from_zero_and_rolls_the_same_dice(rig):
    rig.arm("flip@9x7")
    first = rig.info()
    rig.arm("flip@9x7")
    assert rig.info() == first
    rig.arm("flip@9x7", seed=2)
    assert rig.info() != first


def test_a_supply_that_stays_away_lets_nothing_wake(rig):
    rig.arm("power@3:20ms")
    rig.info()
    rig.wake()
    assert rig.bus.read(ADDRESS, 4) == (1, b"")
    rig.clock.advance_us(20_000)
    assert rig.bus.read(ADDRESS, 4) == (1, b"")
    rig.wake()
    assert rig.bus.read(ADDRESS, 4)[0] == 0


def test_power_loss_at_every_byte_leaves_a_chip_that_works(rig):
    for at in range(1, 16):
        rig.arm(f"power@{at}")
        rig.wake()
        outcome = rig.info()
        assert outcome[2] != REVISION, at
        assert len(rig.wires.hits) == 1
        rig.wake()
        assert rig.info() == (0, 0, REVISION), at
        rig.bus.power_cycle()
