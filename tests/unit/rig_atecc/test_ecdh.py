"""ECDH and GenKey into TempKey: where the shared secret may go."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

OK, PARSE, EXECUTION = b"\x00", b"\x03", b"\x0f"
FREE, NEXT, SIGNER, OPEN_SLOT, IO_SLOT = 0, 2, 4, 8, 6
IO_KEY = b"i" * 32
SLOTS = {
    FREE: (0x2084, 0x0033),
    NEXT: (0x208C, 0x0033),
    3: (0x448F, 0x001C),
    SIGNER: (0x2081, 0x0033),
    OPEN_SLOT: (0x0F0F, 0x003C),
    IO_SLOT: (0x8F9F, 0x001C),
}
OPTIONS = {90: 0x02, 91: IO_SLOT << 4}


@pytest.fixture
def peer():
    return ec.derive_private_key(0xBEEF, ec.SECP256R1())


def public(key):
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def agreed(peer, scalar):
    return peer.exchange(ec.ECDH(), ec.derive_private_key(scalar, ec.SECP256R1()).public_key())


@pytest.fixture
def make(personalised):
    def make_with(**config):
        config = {**OPTIONS, **config.get("config", {})}
        return personalised(SLOTS, {IO_SLOT: IO_KEY}, scalars={FREE: 7, NEXT: 9, SIGNER: 11}, config=config)

    return make_with


@pytest.fixture
def wire(make):
    return make()


def unmask(answer):
    cipher, nonce = answer[:32], answer[32:]
    mask = hashlib.sha256(IO_KEY + nonce[:16]).digest()
    return bytes(a ^ b for a, b in zip(cipher, mask, strict=True))


@pytest.mark.covers("ECDH", "slot key, as configured")
@pytest.mark.covers("ECDH", "slot key, output clear")
@pytest.mark.parametrize("mode", [0x00, 0x0C])
def test_the_secret_goes_out_in_clear(wire, peer, mode):
    assert wire.call(0x43, mode, FREE, public(peer)) == agreed(peer, 7)


@pytest.mark.covers("ECDH", "slot key, to next slot")
@pytest.mark.parametrize("mode", [0x00, 0x04])
def test_slot_config_bit_3_sends_it_to_the_next_slot(wire, peer, mode):
    assert wire.call(0x43, mode, NEXT, public(peer)) == OK
    assert wire.chip.eeprom.slots[3][:32] == agreed(peer, 9)


@pytest.mark.parametrize("mode", [0x08, 0x0C, 0x0E])
def test_and_nowhere_else(wire, peer, mode):
    assert wire.call(0x43, mode, NEXT, public(peer)) == EXECUTION


def test_a_locked_next_slot_is_not_overwritten(wire, peer):
    wire.chip.unsafe_load(
        type(wire.chip.eeprom)(
            wire.chip.eeprom.config[:88] + b"\xf7\xff" + wire.chip.eeprom.config[90:],
            wire.chip.eeprom.otp,
            wire.chip.eeprom.slots,
        )
    )
    wire.wake()
    assert wire.call(0x43, 0x00, NEXT, public(peer)) == EXECUTION


def test_without_bit_3_no_slot_is_written(wire, peer):
    assert wire.call(0x43, 0x04, FREE, public(peer)) == EXECUTION


@pytest.mark.covers("ECDH", "slot key, to TempKey")
def test_the_secret_stays_in_tempkey(wire, peer):
    assert wire.call(0x43, 0x08, FREE, public(peer)) == OK
    assert (wire.chip.volatile.temp_key_valid, wire.chip.volatile.source_flag) == (True, 1)
    hashed = hashlib.sha256(agreed(peer, 7) + bytes(20) + b"\x16\0\0").digest()
    assert wire.call(0x16, 0, 0x8000, bytes(20)) == hashed


@pytest.mark.covers("ECDH", "slot key, output encrypted")
def test_the_secret_goes_out_under_the_io_protection_key(wire, peer):
    assert unmask(wire.call(0x43, 0x0E, FREE, public(peer))) == agreed(peer, 7)


def test_encryption_needs_the_io_protection_key_to_be_enabled(make, peer):
    wire = make(config={90: 0})
    assert wire.call(0x43, 0x0E, FREE, public(peer)) == EXECUTION


def test_protection_1_encrypts_what_was_asked_for_in_clear(make, peer):
    wire = make(config={91: IO_SLOT << 4 | 1})
    assert unmask(wire.call(0x43, 0x0C, FREE, public(peer))) == agreed(peer, 7)


@pytest.mark.parametrize("protection", [2, 3])
def test_protection_above_lets_nothing_out(make, peer, protection):
    wire = make(config={91: IO_SLOT << 4 | protection})
    assert wire.call(0x43, 0x0C, FREE, public(peer)) == EXECUTION
    assert wire.call(0x43, 0x0E, FREE, public(peer)) == EXECUTION
    assert wire.call(0x43, 0x08, FREE, public(peer)) == OK


def test_slot_config_bit_2_allows_it(wire, peer):
    assert wire.call(0x43, 0x0C, SIGNER, public(peer)) == EXECUTION


def test_a_point_off_the_curve_is_0f(wire):
    assert wire.call(0x43, 0x0C, FREE, bytes(64)) == EXECUTION


def test_ecdh_waits_for_the_data_lock(personalised, peer):
    wire = personalised(SLOTS, scalars={FREE: 7}, locked=False)
    assert wire.call(0x43, 0x0C, FREE, public(peer)) == EXECUTION


@pytest.mark.parametrize(
    ("mode", "slot", "size"), [(0x10, 0, 64), (0x0C, 16, 64), (0x0C, 0, 63), (0x0A, 0, 64), (0x01, 0, 64)]
)
def test_ecdh_checks_its_form(wire, mode, slot, size):
    assert wire.call(0x43, mode, slot, bytes(size)) == PARSE


def ephemeral(wire):
    """GenKey into TempKey; return the public key object."""
    answer = wire.call(0x40, 0x04, 0xFFFF)
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + answer)


@pytest.mark.covers("GenKey", "create in TempKey")
@pytest.mark.covers("ECDH", "TempKey, output clear")
def test_an_ephemeral_key_serves_one_ecdh(wire, peer):
    expected = peer.exchange(ec.ECDH(), ephemeral(wire))
    assert wire.call(0x43, 0x0D, 0, public(peer)) == expected
    assert wire.call(0x43, 0x0D, 0, public(peer)) == EXECUTION


@pytest.mark.covers("ECDH", "TempKey, output encrypted")
def test_an_ephemeral_keys_secret_goes_out_encrypted(wire, peer):
    expected = peer.exchange(ec.ECDH(), ephemeral(wire))
    assert unmask(wire.call(0x43, 0x0F, 0, public(peer))) == expected


@pytest.mark.covers("ECDH", "TempKey, to TempKey")
def test_an_ephemeral_keys_secret_takes_its_place(wire, peer):
    expected = peer.exchange(ec.ECDH(), ephemeral(wire))
    assert wire.call(0x43, 0x09, 0, public(peer)) == OK
    hashed = hashlib.sha256(expected + bytes(20) + b"\x16\0\0").digest()
    assert wire.call(0x16, 0, 0x8000, bytes(20)) == hashed


@pytest.mark.covers("ECDH", "TempKey, to slot")
def test_an_ephemeral_keys_secret_goes_only_where_anybody_may_write(wire, peer):
    expected = peer.exchange(ec.ECDH(), ephemeral(wire))
    assert wire.call(0x43, 0x05, 3, public(peer)) == EXECUTION
    assert wire.call(0x43, 0x05, OPEN_SLOT, public(peer)) == OK
    assert wire.chip.eeprom.slots[OPEN_SLOT][:32] == expected


def test_a_nonce_is_no_private_key(wire, peer):
    wire.random_nonce()
    assert wire.call(0x43, 0x0D, 0, public(peer)) == EXECUTION


@pytest.mark.parametrize(
    ("opcode", "param1", "param2", "data"),
    [
        (0x16, 0x00, 0x8000, bytes(20)),
        (0x41, 0x80, SIGNER, b""),
        (0x08, 0x02, 0, bytes(32)),
        (0x15, 0x00, 0, b""),
        (0x51, 0x00, 0xFFFF, bytes(16)),
        (0x47, 0x04, 0xFFFF, b""),
        (0x56, 0x10, 0, b"\x01\0\0\x10" + bytes(16)),
        (0x40, 0x08, SIGNER, b""),
    ],
)
def test_an_ephemeral_private_key_serves_nothing_but_ecdh(wire, opcode, param1, param2, data):
    ephemeral(wire)
    assert wire.call(opcode, param1, param2, data) == EXECUTION


@pytest.mark.parametrize(("mode", "size"), [(0x00, 0), (0x0C, 0), (0x04, 2)])
def test_only_mode_04_makes_a_key_in_tempkey(wire, mode, size):
    assert wire.call(0x40, mode, 0xFFFF, bytes(size)) == PARSE


def test_the_three_zeros_of_the_variant_page_are_accepted(wire):
    assert len(wire.call(0x40, 0x04, 0xFFFF, bytes(3))) == 64
