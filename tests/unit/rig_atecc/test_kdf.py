"""KDF: PRF, AES and HKDF, from and to every place."""

import hashlib
import hmac
import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

OK, PARSE, EXECUTION = b"\x00", b"\x03", b"\x0f"
SOURCE, AES_SOURCE, TARGET, CLOSED, NO_MAC, IO_SLOT = 8, 9, 10, 11, 12, 6
IO_KEY = b"i" * 32
LONG_KEY = bytes(range(64))
CONFIG = {90: 0x06, 91: IO_SLOT << 4, 72: 9, 73: 0x69, 74: 0x76}
# The vendor's own test of the command: key, message and what its chip answered.
PUBLISHED_KEY = bytes(range(16)) * 2
PUBLISHED_MESSAGE = bytes(range(16))
PUBLISHED_PRF = bytes.fromhex(
    "1ebcbe62005ab948fdffe1c402aaba354ec676050c9bc1aae1ff5b1509a4a04a"
    "44254664c2a480f5b77ea2d1020c7ba4b3640c4ac793324c26d6fddfdb1f011a"
)
PUBLISHED_AES = bytes.fromhex("0a940bb5416ef045f1c39458c653ea5a") + bytes(16)
PRF, AES, HKDF = 0x00, 0x20, 0x40
TEMPKEY, UPPER, SLOT, ALTERNATE = range(4)
TO_TEMPKEY, TO_UPPER, TO_SLOT, TO_ALTERNATE, TO_OUTPUT, TO_ENCRYPTED = (place << 2 for place in range(6))
IN_SLOT, IN_TEMPKEY, IN_COMMAND, IV, ZERO_KEY = 0, 1, 2, 3, 4


@pytest.fixture
def make(personalised):
    slots = {
        SOURCE: (0x8F8F, 0x001C),
        AES_SOURCE: (0x8F8F, 0x0018),
        TARGET: (0x8F8F, 0x003E),
        CLOSED: (0x0F0F, 0x001C),
        NO_MAC: (0x8F9F, 0x001C),
        IO_SLOT: (0x8F9F, 0x001C),
    }
    contents = {SOURCE: LONG_KEY, AES_SOURCE: LONG_KEY, IO_SLOT: IO_KEY}

    def make_with(config=None):
        return personalised(slots, contents, config={**CONFIG, **(config or {})})

    return make_with


@pytest.fixture
def wire(make):
    return make()


def kdf(wire, mode, slots=0, details=0, message=b"", *, length=None):
    size = len(message) if length is None else length
    return wire.call(0x56, mode, slots, struct.pack("<L", details | size << 24) + message)


def p_sha256(secret, seed, size):
    output, link = b"", seed
    while len(output) < size:
        link = hmac.digest(secret, link, "sha256")
        output += hmac.digest(secret, link + seed, "sha256")
    return output[:size]


def unmask(answer, size):
    nonce = answer[size:]
    mask = hashlib.sha256(IO_KEY + nonce[:16]).digest() + hashlib.sha256(IO_KEY + nonce[16:]).digest()
    return bytes(a ^ b for a, b in zip(answer[:size], mask, strict=False))


def ecb(key, block):
    return Cipher(algorithms.AES128(key), modes.ECB()).encryptor().update(block)  # noqa: S305


@pytest.mark.covers("KDF", "PRF 64 bytes")
@pytest.mark.covers("KDF", "from TempKey")
@pytest.mark.covers("KDF", "to output")
def test_prf_answers_what_the_vendors_test_expects_and_keeps_tempkey(wire):
    wire.fixed_nonce(PUBLISHED_KEY)
    for _ in range(2):
        assert kdf(wire, PRF | TO_OUTPUT, 0x1234, 0x101, PUBLISHED_MESSAGE) == PUBLISHED_PRF


@pytest.mark.covers("KDF", "PRF 32 bytes")
def test_prf_is_that_of_tls_1_2(wire):
    # Published for P_SHA256 by the IETF's TLS working group: 16-byte secret, label "test label" and seed.
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = b"test label" + bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    wire.fixed_nonce(secret + bytes(16))
    expected = bytes.fromhex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")
    assert kdf(wire, PRF | TO_OUTPUT, 0, 0x000, seed) == expected


