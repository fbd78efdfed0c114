"""MAC and CheckMac: messages put together from the published tables, and who may ask for them."""

import hashlib

import pytest

OK, MISCOMPARE, PARSE, EXECUTION = b"\x00", b"\x01", b"\x03", b"\x0f"
KEY, CHALLENGE = b"k" * 32, b"c" * 32
KEY_SLOT, NO_MAC_SLOT, PRIVATE_SLOT, RANDOM_SLOT = 8, 6, 0, 10
OTHER = bytes(range(0xA0, 0xAD))


@pytest.fixture
def wire(personalised):
    slots = {
        KEY_SLOT: (0x8F8F, 0x001C),
        NO_MAC_SLOT: (0x8F9F, 0x001C),
        PRIVATE_SLOT: (0x0081, 0x0033),
        RANDOM_SLOT: (0x8F8F, 0x005C),
    }
    contents = dict.fromkeys((KEY_SLOT, NO_MAC_SLOT, RANDOM_SLOT), KEY)
    return personalised(slots, contents, scalars={PRIVATE_SLOT: 5})


def mac_of(wire, mode, slot, first, second):
    serial, otp = wire.chip.serial_number, wire.chip.eeprom.otp
    message = (
        first
        + second
        + bytes((0x08, mode, slot, 0))
        + (otp[:8] if mode & 0x30 else bytes(8))
        + (otp[8:11] if mode & 0x10 else bytes(3))
        + serial[8:9]
        + (serial[4:8] if mode & 0x40 else bytes(4))
        + serial[:2]
        + (serial[2:4] if mode & 0x40 else bytes(2))
    )
    assert len(message) == 88
    return hashlib.sha256(message).digest()


def response(wire, first, second, mode=0):
    serial, otp = wire.chip.serial_number, wire.chip.eeprom.otp
    message = (
        first
        + second
        + OTHER[:4]
        + (otp[:8] if mode & 0x20 else bytes(8))
        + OTHER[4:7]
        + serial[8:9]
        + OTHER[7:11]
        + serial[:2]
        + OTHER[11:]
    )
    assert len(message) == 88
    return hashlib.sha256(message).digest()


def check(wire, mode, slot, answer, challenge=bytes(32)):
    return wire.call(0x28, mode, slot, challenge + answer + OTHER)


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(0x00, marks=pytest.mark.covers("MAC", "slot key, challenge")),
        pytest.param(0x20, marks=pytest.mark.covers("MAC", "OTP 64")),
        pytest.param(0x10, marks=pytest.mark.covers("MAC", "OTP 88")),
        pytest.param(0x40, marks=pytest.mark.covers("MAC", "full serial number")),
        0x70,
    ],
)
def test_mac_hashes_key_and_challenge(wire, mode):
    assert wire.call(0x08, mode, KEY_SLOT, CHALLENGE) == mac_of(wire, mode, KEY_SLOT, KEY, CHALLENGE)


@pytest.mark.covers("MAC", "slot key, TempKey")
def test_mac_takes_the_challenge_from_a_nonce_once(wire):
    nonce = wire.random_nonce()
    assert wire.call(0x08, 0x41, KEY_SLOT) == mac_of(wire, 0x41, KEY_SLOT, KEY, nonce)
    assert wire.call(0x08, 0x41, KEY_SLOT) == EXECUTION


@pytest.mark.covers("MAC", "TempKey, challenge")
def test_mac_takes_the_key_from_tempkey(wire):
    wire.fixed_nonce(b"n" * 32)
    assert wire.call(0x08, 0x06, 0, CHALLENGE) == mac_of(wire, 0x06, 0, b"n" * 32, CHALLENGE)


@pytest.mark.covers("MAC", "TempKey, TempKey")
def test_mac_takes_both_from_tempkey(wire):
    wire.fixed_nonce(b"n" * 32)
    assert wire.call(0x08, 0x07, 0) == mac_of(wire, 0x07, 0, b"n" * 32, b"n" * 32)


def test_a_mode_that_names_the_wrong_source_uses_tempkey_up(wire):
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x08, 0x01, KEY_SLOT) == EXECUTION
    assert not wire.chip.volatile.temp_key_valid


def test_mac_refuses_a_tempkey_of_a_no_mac_key(wire):
    wire.random_nonce()
    assert wire.call(0x15, 0x02, NO_MAC_SLOT, b"\x15\x02\x06\x00") == OK
    assert wire.chip.volatile.no_mac_flag
    assert wire.call(0x08, 0x01, KEY_SLOT) == EXECUTION


@pytest.mark.parametrize("slot", [NO_MAC_SLOT, PRIVATE_SLOT])
def test_mac_refuses_a_key_for_checking_only_and_a_private_key(wire, slot):
    assert wire.call(0x08, 0x00, slot, CHALLENGE) == EXECUTION


