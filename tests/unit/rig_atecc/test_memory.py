"""Info, Random, Read, Write and Lock: who may see and change what, and when."""

import hashlib

import pytest

OK, PARSE, EXECUTION = b"\x00", b"\x03", b"\x0f"


@pytest.mark.covers("Read", "config")
def test_a_blank_chip_has_the_published_default_configuration(wire):
    config = wire.read_config()
    assert config[:4] + config[8:13] == wire.chip.serial_number
    assert config[4:8] == bytes.fromhex("00006003")
    assert config[16:52] == bytes.fromhex(
        "C0000000 83208720 8F20C48F 8F8F8F8F 9F8FAF8F 00000000 00000000 00000000 0000AF8F"
    )
    assert config[52:68] == bytes.fromhex("FFFFFFFF00000000") * 2
    assert config[84:90] == bytes.fromhex("00005555FFFF")
    assert config[96:128] == bytes.fromhex("330033003300" + "1C00" * 5 + "3C00" * 7 + "1C00")


@pytest.mark.covers("Random", "seed update")
def test_random_is_ffff0000_until_the_configuration_is_locked(wire):
    assert wire.call(0x1B) == bytes.fromhex("FFFF0000") * 8
    wire.lock_config()
    first, second = wire.call(0x1B), wire.call(0x1B)
    assert len(first) == 32
    assert first != second


@pytest.mark.covers("Random", "no seed update")
def test_random_leaves_tempkey_alone_and_gives_the_generators_bytes(make_wire):
    wire = make_wire(random=lambda size: bytes(range(size)))
    wire.personalise()
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x1B, 0x01) == bytes(range(32))
    assert wire.chip.volatile.source_flag == 1


@pytest.mark.parametrize("word", [0, 1, 2, 3, 21])
def test_these_configuration_words_are_never_written(wire, word):
    assert wire.call(0x12, 0, word, b"\0\0\0\0") == EXECUTION


@pytest.mark.parametrize("block", [0, 2])
def test_a_block_with_an_unwritable_word_is_not_written(wire, block):
    assert wire.call(0x12, 0x80, block << 3, bytes(32)) == EXECUTION


@pytest.mark.covers("Write", "config")
def test_the_other_configuration_words_are_written_until_the_lock(wire):
    wanted = wire.profile_config(wire.read_config())
    wire.write_config(wanted)
    assert wire.read_config() == wanted
    assert wire.call(0x12, 0x80, 3 << 3, wanted[96:128]) == OK
    wire.call(0x17, 0, wire.crc16(wanted))
    assert wire.call(0x12, 0, 5, b"\0\0\0\0") == EXECUTION
    assert wire.read_config()[:87] == wanted[:87]


@pytest.mark.covers("Lock", "config")
def test_the_configuration_is_locked_only_with_its_crc(wire):
    crc = wire.crc16(wire.read_config())
    assert wire.call(0x17, 0, crc ^ 1) == EXECUTION
    assert wire.read_config()[87] == 0x55
    assert wire.call(0x17, 0, crc) == OK
    assert wire.read_config()[87] == 0x00
    assert wire.call(0x17, 0x80) == EXECUTION


@pytest.mark.covers("Lock", "without CRC")
def test_bit_7_locks_without_a_crc(wire):
    assert wire.call(0x17, 0x80) == OK
    assert wire.call(0x17, 0x81) == OK
    assert wire.read_config()[86:88] == b"\0\0"


def test_the_data_zone_is_not_locked_before_the_configuration(wire):
    assert wire.call(0x17, 0x81) == EXECUTION


@pytest.mark.covers("Lock", "data")
def test_the_data_crc_leaves_private_keys_out_and_ends_with_otp(make_wire):
    # lock_data() computes the CRC by that rule; a key in a private slot must not change it.
    wire = make_wire()
    wire.wake()
    wire.lock_config()
    assert len(wire.call(0x40, 0x04, 0)) == 64
    wire.lock_data()
    assert wire.read_config()[86] == 0


@pytest.mark.parametrize("mode", [0x40, 0x03, 0x83, 0x04, 0x05])
def test_lock_refuses_other_modes(wire, mode):
    assert wire.call(0x17, mode) == PARSE


def test_data_and_otp_are_neither_read_nor_written_before_the_configuration_lock(wire):
    address = wire.zone_address(8, 0)
    assert wire.call(0x02, 0x82, address) == EXECUTION
    assert wire.call(0x12, 0x82, address, bytes(32)) == EXECUTION
    assert wire.call(0x02, 0x81, 0) == EXECUTION
    assert wire.call(0x12, 0x81, 0, bytes(32)) == EXECUTION


