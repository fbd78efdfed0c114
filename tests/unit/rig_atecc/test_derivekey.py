"""DeriveKey: SlotConfig bits 12, 13 and 15."""

import hashlib

import pytest

OK, PARSE, EXECUTION = b"\x00", b"\x03", b"\x0f"
PARENT_KEY, OLD_KEY = b"p" * 32, b"o" * 32
PARENT, ROLL, CREATE, CREATE_MAC, FIXED = 4, 8, 9, 10, 11


@pytest.fixture
def wire(personalised):
    slots = {
        PARENT: (0x8F8F, 0x001C),
        ROLL: (0x2F8F, 0x003C),
        CREATE: (0x348F, 0x001C),
        CREATE_MAC: (0xB48F, 0x001C),
        FIXED: (0x0F8F, 0x001C),
    }
    return personalised(slots, {PARENT: PARENT_KEY, ROLL: OLD_KEY, CREATE: OLD_KEY, CREATE_MAC: OLD_KEY})


def child(wire, mode, slot, source, nonce):
    return hashlib.sha256(source + wire.identified(0x1C, mode, slot) + bytes(25) + nonce).digest()


@pytest.mark.covers("DeriveKey", "roll")
def test_a_key_is_rolled(wire):
    nonce = wire.random_nonce()
    assert wire.call(0x1C, 0x00, ROLL) == OK
    slot = wire.chip.eeprom.slots[ROLL]
    assert slot[:32] == child(wire, 0, ROLL, OLD_KEY, nonce)
    assert slot[32:] == bytes((0xF8,)) * (416 - 32)
    assert wire.call(0x1C, 0x00, ROLL) == EXECUTION  # TempKey was used up


@pytest.mark.covers("DeriveKey", "create from parent")
@pytest.mark.covers("DeriveKey", "input nonce")
def test_a_key_is_made_from_its_parent(wire):
    wire.fixed_nonce(b"n" * 32)
    assert wire.call(0x1C, 0x04, CREATE) == OK
    assert wire.chip.eeprom.slots[CREATE][:32] == child(wire, 4, CREATE, PARENT_KEY, b"n" * 32)


@pytest.mark.covers("DeriveKey", "with MAC")
def test_bit_15_demands_a_mac_under_the_parent(wire):
    mac = hashlib.sha256(PARENT_KEY + wire.identified(0x1C, 0, CREATE_MAC)).digest()
    wire.random_nonce()
    assert wire.call(0x1C, 0x00, CREATE_MAC) == EXECUTION
    assert wire.call(0x1C, 0x00, CREATE_MAC, bytes(32)) == EXECUTION
    assert wire.chip.eeprom.slots[CREATE_MAC][:32] == OLD_KEY
    nonce = wire.random_nonce()
    assert wire.call(0x1C, 0x00, CREATE_MAC, mac) == OK
    assert wire.chip.eeprom.slots[CREATE_MAC][:32] == child(wire, 0, CREATE_MAC, PARENT_KEY, nonce)


def test_bit_13_allows_it(wire):
    wire.random_nonce()
    assert wire.call(0x1C, 0x00, FIXED) == EXECUTION


def test_the_mode_names_the_source_of_the_nonce(wire):
    wire.random_nonce()
    assert wire.call(0x1C, 0x04, ROLL) == EXECUTION
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x1C, 0x00, ROLL) == EXECUTION


def test_a_locked_slot_keeps_its_key(wire):
    assert wire.call(0x17, ROLL << 2 | 2) == OK
    wire.random_nonce()
    assert wire.call(0x1C, 0x00, ROLL) == EXECUTION


def test_derivekey_waits_for_the_data_lock(personalised):
    wire = personalised({ROLL: (0x2F8F, 0x001C)}, locked=False)
    wire.random_nonce()
    assert wire.call(0x1C, 0x00, ROLL) == EXECUTION


@pytest.mark.parametrize(("mode", "slot", "size"), [(0x01, 8, 0), (0x00, 16, 0), (0x00, 8, 31)])
def test_derivekey_checks_its_form(wire, mode, slot, size):
    assert wire.call(0x1C, mode, slot, bytes(size)) == PARSE