@pytest.mark.covers("KDF", "from slot")
@pytest.mark.parametrize("blocks", [0, 1, 2, 3])
def test_prf_takes_16_to_64_bytes_of_a_slot(wire, blocks):
    expected = p_sha256(LONG_KEY[: 16 * blocks + 16], b"seed", 32)
    assert kdf(wire, PRF | SLOT | TO_OUTPUT, SOURCE, blocks, b"seed") == expected


@pytest.mark.covers("KDF", "from upper TempKey")
def test_the_upper_half_of_tempkey_is_a_key(wire):
    assert wire.call(0x16, 0x23, 0, LONG_KEY) == OK
    assert kdf(wire, PRF | UPPER | TO_OUTPUT, 0, 1, b"seed") == p_sha256(LONG_KEY[32:], b"seed", 32)
    assert kdf(wire, PRF | UPPER | TO_OUTPUT, 0, 2, b"seed") == EXECUTION


@pytest.mark.covers("KDF", "from alternate key")
def test_the_alternate_key_is_a_key(wire):
    assert kdf(wire, PRF | ALTERNATE | TO_OUTPUT, 0, 1, b"seed") == EXECUTION
    assert wire.call(0x16, 0x83, 0, b"a" * 32) == OK
    assert kdf(wire, PRF | ALTERNATE | TO_OUTPUT, 0, 1, b"seed") == p_sha256(b"a" * 32, b"seed", 32)


def shown(wire, source):
    """Learn a key inside: HMAC under it, of nothing in particular."""
    return kdf(wire, HKDF | source | TO_OUTPUT, 0, IN_COMMAND, b"learn")


@pytest.mark.covers("KDF", "to TempKey")
def test_a_result_stays_in_tempkey(wire):
    assert kdf(wire, PRF | SLOT | TO_TEMPKEY, SOURCE, 0x101, b"seed") == OK
    result = p_sha256(LONG_KEY[:32], b"seed", 64)
    assert wire.chip.volatile.temp_key_length == 64
    assert wire.chip.volatile.source_flag == 1
    assert shown(wire, TEMPKEY) == hmac.digest(result[:32], b"learn", "sha256")
    assert shown(wire, UPPER) == hmac.digest(result[32:], b"learn", "sha256")


@pytest.mark.covers("KDF", "to upper TempKey")
def test_a_result_stays_in_the_upper_half_of_a_tempkey_that_is_there(wire):
    assert kdf(wire, PRF | SLOT | TO_UPPER, SOURCE, 1, b"seed") == EXECUTION
    wire.fixed_nonce(b"n" * 32)
    assert kdf(wire, PRF | SLOT | TO_UPPER, SOURCE, 1, b"seed") == OK
    assert shown(wire, TEMPKEY) == hmac.digest(b"n" * 32, b"learn", "sha256")
    expected = p_sha256(LONG_KEY[:32], b"seed", 32)
    assert shown(wire, UPPER) == hmac.digest(expected, b"learn", "sha256")


@pytest.mark.covers("KDF", "to alternate key")
def test_a_result_becomes_the_alternate_key(wire):
    assert kdf(wire, PRF | SLOT | TO_ALTERNATE, SOURCE, 1, b"seed") == OK
    expected = p_sha256(LONG_KEY[:32], b"seed", 32)
    assert shown(wire, ALTERNATE) == hmac.digest(expected, b"learn", "sha256")


@pytest.mark.covers("KDF", "to slot")
def test_a_result_goes_into_a_slot_that_pub_info_opens_to_kdf(wire):
    assert kdf(wire, PRF | SLOT | TO_SLOT, TARGET << 8 | SOURCE, 0x101, b"seed") == OK
    assert wire.chip.eeprom.slots[TARGET][:64] == p_sha256(LONG_KEY[:32], b"seed", 64)
    assert kdf(wire, PRF | SLOT | TO_SLOT, CLOSED << 8 | SOURCE, 1, b"seed") == EXECUTION
    assert wire.call(0x17, TARGET << 2 | 2) == OK
    assert kdf(wire, PRF | SLOT | TO_SLOT, TARGET << 8 | SOURCE, 1, b"seed") == EXECUTION