@pytest.mark.covers("Write", "OTP")
def test_data_is_written_in_blocks_but_not_read_between_the_locks(wire):
    wire.lock_config()
    address = wire.zone_address(8, 0)
    assert wire.call(0x12, 0x82, address, bytes(32)) == OK
    assert wire.call(0x12, 0x02, address, bytes(4)) == EXECUTION
    assert wire.call(0x02, 0x82, address) == EXECUTION
    assert wire.call(0x12, 0x81, 0, bytes(32)) == OK
    assert wire.call(0x02, 0x81, 0) == EXECUTION


@pytest.mark.covers("Read", "OTP")
def test_otp_is_read_only_after_the_data_lock(locked):
    assert locked.call(0x02, 0x81, 0) == b"\xff" * 32
    assert locked.call(0x12, 0x81, 0, bytes(32)) == EXECUTION


@pytest.mark.covers("Read", "data, clear")
def test_clear_slots_are_read_after_the_data_lock(locked):
    assert locked.call(0x02, 0x82, locked.zone_address(8, 12)) == b"\x08" * 32
    assert locked.call(0x02, 0x02, locked.zone_address(10, 2, 1)) == b"\x0a" * 4


@pytest.mark.parametrize(
    ("zone", "slot", "block", "word"), [(0x82, 8, 13, 0), (0x82, 10, 2, 0), (0x02, 10, 2, 2), (0x02, 5, 1, 1)]
)
def test_reading_past_the_end_of_a_slot_is_a_parse_error(locked, zone, slot, block, word):
    assert locked.call(0x02, zone, locked.zone_address(slot, block, word)) == PARSE


def test_a_block_written_over_the_end_of_a_slot_is_cut(locked):
    assert locked.call(0x12, 0x82, locked.zone_address(10, 2), bytes(range(32))) == OK
    assert locked.chip.eeprom.slots[10][64:] == bytes(range(8))
    assert len(locked.chip.eeprom.slots[10]) == 72


@pytest.mark.parametrize("slot", [0, 1, 2, 6, 7, 9])
def test_keys_and_secrets_are_never_read(locked, slot):
    assert locked.call(0x02, 0x82, locked.zone_address(slot, 0)) == EXECUTION


@pytest.mark.parametrize("slot", [0, 1, 2, 3, 4])
def test_a_private_slot_is_never_written_in_clear(make_wire, slot):
    wire = make_wire()
    wire.wake()
    wire.lock_config()
    assert wire.call(0x12, 0x82, wire.zone_address(slot, 0), bytes(32)) == EXECUTION


@pytest.mark.parametrize(
    ("slot", "status"), [(5, OK), (8, OK), (11, OK), (15, OK), (13, EXECUTION), (14, EXECUTION)]
)
def test_after_the_data_lock_write_config_decides(locked, slot, status):
    assert locked.call(0x12, 0x82, locked.zone_address(slot, 0), bytes(32)) == status


@pytest.mark.covers("Write", "data, clear")
def test_single_words_of_a_clear_slot_are_written_after_the_data_lock(locked):
    assert locked.call(0x12, 0x02, locked.zone_address(8, 3, 5), b"word") == OK
    assert locked.call(0x02, 0x02, locked.zone_address(8, 3, 5)) == b"word"


def test_a_secret_slot_takes_whole_blocks_only(locked):
    assert locked.call(0x12, 0x02, locked.zone_address(6, 0, 0), b"word") == EXECUTION
    assert locked.call(0x12, 0x82, locked.zone_address(6, 0), bytes(32)) == OK


@pytest.mark.covers("Lock", "slot")
def test_a_slot_lock_needs_lockable_and_is_for_ever(locked):
    assert locked.call(0x17, 5 << 2 | 2) == OK
    assert locked.read_config()[88:90] == bytes((0xDF, 0xFF))
    assert locked.call(0x12, 0x82, locked.zone_address(5, 0), bytes(32)) == EXECUTION
    assert locked.call(0x17, 5 << 2 | 2) == EXECUTION
    assert locked.call(0x17, 2 << 2 | 2) == EXECUTION  # rotatable: not Lockable


