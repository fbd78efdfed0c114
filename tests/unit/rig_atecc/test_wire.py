"""Waking, acknowledging, buffers, time: what the chip does before any command means anything."""

import hashlib

import pytest
from hri.rig.atecc import open_chip
from hri.rig.bus import ADDRESS_NACK, DATA_NACK, Bus, ManualClock

ADDRESS = 0x60
INFO = bytes.fromhex("03 07 30 00 00 00 03 5d")
REVISION_608B = bytes.fromhex("07 00 00 60 03 83 bb")
WAKE_REPLY = bytes.fromhex("04 11 33 43")


def test_a_sleeping_chip_does_not_acknowledge(make_wire):
    wire = make_wire()
    assert wire.bus.write(ADDRESS, INFO) == ADDRESS_NACK
    assert wire.bus.read(ADDRESS, 4) == (ADDRESS_NACK, b"")


def test_a_wake_pulse_is_answered_with_11(wire):
    assert wire.bus.read(ADDRESS, 4) == (0, WAKE_REPLY)


def test_a_pulse_under_60_us_wakes_nobody(make_wire):
    wire = make_wire()
    wire.bus.wake_pulse(59.9)
    assert wire.bus.read(ADDRESS, 4)[0] == ADDRESS_NACK
    wire.bus.wake_pulse(60.0)
    assert wire.bus.read(ADDRESS, 4)[0] == 0


@pytest.mark.parametrize(("scl_hz", "wakes"), [(100_000, True), (400_000, False), (1_000_000, False)])
def test_writing_to_address_0_wakes_only_on_a_slow_bus(make_wire, scl_hz, wakes):
    wire = make_wire()
    wire.bus.scl_hz = scl_hz
    assert wire.bus.write(0x00, b"\0") == ADDRESS_NACK
    assert (wire.chip.state == "awake") is wakes
    assert wire.bus.counters.wakes == int(wakes)


def test_another_address_is_not_acknowledged(wire):
    assert wire.bus.write(0x35, INFO) == ADDRESS_NACK


@pytest.mark.covers("Info", "revision")
def test_a_command_is_answered_with_count_data_and_crc(wire):
    assert wire.bus.write(ADDRESS, INFO) == 0
    assert wire.bus.read(ADDRESS, 7) == (0, REVISION_608B)


def test_the_608a_tells_its_own_revision():
    bus = Bus([open_chip("atecc608a", clock=ManualClock())])
    bus.wake_pulse(80)
    bus.write(ADDRESS, INFO)
    assert bus.read(ADDRESS, 7)[1][1:5] == bytes.fromhex("00006002")


def test_the_read_pointer_goes_on_over_separate_reads(wire):
    wire.bus.write(ADDRESS, INFO)
    assert wire.bus.read(ADDRESS, 1)[1] + wire.bus.read(ADDRESS, 6)[1] == REVISION_608B


def test_reading_past_the_end_gives_ff(wire):
    wire.bus.write(ADDRESS, INFO)
    assert wire.bus.read(ADDRESS, 9)[1] == REVISION_608B + b"\xff\xff"


def test_word_address_reset_rewinds_the_output(wire):
    wire.bus.write(ADDRESS, INFO)
    wire.bus.read(ADDRESS, 7)
    assert wire.word(0) == 0
    assert wire.bus.read(ADDRESS, 7)[1] == REVISION_608B


def test_a_reserved_word_address_is_refused(wire):
    assert wire.word(4) == DATA_NACK


def test_a_command_may_come_in_pieces_and_is_not_answered_before_it_is_whole(wire):
    assert wire.bus.write(ADDRESS, INFO[:4]) == 0
    assert wire.bus.read(ADDRESS, 1)[0] == ADDRESS_NACK
    assert wire.bus.write(ADDRESS, b"\x03" + INFO[4:]) == 0
    assert wire.bus.read(ADDRESS, 7)[1] == REVISION_608B


def test_word_address_reset_forgets_half_a_command(wire):
    wire.bus.write(ADDRESS, INFO[:4])
    wire.word(0)
    wire.bus.write(ADDRESS, INFO)
    assert wire.receive() == REVISION_608B[1:5]


def test_bytes_after_the_command_are_refused(wire):
    assert wire.bus.write(ADDRESS, INFO + b"\0") == DATA_NACK
    assert wire.receive() == REVISION_608B[1:5]