@pytest.mark.covers("KDF", "to output encrypted")
@pytest.mark.parametrize(("details", "size"), [(0x001, 32), (0x101, 64)])
def test_a_result_goes_out_under_the_io_protection_key(wire, details, size):
    answer = kdf(wire, PRF | SLOT | TO_ENCRYPTED, SOURCE, details, b"seed")
    assert len(answer) == size + 32
    assert unmask(answer, size) == p_sha256(LONG_KEY[:32], b"seed", size)


@pytest.mark.covers("KDF", "PRF AEAD")
def test_aead_keeps_one_half_and_answers_the_other(wire):
    result = p_sha256(LONG_KEY[:32], b"seed", 64)
    assert kdf(wire, PRF | SLOT | TO_TEMPKEY, SOURCE, 0x301, b"seed") == result[32:]
    assert wire.chip.volatile.temp_key_length == 32
    assert shown(wire, TEMPKEY) == hmac.digest(result[:32], b"learn", "sha256")


def test_protection_1_encrypts_and_above_lets_nothing_out(make):
    wire = make({91: IO_SLOT << 4 | 0x04})
    assert unmask(kdf(wire, PRF | SLOT | TO_OUTPUT, SOURCE, 1, b"seed"), 32) == p_sha256(
        LONG_KEY[:32], b"seed", 32
    )
    wire = make({91: IO_SLOT << 4 | 0x08})
    assert kdf(wire, PRF | SLOT | TO_OUTPUT, SOURCE, 1, b"seed") == EXECUTION
    assert kdf(wire, PRF | SLOT | TO_TEMPKEY, SOURCE, 0x301, b"seed") == EXECUTION
    assert not wire.chip.volatile.temp_key_valid


@pytest.mark.covers("KDF", "AES")
def test_aes_answers_what_the_vendors_test_expects(wire):
    wire.fixed_nonce(PUBLISHED_KEY)
    assert kdf(wire, AES | TO_OUTPUT, 0x1234, 0, PUBLISHED_MESSAGE, length=0) == PUBLISHED_AES


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_aes_takes_the_key_from_the_place_that_details_name(wire, place):
    expected = ecb(LONG_KEY[16 * place : 16 * place + 16], bytes(16)) + bytes(16)
    assert kdf(wire, AES | SLOT | TO_OUTPUT, AES_SOURCE, place, bytes(16), length=0) == expected


def test_aes_needs_an_aes_key_and_both_options(make, wire):
    assert kdf(wire, AES | SLOT | TO_OUTPUT, SOURCE, 0, bytes(16), length=0) == EXECUTION
    for option in ({13: 0}, {90: 0x02}):
        wire = make(option)
        assert kdf(wire, AES | SLOT | TO_OUTPUT, AES_SOURCE, 0, bytes(16), length=0) == EXECUTION


