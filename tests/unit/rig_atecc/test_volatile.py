"""What a test may see of the chip's volatile state, and the times of its clock dividers."""

import dataclasses

import pytest
from hri.rig.atecc import Volatile
from hri.rig.atecc.opcodes import COMMANDS
from hri.rig.atecc.timing import Timing

OK = b"\x00"
EMPTY = Volatile(
    temp_key_valid=False,
    temp_key_length=0,
    source_flag=0,
    key_id=0,
    gen_dig_data=False,
    gen_key_data=False,
    no_mac_flag=False,
    message_digest_length=0,
    alternate_key=False,
    authorized_key=None,
    persistent_latch=False,
    volatile_key_permitted=False,
    failed_self_tests=0,
    sha_context=0,
)


def test_a_woken_chip_has_nothing(wire):
    assert wire.chip.volatile == EMPTY


@pytest.mark.parametrize(("mode", "length"), [(0x03, 32), (0x23, 64)])
def test_a_fixed_nonce_shows_its_length_and_source(wire, mode, length):
    assert wire.call(0x16, mode, 0, bytes(length)) == OK
    expected = dataclasses.replace(EMPTY, temp_key_valid=True, temp_key_length=length, source_flag=1)
    assert wire.chip.volatile == expected


def test_gendig_and_genkey_show_their_flags(locked):
    locked.random_nonce()
    assert locked.call(0x15, 0x02, 6, b"\x15\x02\x06\x00") == OK
    seen = locked.chip.volatile
    assert (seen.gen_dig_data, seen.key_id, seen.no_mac_flag, seen.gen_key_data) == (True, 6, True, False)
    locked.call(0x40, 0x0C, 2)
    seen = locked.chip.volatile
    assert (seen.gen_dig_data, seen.key_id, seen.gen_key_data) == (False, 2, True)


def test_the_other_buffers_show_whether_they_are_filled(wire):
    assert wire.call(0x16, 0x63, 0, bytes(64)) == OK
    assert wire.call(0x16, 0x83, 0, bytes(32)) == OK
    assert wire.call(0x47, 0x00) == OK
    expected = dataclasses.replace(EMPTY, message_digest_length=64, alternate_key=True, sha_context=1)
    assert wire.chip.volatile == expected


def test_the_watchdog_is_taken_into_account(wire):
    wire.fixed_nonce(bytes(32))
    wire.clock.advance_us(1_300_000)
    assert wire.chip.volatile == EMPTY


@pytest.mark.parametrize(("divider", "milliseconds"), [(0x00, 115), (0x28, 215), (0x68, 653)])
def test_chip_mode_slows_the_clock_from_the_next_waking(make_wire, divider, milliseconds):
    wire = make_wire("max")
    wire.wake()
    wire.clock.advance_us(1000)
    assert wire.call(0x12, 0, 4, bytes((0xC0, 0, 0, divider))) == OK
    assert wire.call(0x17, 0x80) == OK
    wire.fresh_session()
    wire.clock.advance_us(1000)
    assert wire.bus.write(0x60, wire.packet(0x40, 0x04, 0xFFFF)) == 0
    wire.clock.advance_us(1000 * milliseconds - 1)
    assert wire.bus.read(0x60, 1)[0] != 0
    wire.clock.advance_us(1)
    assert wire.bus.read(0x60, 1)[0] == 0


def test_a_slow_clock_lengthens_typical_times_alike():
    typical = Timing.parse("typical")
    expected = [round(11_000 * longest / 115) for longest in (115, 215, 653)]
    assert [times[0x40] for times in typical.by_divider] == expected
    assert all(times[0x02] == 100 for times in typical.by_divider)


def test_every_command_has_times():
    assert all(set(times) == set(COMMANDS) for times in Timing.parse("max").by_divider)
    assert Timing.parse("none").by_divider[2][0x77] == 0


def test_a_self_test_at_the_slowest_clock_does_not_fit_the_short_watchdog(make_wire):
    wire = make_wire("max")
    wire.wake()
    wire.clock.advance_us(1000)
    wire.call(0x12, 0, 4, bytes((0xC0, 0, 0, 0x68)))
    wire.fresh_session()
    wire.clock.advance_us(1000)
    assert wire.bus.write(0x60, wire.packet(0x77, 0x3D)) == 0
    assert wire.receive() == b"\xee"