@pytest.mark.parametrize(
    ("zone", "address", "size"),
    [(0x00, 4, 3), (0x80, 0, 4), (0x03, 0, 4), (0x04, 4, 4), (0x40, 4, 36), (0x00, 32, 4), (0xC2, 0, 32)],
)
def test_write_checks_its_form_before_anything_else(wire, zone, address, size):
    assert wire.call(0x12, zone, address, bytes(size)) == PARSE


@pytest.mark.parametrize(("zone", "address"), [(0x03, 0), (0x40, 0), (0x00, 32), (0x81, 16)])
def test_read_checks_its_form(wire, zone, address):
    assert wire.call(0x02, zone, address) == PARSE


@pytest.mark.covers("Info", "key valid")
def test_info_tells_whether_a_slot_holds_a_key(locked):
    assert locked.call(0x30, 1, 0) == bytes(4)
    locked.call(0x40, 0x04, 0)
    assert locked.call(0x30, 1, 0) == b"\x01\0\0\0"
    assert locked.call(0x30, 1, 11) == bytes(4)


@pytest.mark.parametrize(("mode", "param", "status"), [(5, 0, PARSE), (1, 16, PARSE), (3, 0, EXECUTION)])
@pytest.mark.covers("Info", "GPIO")
def test_info_refuses_what_it_does_not_know(wire, mode, param, status):
    assert wire.call(0x30, mode, param) == status


def gendig_tempkey(wire, nonce, slot, value):
    """TempKey after a random Nonce and GenDig of a data slot."""
    head = b"\x15\x02" + bytes((slot, 0)) + wire.chip.serial_number[8:9] + wire.chip.serial_number[:2]
    return hashlib.sha256(value[:32] + head + bytes(25) + nonce).digest()


def encrypted_config(wire, slots):
    """Write and lock a configuration with other slot policies."""
    config = bytearray(wire.profile_config(wire.read_config()))
    for slot, (slot_config, key_config) in slots.items():
        config[20 + 2 * slot : 22 + 2 * slot] = slot_config.to_bytes(2, "little")
        config[96 + 2 * slot : 98 + 2 * slot] = key_config.to_bytes(2, "little")
    wire.write_config(bytes(config))
    assert wire.call(0x17, 0x80) == OK


@pytest.fixture
def secret(make_wire):
    """Slot 9 is read and written encrypted under the key in slot 6."""
    wire = make_wire()
    wire.wake()
    encrypted_config(wire, {6: (0x8086, 0x001C), 9: (0x46C6, 0x001C)})
    wire.lock_data()
    wire.fresh_session()
    return wire


def open_secret(wire):
    nonce = wire.random_nonce()
    assert wire.call(0x15, 0x02, 6) == OK
    return gendig_tempkey(wire, nonce, 6, b"\x06" * 32)


@pytest.mark.covers("Read", "data, encrypted")
def test_an_encrypted_read_is_masked_with_tempkey_once(secret):
    mask = open_secret(secret)
    address = secret.zone_address(9, 0)
    assert bytes(a ^ b for a, b in zip(secret.call(0x02, 0x82, address), mask, strict=True)) == b"\x09" * 32
    assert secret.call(0x02, 0x82, address) == EXECUTION


def test_an_encrypted_read_needs_the_right_key_and_a_random_nonce(secret):
    address = secret.zone_address(9, 0)
    assert secret.call(0x02, 0x82, address) == EXECUTION
    secret.random_nonce()
    assert secret.call(0x15, 0x02, 8) == OK
    assert secret.call(0x02, 0x82, address) == EXECUTION
    secret.fixed_nonce(bytes(32))
    assert secret.call(0x15, 0x02, 6) == OK
    assert secret.call(0x02, 0x82, address) == EXECUTION


@pytest.mark.covers("Write", "data, encrypted")
def test_an_encrypted_write_needs_its_mac(secret):
    address, plain = secret.zone_address(9, 0), bytes(range(32))
    assert secret.call(0x12, 0x82, address, plain) == EXECUTION
    for damage, status in ((1, EXECUTION), (0, OK)):
        mask = open_secret(secret)
        cipher = bytes(a ^ b for a, b in zip(plain, mask, strict=True))
        serial = secret.chip.serial_number
        head = b"\x12\xc2" + address.to_bytes(2, "little") + serial[8:9] + serial[:2]
        mac = bytearray(hashlib.sha256(mask + head + bytes(25) + plain).digest())
        mac[0] ^= damage
        assert secret.call(0x12, 0xC2, address, cipher + bytes(mac)) == status
    assert secret.chip.eeprom.slots[9][:32] == plain