@pytest.mark.parametrize("position", range(2, 8))
def test_a_flipped_bit_is_answered_with_ff_and_nothing_runs(wire, position):
    damaged = bytearray(INFO)
    damaged[position] ^= 0x10
    wire.bus.write(ADDRESS, bytes(damaged))
    assert wire.receive() == b"\xff"
    assert not wire.chip.commands


@pytest.mark.parametrize("count", [0, 1, 6, 163, 255])
def test_an_impossible_count_is_answered_with_ff(wire, count):
    wire.bus.write(ADDRESS, bytes((3, count)) + INFO[2 : 2 + max(0, min(count, 7) - 1)])
    assert wire.receive() == b"\xff"


def test_an_unknown_opcode_is_a_parse_error(wire):
    assert wire.call(0x99) == b"\x03"


@pytest.mark.parametrize("opcode", [0x01, 0x11])
def test_the_508s_pause_and_hmac_are_unknown_to_the_608(wire, opcode):
    assert wire.call(opcode) == b"\x03"


def test_the_chip_does_not_acknowledge_while_busy(make_wire):
    wire = make_wire("max")
    wire.wake()
    wire.clock.advance_us(1000)
    wire.bus.write(ADDRESS, INFO)
    wire.clock.advance_us(4999)
    assert wire.bus.read(ADDRESS, 7)[0] == ADDRESS_NACK
    wire.clock.advance_us(1)
    assert wire.bus.read(ADDRESS, 7) == (0, REVISION_608B)


def test_the_chip_is_ready_one_millisecond_after_waking(make_wire):
    wire = make_wire("typical")
    wire.wake()
    wire.clock.advance_us(999)
    assert wire.bus.read(ADDRESS, 4)[0] == ADDRESS_NACK
    wire.clock.advance_us(1)
    assert wire.bus.read(ADDRESS, 4) == (0, WAKE_REPLY)


def test_typical_times_can_be_scaled(make_wire):
    wire = make_wire(2.0)
    wire.wake()
    wire.clock.advance_us(2000)
    wire.bus.write(ADDRESS, INFO)
    wire.clock.advance_us(199)
    assert wire.bus.read(ADDRESS, 1)[0] == ADDRESS_NACK
    wire.clock.advance_us(1)
    assert wire.bus.read(ADDRESS, 1)[0] == 0


@pytest.mark.parametrize("timing", ["fast", -1.0, float("nan"), float("inf")])
def test_timing_is_checked(timing):
    with pytest.raises(ValueError, match="timing"):
        open_chip(timing=timing)


def state_flags(wire):
    """Info, device state: the flags byte and TempKey.Valid."""
    answer = wire.call(0x30, 2)
    return answer[0], answer[1] >> 7


@pytest.mark.covers("Info", "state")
def test_idle_keeps_tempkey(wire):
    wire.fixed_nonce(bytes(32))
    assert wire.word(2) == 0
    assert wire.bus.read(ADDRESS, 4)[0] == ADDRESS_NACK
    wire.wake()
    assert wire.bus.read(ADDRESS, 4) == (0, WAKE_REPLY)
    assert state_flags(wire) == (0x10, 1)


def test_sleep_clears_tempkey(wire):
    wire.fixed_nonce(bytes(32))
    wire.fresh_session()
    assert state_flags(wire) == (0, 0)


def test_power_loss_clears_tempkey(wire):
    wire.fixed_nonce(bytes(32))
    wire.bus.power_cycle()
    assert wire.bus.read(ADDRESS, 4)[0] == ADDRESS_NACK
    wire.wake()
    assert state_flags(wire) == (0, 0)


def test_a_wake_while_awake_disturbs_nothing(wire):
    wire.fixed_nonce(bytes(32))
    wire.bus.write(ADDRESS, INFO)
    assert wire.bus.read(ADDRESS, 3)[1] == REVISION_608B[:3]
    wire.wake()
    assert wire.bus.read(ADDRESS, 4)[1] == REVISION_608B[3:]
    assert state_flags(wire) == (0x10, 1)


def test_the_watchdog_puts_the_chip_to_sleep_and_a_wake_does_not_restart_it(wire):
    wire.fixed_nonce(bytes(32))
    wire.clock.advance_us(1_299_999)
    wire.wake()
    assert wire.bus.read(ADDRESS, 1)[0] == 0
    wire.clock.advance_us(1)
    assert wire.bus.read(ADDRESS, 1)[0] == ADDRESS_NACK
    wire.wake()
    assert state_flags(wire) == (0, 0)