@pytest.mark.covers("KDF", "HKDF")
def test_hkdf_expands_as_rfc_5869_has_it(wire):
    # Test case 1: the pseudorandom key into the key, info and the counter 01 into the message.
    wire.fixed_nonce(bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"))
    message = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9") + b"\x01"
    expected = bytes.fromhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
    assert kdf(wire, HKDF | TO_OUTPUT, 0, IN_COMMAND, message) == expected


@pytest.mark.covers("KDF", "HKDF zero key")
def test_hkdf_extracts_with_a_key_of_zeros_as_rfc_5869_has_it(wire):
    # Test case 3: no salt.
    expected = bytes.fromhex("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04")
    assert kdf(wire, HKDF | TO_OUTPUT, 0, IN_COMMAND | ZERO_KEY, b"\x0b" * 22) == expected


@pytest.mark.covers("KDF", "HKDF message in slot")
def test_hkdf_takes_the_message_from_a_slot(wire):
    wire.fixed_nonce(b"n" * 32)
    expected = hmac.digest(b"n" * 32, LONG_KEY[:32], "sha256")
    assert kdf(wire, HKDF | TO_OUTPUT, 0, IN_SLOT | SOURCE << 8, length=32) == expected


@pytest.mark.covers("KDF", "HKDF message in TempKey")
def test_hkdf_takes_the_message_from_tempkey(wire):
    assert wire.call(0x16, 0x23, 0, LONG_KEY) == OK
    for size in (32, 64):
        expected = hmac.digest(bytes(32), LONG_KEY[:size], "sha256")
        assert kdf(wire, HKDF | TO_OUTPUT, 0, IN_TEMPKEY | ZERO_KEY, length=size) == expected


@pytest.mark.parametrize(
    ("location", "length"), [(IN_SLOT, 1), (IN_SLOT, 33), (IN_TEMPKEY, 1), (IN_TEMPKEY, 33)]
)
def test_hkdf_gives_no_secret_away_byte_by_byte(wire, location, length):
    wire.fixed_nonce(bytes(32))
    details = location | ZERO_KEY | (SOURCE << 8 if location == IN_SLOT else 0)
    assert kdf(wire, HKDF | TO_OUTPUT, 0, details, length=length) == PARSE


@pytest.mark.covers("KDF", "HKDF initialisation vector")
def test_an_initialisation_vector_goes_out_in_clear_where_its_label_is_right(make):
    wire = make({91: IO_SLOT << 4 | 0x08})
    label = b"\x00\x0c\x08tls13 iv\x00\x01"
    expected = hmac.digest(LONG_KEY[:32], label, "sha256")
    assert kdf(wire, HKDF | SLOT | TO_OUTPUT, SOURCE, IV, label) == expected
    wrong = label.replace(b"iv", b"ky")
    assert kdf(wire, HKDF | SLOT | TO_OUTPUT, SOURCE, IV, wrong) == EXECUTION


def test_without_a_label_in_the_configuration_there_is_no_initialisation_vector(make):
    wire = make({73: 0, 74: 0})
    assert kdf(wire, HKDF | SLOT | TO_OUTPUT, SOURCE, IV, bytes(32)) == EXECUTION


def test_a_key_for_checking_only_derives_nothing(wire):
    assert kdf(wire, PRF | SLOT | TO_OUTPUT, NO_MAC, 1, b"seed") == EXECUTION


def test_kdf_waits_for_the_data_lock(personalised):
    wire = personalised({SOURCE: (0x8F8F, 0x001C)}, locked=False)
    assert kdf(wire, PRF | SLOT | TO_OUTPUT, SOURCE, 1, b"seed") == EXECUTION


@pytest.mark.parametrize(
    ("mode", "slots", "data"),
    [
        (0x80, 0, b"\1\0\0\0"),
        (0x60, 0, b"\1\0\0\0"),
        (0x18, 0, b"\1\0\0\0"),
        (0x12, 16, b"\1\0\0\0"),
        (0x08, 0x1000, b"\1\0\0\0"),
        (0x10, 0, b"\1\0\0"),
        (0x10, 0, b"\1\0\0\5seed"),
        (0x10, 0, b"\1\4\0\4seed"),
        (0x10, 0, b"\1\3\0\4seed"),
        (0x00, 0, b"\1\2\0\4seed"),
        (0x04, 0, b"\1\1\0\4seed"),
        (0x0C, 0, b"\1\1\0\4seed"),
        (0x30, 0, b"\0\0\0\0" + bytes(15)),
        (0x30, 0, b"\4\0\0\0" + bytes(16)),
        (0x50, 0, b"\2\1\0\4seed"),
        (0x10, 0, b"\1\0\0\x81" + bytes(129)),
    ],
)
def test_kdf_checks_its_form(wire, mode, slots, data):
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x56, mode, slots, data) == PARSE
