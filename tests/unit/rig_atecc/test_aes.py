"""AES: one block under a key that stays inside, and GCM's field product."""

import pytest

OK, PARSE, EXECUTION = b"\x00", b"\x03", b"\x0f"
AES_SLOT, DATA_SLOT = 9, 8
# FIPS 197, appendix C.1, and SP 800-38A, F.1.1, block 1.
KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
PLAIN = bytes.fromhex("00112233445566778899aabbccddeeff")
CIPHER = bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a")
OTHER_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
OTHER_PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
OTHER_CIPHER = bytes.fromhex("3ad77bb40d7a3660a89ecaf32466ef97")


@pytest.fixture
def wire(personalised):
    slots = {AES_SLOT: (0x8F8F, 0x0018), DATA_SLOT: (0x8F8F, 0x001C)}
    return personalised(slots, {AES_SLOT: KEY + OTHER_KEY, DATA_SLOT: KEY})


@pytest.mark.covers("AES", "ECB encrypt, slot key")
def test_a_block_is_encrypted_under_a_slots_key(wire):
    assert wire.call(0x51, 0x00, AES_SLOT, PLAIN) == CIPHER


@pytest.mark.covers("AES", "ECB decrypt, slot key")
def test_a_block_is_decrypted_under_a_slots_key(wire):
    assert wire.call(0x51, 0x01, AES_SLOT, CIPHER) == PLAIN


def test_mode_bits_6_and_7_choose_the_key_within_the_slot(wire):
    assert wire.call(0x51, 0x40, AES_SLOT, OTHER_PLAIN) == OTHER_CIPHER
    assert wire.call(0x51, 0x41, AES_SLOT, OTHER_CIPHER) == OTHER_PLAIN


def test_a_key_beyond_the_end_of_the_slot_is_refused(personalised):
    wire = personalised({3: (0x8F8F, 0x0018)})
    assert len(wire.call(0x51, 0x40, 3, PLAIN)) == 16
    assert wire.call(0x51, 0x80, 3, PLAIN) == EXECUTION


@pytest.mark.covers("AES", "ECB encrypt, TempKey")
@pytest.mark.covers("AES", "ECB decrypt, TempKey")
def test_tempkey_is_a_key_that_stays(wire):
    assert wire.call(0x51, 0x00, 0xFFFF, PLAIN) == EXECUTION
    wire.fixed_nonce(KEY + OTHER_KEY)
    assert wire.call(0x51, 0x00, 0xFFFF, PLAIN) == CIPHER
    assert wire.call(0x51, 0x41, 0xFFFF, OTHER_CIPHER) == OTHER_PLAIN
    assert wire.call(0x51, 0x80, 0xFFFF, PLAIN) == EXECUTION
    assert wire.chip.volatile.temp_key_valid


@pytest.mark.covers("AES", "GFM")
def test_gfm_is_the_product_of_gcms_field(wire):
    # The GCM specification's test case 2: X1 = C1 * H.
    subkey = bytes.fromhex("66e94bd4ef8a2c3b884cfa59ca342b2e")
    block = bytes.fromhex("0388dace60b6a392f328c2b971b2fe78")
    assert wire.call(0x51, 0x03, 0, subkey + block) == bytes.fromhex("5e2ec746917062882c85b0685353deb7")


def test_the_slot_must_hold_an_aes_key(wire):
    assert wire.call(0x51, 0x00, DATA_SLOT, PLAIN) == EXECUTION


def test_nothing_works_while_aes_is_not_enabled(personalised):
    wire = personalised({AES_SLOT: (0x8F8F, 0x0018)}, {AES_SLOT: KEY}, config={13: 0})
    assert wire.call(0x51, 0x00, AES_SLOT, PLAIN) == EXECUTION
    assert wire.call(0x51, 0x03, 0, bytes(32)) == EXECUTION


def test_a_slots_key_waits_for_the_data_lock(personalised):
    wire = personalised({AES_SLOT: (0x8F8F, 0x0018)}, {AES_SLOT: KEY}, locked=False)
    assert wire.call(0x51, 0x00, AES_SLOT, PLAIN) == EXECUTION


@pytest.mark.parametrize(
    ("mode", "key", "size"), [(0x02, 9, 16), (0x08, 9, 16), (0x00, 16, 16), (0x00, 9, 15), (0x03, 0, 16)]
)
def test_aes_checks_its_form(wire, mode, key, size):
    assert wire.call(0x51, mode, key, bytes(size)) == PARSE