def test_a_key_that_wants_a_random_nonce_takes_no_challenge_of_the_callers(wire):
    assert wire.call(0x08, 0x00, RANDOM_SLOT, CHALLENGE) == EXECUTION
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x08, 0x05, RANDOM_SLOT) == EXECUTION
    nonce = wire.random_nonce()
    assert wire.call(0x08, 0x01, RANDOM_SLOT) == mac_of(wire, 0x01, RANDOM_SLOT, KEY, nonce)


@pytest.mark.parametrize(
    ("mode", "slot", "size"), [(0x08, 8, 32), (0x80, 8, 32), (0, 16, 32), (0, 8, 0), (1, 8, 32)]
)
def test_mac_checks_its_form(wire, mode, slot, size):
    assert wire.call(0x08, mode, slot, bytes(size)) == PARSE


def test_mac_and_checkmac_wait_for_the_data_lock(personalised):
    wire = personalised({KEY_SLOT: (0x8F8F, 0x001C)}, {KEY_SLOT: KEY}, locked=False)
    assert wire.call(0x08, 0x00, KEY_SLOT, CHALLENGE) == EXECUTION
    assert check(wire, 0x00, KEY_SLOT, response(wire, KEY, CHALLENGE), CHALLENGE) == EXECUTION


@pytest.mark.covers("CheckMac", "slot key, challenge")
@pytest.mark.covers("CheckMac", "OTP")
@pytest.mark.parametrize("mode", [0x00, 0x20])
def test_checkmac_compares_the_response(wire, mode):
    answer = response(wire, KEY, CHALLENGE, mode)
    assert check(wire, mode, KEY_SLOT, answer, CHALLENGE) == OK
    assert check(wire, mode, KEY_SLOT, answer, bytes(32)) == MISCOMPARE


@pytest.mark.covers("CheckMac", "slot key, TempKey")
@pytest.mark.parametrize("mode", [0x01, 0x05])
def test_checkmac_takes_the_challenge_from_a_nonce_once(wire, mode):
    nonce = wire.random_nonce() if mode == 1 else b"n" * 32
    if mode == 5:
        wire.fixed_nonce(nonce)
    answer = response(wire, KEY, nonce)
    assert check(wire, mode, KEY_SLOT, answer) == OK
    assert check(wire, mode, KEY_SLOT, answer) == EXECUTION


@pytest.mark.covers("CheckMac", "TempKey, challenge")
def test_checkmac_takes_the_key_from_tempkey(wire):
    wire.fixed_nonce(b"n" * 32)
    assert check(wire, 0x06, 0, response(wire, b"n" * 32, CHALLENGE), CHALLENGE) == OK


@pytest.mark.covers("CheckMac", "TempKey, TempKey")
def test_checkmac_takes_both_from_tempkey(wire):
    wire.fixed_nonce(b"n" * 32)
    assert check(wire, 0x07, 0, response(wire, b"n" * 32, b"n" * 32)) == OK


def test_a_key_for_checking_only_is_checked(wire):
    assert check(wire, 0x00, NO_MAC_SLOT, response(wire, KEY, CHALLENGE), CHALLENGE) == OK


def test_a_mac_of_one_chip_is_checked_by_another(wire):
    other = bytes((0x08, 0x40, KEY_SLOT, 0)) + bytes(3)
    serial = wire.chip.serial_number
    other += serial[4:8] + serial[2:4]
    answer = wire.call(0x08, 0x40, KEY_SLOT, CHALLENGE)
    assert wire.call(0x28, 0x00, KEY_SLOT, CHALLENGE + answer + other) == OK


@pytest.mark.parametrize(("mode", "slot", "size"), [(0x08, 8, 77), (0x40, 8, 77), (0, 16, 77), (0, 8, 76)])
def test_checkmac_checks_its_form(wire, mode, slot, size):
    assert wire.call(0x28, mode, slot, bytes(size)) == PARSE


@pytest.mark.covers("CheckMac", "copy to TempKey")
@pytest.mark.parametrize(("slot", "target"), [(8, 9), (11, 11)])
def test_a_success_over_tempkey_copies_the_target_whose_read_key_is_0(personalised, slot, target):
    slots = {8: (0x8F8F, 0x001C), 9: (0x8F80, 0x001C), 11: (0x8F80, 0x001C)}
    wire = personalised(slots, {8: KEY, 9: b"t" * 32, 11: b"t" * 32})
    key = wire.chip.eeprom.slots[slot][:32]
    wire.fixed_nonce(b"n" * 32)
    assert check(wire, 0x05, slot, response(wire, key, b"n" * 32)) == OK
    copied = wire.chip.eeprom.slots[target][:32]
    assert (wire.chip.volatile.temp_key_valid, wire.chip.volatile.source_flag) == (True, 1)
    assert wire.call(0x08, 0x06, 0, CHALLENGE) == mac_of(wire, 0x06, 0, copied, CHALLENGE)


def test_a_target_with_another_read_key_is_not_copied(wire):
    wire.fixed_nonce(b"n" * 32)
    assert check(wire, 0x05, KEY_SLOT, response(wire, KEY, b"n" * 32)) == OK
    assert not wire.chip.volatile.temp_key_valid