def test_idle_stops_the_watchdog(wire):
    wire.fixed_nonce(bytes(32))
    wire.word(2)
    wire.clock.advance_us(60_000_000)
    wire.wake()
    assert state_flags(wire) == (0x10, 1)


def test_chip_mode_bit_2_makes_the_watchdog_ten_times_as_long(wire):
    assert wire.call(0x12, 0, 4, bytes((0xC0, 0, 0, 0x04))) == b"\0"
    wire.fresh_session()
    wire.clock.advance_us(12_999_999)
    assert wire.chip.state == "awake"
    wire.clock.advance_us(1)
    assert wire.chip.state == "asleep"


def test_a_command_that_cannot_end_before_the_watchdog_does_not_run(make_wire):
    wire = make_wire("max")
    wire.wake()
    wire.clock.advance_us(1_300_000 - 5_000)
    assert wire.bus.write(ADDRESS, INFO) == 0
    assert wire.receive() == b"\xee"
    assert not wire.chip.commands


def test_a_refused_command_is_quick(make_wire):
    wire = make_wire("max")
    wire.wake()
    wire.clock.advance_us(1000)
    wire.bus.write(ADDRESS, wire.packet(0x40, 0x04, 0))
    wire.clock.advance_us(5000)
    assert wire.receive() == b"\x0f"


def test_a_changed_address_counts_from_the_next_waking(wire):
    assert wire.call(0x12, 0, 4, bytes((0x6A, 0, 0, 0))) == b"\0"
    assert wire.call(0x30) == REVISION_608B[1:5]
    wire.fresh_session()
    assert wire.bus.read(0x60, 4)[0] == ADDRESS_NACK
    assert wire.bus.read(0x35, 4) == (0, WAKE_REPLY)


def test_a_repeated_start_ends_the_write_before_it(wire):
    assert wire.bus.start(ADDRESS, False)
    for byte in INFO:
        assert wire.bus.write_byte(byte)
    assert wire.bus.start(ADDRESS, True)
    received = bytes(wire.bus.read_byte() for _ in range(7))
    wire.bus.stop()
    assert received == REVISION_608B


def test_two_chips_share_a_bus_and_both_wake():
    clock = ManualClock()
    first, second = (open_chip(clock=clock) for _ in range(2))
    bus = Bus([first, second], clock=clock)
    bus.wake_pulse(80)
    assert (first.state, second.state) == ("awake", "awake")
    # Both answer at 0x60 with the same bytes, so the wired-AND is the reply itself.
    assert bus.read(ADDRESS, 4) == (0, WAKE_REPLY)


def test_new_chips_have_serial_numbers_of_their_own():
    first, second = open_chip(), open_chip()
    assert first.serial_number != second.serial_number
    for chip in (first, second):
        assert chip.serial_number[:2] == b"\x01\x23"
        assert chip.serial_number[8] == 0xEE


@pytest.mark.covers("Nonce", "random, of TempKey")
def test_nonce_hashes_what_the_data_sheet_says(wire):
    number = bytes(range(20))
    random_out = wire.call(0x16, 0, 0, number)
    expected = hashlib.sha256(random_out + number + b"\x16\0\0").digest()
    # Param2 0x8000 hashes TempKey instead of a random number and shows the result.
    shown = wire.call(0x16, 0, 0x8000, number)
    assert shown == hashlib.sha256(expected + number + b"\x16\0\0").digest()


@pytest.mark.covers("Nonce", "random, no seed update")
def test_a_nonce_without_seed_update_says_so_in_its_hash(wire):
    random_out = wire.call(0x16, 1, 0, bytes(20))
    expected = hashlib.sha256(random_out + bytes(20) + b"\x16\x01\0").digest()
    shown = wire.call(0x16, 0, 0x8000, bytes(20))
    assert shown == hashlib.sha256(expected + bytes(20) + b"\x16\0\0").digest()


def test_a_shown_tempkey_vouches_for_nothing_any_more(locked):
    locked.random_nonce()
    assert locked.call(0x15, 0x02, 8) == b"\0"
    assert state_flags(locked) == (0x28, 1)
    locked.call(0x16, 0, 0x8000, bytes(20))
    assert state_flags(locked) == (0x00, 1)
