"""A supply that fails within an EEPROM change of the chip, and health tests that fail, by their text."""

import pytest
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_faults import FaultyTarget
from hri.rig.fault_script import parse_all
from unit.rig_atecc.conftest import command
from unit.rig_faults.conftest import ADDRESS

# Configuration bytes 20 to 23, SlotConfig of slots 0 and 1.
WORD, FIRST = 5, 20
NEW = bytes.fromhex("11 22 33 44")
WRITE = command(0x12, 0, WORD, NEW)
SELF_TEST = command(0x77, 0x01)


@pytest.mark.parametrize("after", range(6))
def test_a_write_is_torn_at_every_byte_and_the_state_file_is_whole(tmp_path, after):
    clock = ManualClock()
    with open_chip(state=tmp_path / "chip", clock=clock) as chip:
        wires = FaultyTarget(chip, clock, parse_all([f"torn-write@{after}:seed3"]))
        bus = Bus([wires], clock=clock)
        old = chip.eeprom.config
        bus.wake_pulse(80)
        assert bus.write(ADDRESS, WRITE) == 0
        assert bus.read(ADDRESS, 4) == (1, b"")
        assert chip.state == "asleep"
        torn = chip.eeprom.config
    done = min(after, 4)
    assert torn[FIRST : FIRST + done] == NEW[:done]
    assert torn[FIRST + done + 1 : FIRST + 4] == old[FIRST + done + 1 : FIRST + 4]
    assert torn[:FIRST] + torn[FIRST + 4 :] == old[:FIRST] + old[FIRST + 4 :]
    with open_chip(state=tmp_path / "chip", clock=clock) as again:
        assert again.eeprom.config == torn


def test_only_the_write_after_the_position_is_torn(make_rig):
    rig = make_rig("torn-write@0:from3.0:seed1")
    rig.wake()
    assert rig.bus.write(ADDRESS, WRITE) == 0
    assert rig.bus.read(ADDRESS, 4) == (0, bytes.fromhex("04 00 03 40"))
    assert rig.bus.write(ADDRESS, command(0x12, 0, WORD + 1, NEW)) == 0
    assert rig.bus.read(ADDRESS, 4) == (1, b"")
    assert rig.chip.eeprom.config[FIRST : FIRST + 4] == NEW
    assert rig.chip.eeprom.config[FIRST + 5 : FIRST + 8] != NEW[1:]


def test_the_seed_of_the_run_decides_what_a_torn_byte_becomes(make_rig):
    def torn(seed):
        rig = make_rig("torn-write@1", seed=seed)
        rig.wake()
        rig.bus.write(ADDRESS, WRITE)
        return rig.chip.eeprom.config[FIRST + 1]

    assert torn(1) == torn(1)
    assert len({torn(seed) for seed in range(20)}) > 1


def test_a_self_test_that_is_made_to_fail_says_so_until_it_is_mended(make_rig):
    rig = make_rig("health:rng")
    rig.wake()
    answers = []
    for _ in range(2):
        assert rig.bus.write(ADDRESS, SELF_TEST) == 0
        answers.append(rig.bus.read(ADDRESS, 4)[1][:2])
        rig.arm()
    assert answers == [b"\x04\x01", b"\x04\x00"]
