"""Power that fails at every byte on the wires and within every EEPROM write: noticed, never locked over."""

import contextlib
import hashlib

import pytest
from hri.rig.fault_script import parse_all
from hri_device.atecc.packet import crc16
from hri_device.errors import CommandError, PacketError, SecureElementError
from unit.firmware_atecc.chip_bench import CONTENTS, DATA_CRC, SIZES, Bench, data_crc

_BLOCK = 32
_GENKEY = 0x40


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
    for block in range(-(-SIZES[slot] // _BLOCK)):
        length = min(_BLOCK, SIZES[slot] - block * _BLOCK)
        # Some bytes new, one torn, some old.
        for after in {1, 2, length // 2, length - 2}:
            bench = Bench().configured()
            bench.write_contents()
            bench.bus.tear = (bench.bus.writes + block, after)
            other = hashlib.shake_256(b"other").digest(SIZES[slot])
            with pytest.raises(SecureElementError):
                bench.element.write_slot(slot, other)
            bench.restart()
            for believed in (CONTENTS, {**CONTENTS, slot: other}):
                with pytest.raises(CommandError, match="command 17"):
                    bench.element.lock_data(data_crc(believed))
                assert not bench.element.is_data_locked()
            bench.personalised()
            assert bench.element.is_data_locked()


def test_power_loss_at_any_byte_of_a_slot_before_the_data_lock_is_noticed_and_never_locked_over():
    other = hashlib.shake_256(b"other").digest(SIZES[5])
    whole = Bench().configured()
    whole.write_contents()
    whole.restart()
    whole.element.write_slot(5, other)
    for at in range(1, whole.wires.bytes_seen + 1):
        bench = Bench().configured()
        bench.write_contents()
        bench.restart()
        bench.wires.arm(parse_all([f"power@{at}"]))
        try:
            bench.element.write_slot(5, other)
        except SecureElementError:
            written = False
        else:
            written = True
        bench.restart()
        try:
            bench.element.lock_data(data_crc({**CONTENTS, 5: other}))
        except CommandError:
            assert not written
            assert not bench.element.is_data_locked()
        else:
            # The lost one was the answer, or the good night.
            assert bench.element.read_slot(5, SIZES[5]) == other


def test_power_loss_at_any_byte_of_the_data_lock_leaves_the_zone_open_or_locked_as_written():
    whole = Bench().configured()
    whole.write_contents()
    whole.restart()
    whole.element.lock_data(DATA_CRC)
    for at in range(1, whole.wires.bytes_seen + 1):
        bench = Bench().configured()
        bench.write_contents()
        bench.restart()
        bench.wires.arm(parse_all([f"power@{at}"]))
        with contextlib.suppress(SecureElementError):
            bench.element.lock_data(DATA_CRC)
        bench.restart()
        if not bench.element.is_data_locked():
            bench.element.lock_data(DATA_CRC)
        for slot in (5, 8, 14):
            assert bench.element.read_slot(slot, SIZES[slot]) == CONTENTS[slot]


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


@pytest.mark.parametrize("after", range(36))
def test_a_key_torn_at_its_birth_is_noticed_and_born_anew(after):
    bench = Bench().configured().personalised()
    bench.element.generate_key(1)
    bench.bus.tearing = _GENKEY
    # The first GenKey of a birth reads the attestation key, the second creates.
    bench.bus.tear = (1, after)
    with pytest.raises(SecureElementError):
        bench.element.birth(0, bytes(20), 1)
    bench.restart()
    assert not bench.element.is_slot_locked(0)
    _, public_key, _, _ = bench.element.birth(0, bytes(20), 1)
    bench.element.lock_slot(0)
    assert bench.element.public_key(0) == public_key


def test_power_loss_at_any_byte_of_a_slots_lock_leaves_it_open_or_locked_and_its_content_as_it_was():
    whole = Bench().configured().personalised()
    whole.element.lock_slot_holding(5, CONTENTS[5])
    for at in range(1, whole.wires.bytes_seen + 1):
        bench = Bench().configured().personalised()
        bench.wires.arm(parse_all([f"power@{at}"]))
        with contextlib.suppress(SecureElementError):
            bench.element.lock_slot_holding(5, CONTENTS[5])
        bench.restart()
        if not bench.element.is_slot_locked(5):
            bench.element.lock_slot_holding(5, CONTENTS[5])
        assert bench.element.is_slot_locked(5)
        assert [bench.element.is_slot_locked(slot) for slot in (0, 6, 15)] == [False] * 3
        assert bench.element.read_slot(5, SIZES[5]) == CONTENTS[5]
