"""SelfTest, the failure state and the random number generator's health test."""

import pytest
from hri.rig.atecc import open_chip

OK, PARSE, EXECUTION, SELF_TEST, HEALTH = b"\x00", b"\x03", b"\x0f", b"\x07", b"\x08"
RNG, ECDSA, ECDH, AES, SHA = 0x01, 0x04, 0x08, 0x10, 0x20
EVERYTHING = 0x3D


@pytest.mark.covers("SelfTest", "run tests")
@pytest.mark.parametrize("mode", [0x00, RNG, ECDSA, ECDH, AES, SHA, EVERYTHING, 0x3B])
def test_a_sound_chip_passes(locked, mode):
    assert locked.call(0x77, mode) == OK


@pytest.mark.covers("SelfTest", "read failures")
@pytest.mark.parametrize("block", [RNG, ECDSA, ECDH, AES, SHA])
def test_a_failing_block_shows_in_the_map_and_is_remembered(locked, block):
    locked.chip.fail_self_test(block)
    assert locked.call(0x77, 0x00) == OK
    assert locked.call(0x77, EVERYTHING) == bytes((block,))
    assert locked.call(0x77, 0x00) == bytes((block,))
    assert locked.chip.volatile.failed_self_tests == block


def test_both_published_bits_ask_for_ecdsa(locked):
    locked.chip.fail_self_test(ECDSA)
    assert locked.call(0x77, 0x02) == bytes((ECDSA,))
    locked.chip.fail_self_test(0)
    assert locked.call(0x77, 0x02) == OK
    locked.chip.fail_self_test(0x02)
    assert locked.call(0x77, 0x04) == bytes((ECDSA,))


def test_only_what_was_asked_for_is_tested(locked):
    locked.chip.fail_self_test(AES | SHA)
    assert locked.call(0x77, SHA) == bytes((SHA,))
    assert locked.call(0x77, AES) == bytes((AES | SHA,))


def test_after_a_failure_only_config_reads_and_selftest_work(locked):
    locked.chip.fail_self_test(AES)
    locked.call(0x77, AES)
    assert len(locked.call(0x02, 0x80, 0)) == 32
    assert locked.call(0x02, 0x82, locked.zone_address(8, 0)) == SELF_TEST
    assert locked.call(0x30) == SELF_TEST
    assert locked.call(0x1B) == SELF_TEST
    assert locked.call(0x17, 0x81) == SELF_TEST


def test_a_block_that_passes_again_ends_the_failure_state(locked):
    locked.chip.fail_self_test(AES | SHA)
    locked.call(0x77, AES | SHA)
    locked.chip.fail_self_test(SHA)
    assert locked.call(0x77, AES) == bytes((SHA,))
    locked.chip.fail_self_test(0)
    assert locked.call(0x30) == SELF_TEST
    assert locked.call(0x77, SHA) == OK
    assert len(locked.call(0x30)) == 4


def test_sleep_clears_the_failure_state_and_idle_does_not(locked):
    locked.chip.fail_self_test(AES)
    locked.call(0x77, AES)
    locked.word(2)
    locked.wake()
    assert locked.call(0x30) == SELF_TEST
    locked.fresh_session()
    assert len(locked.call(0x30)) == 4


def test_at_power_on_the_chip_tests_itself_where_told_to(personalised):
    wire = personalised({}, config={90: 0x01})
    assert wire.bus.read(0x60, 4) == (0, bytes.fromhex("04113343"))
    wire.chip.fail_self_test(ECDH)
    wire.word(1)
    wire.wake()
    # The vendor's library looks for 04 07 C4 40 here, which no CRC of the data sheet's makes of 04 07.
    assert wire.bus.read(0x60, 4) == (0, b"\x04\x07" + wire.crc16(b"\x04\x07").to_bytes(2, "little"))
    assert wire.call(0x77, 0) == bytes((ECDH,))
    assert wire.call(0x1B) == SELF_TEST


def test_the_power_on_self_test_takes_its_time(personalised):
    wire = personalised({}, config={90: 0x01}, timing="max")
    wire.clock.advance_us(249_999)
    assert wire.bus.read(0x60, 4)[0] != 0
    wire.clock.advance_us(1)
    assert wire.bus.read(0x60, 4)[0] == 0


@pytest.mark.parametrize(
    ("opcode", "param1", "param2", "data"),
    [(0x1B, 0, 0, b""), (0x16, 0, 0, bytes(20)), (0x40, 4, 2, b""), (0x40, 4, 0xFFFF, b"")],
)
def test_without_a_healthy_generator_nothing_random_is_given(locked, opcode, param1, param2, data):
    locked.chip.fail_self_test(RNG)
    before = locked.chip.eeprom
    assert locked.call(opcode, param1, param2, data) == HEALTH
    assert locked.chip.eeprom == before
    assert len(locked.call(0x30)) == 4
    locked.chip.fail_self_test(0)
    assert len(locked.call(opcode, param1, param2, data)) >= 32


def test_a_fixed_nonce_needs_no_generator(locked):
    locked.chip.fail_self_test(RNG)
    assert locked.call(0x16, 3, 0, bytes(32)) == OK


@pytest.mark.parametrize(("mode", "zero", "size"), [(0x40, 0, 0), (0x80, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_selftest_checks_its_form(wire, mode, zero, size):
    assert wire.call(0x77, mode, zero, bytes(size)) == PARSE


@pytest.mark.parametrize("mask", [0x40, 0x80, 0x100])
def test_a_block_that_there_is_not_cannot_fail(mask):
    with pytest.raises(ValueError, match="bits of 0x3f"):
        open_chip().fail_self_test(mask)
