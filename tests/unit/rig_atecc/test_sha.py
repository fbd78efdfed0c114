"""SHA: digests and HMACs in steps, their targets, and a context that leaves and returns."""

import hashlib
import hmac

import pytest
from hri.rig.atecc.sha256 import Hash
from hypothesis import given
from hypothesis import strategies as st

OK, PARSE, EXECUTION = b"\x00", b"\x03", b"\x0f"
KEY_SLOT, NO_MAC_SLOT, PUBLIC_SLOT = 8, 6, 11
KEY = b"k" * 32
PUBLIC_KEY = bytes(range(64))


@pytest.fixture
def wire(personalised):
    slots = {KEY_SLOT: (0x8F8F, 0x001C), NO_MAC_SLOT: (0x8F9F, 0x001C), PUBLIC_SLOT: (0x0F0F, 0x0010)}
    stored = bytes(4) + PUBLIC_KEY[:32] + bytes(4) + PUBLIC_KEY[32:]
    return personalised(slots, {KEY_SLOT: KEY, PUBLIC_SLOT: stored})


def update(wire, data):
    return wire.call(0x47, 0x01, len(data), data)


def end(wire, data=b"", mode=0xC2):
    return wire.call(0x47, mode, len(data), data)


@given(st.lists(st.binary(max_size=150), max_size=6), st.binary(min_size=1, max_size=64))
def test_the_engine_agrees_with_hashlib(parts, key):
    digest, mac = Hash(), Hash.hmac(key)
    for part in parts:
        digest = Hash.from_context(digest.context())
        digest.update(part)
        mac.update(part)
    assert digest.digest() == hashlib.sha256(b"".join(parts)).digest()
    assert mac.digest() == hmac.digest(key, b"".join(parts), "sha256")


@pytest.mark.covers("SHA", "start")
@pytest.mark.covers("SHA", "update")
@pytest.mark.covers("SHA", "end, output only")
def test_a_message_is_hashed_in_steps_of_any_length(wire):
    assert wire.call(0x47, 0x00) == OK
    assert update(wire, b"a" * 64) == OK
    assert update(wire, b"b") == OK
    assert update(wire, b"c" * 63) == OK
    assert end(wire, b"d" * 64) == hashlib.sha256(b"a" * 64 + b"b" + b"c" * 63 + b"d" * 64).digest()
    assert not wire.chip.volatile.temp_key_valid


def test_the_digest_of_abc_is_that_of_fips_180(wire):
    wire.call(0x47, 0x00)
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert end(wire, b"abc").hex() == expected


@pytest.mark.covers("SHA", "end, to TempKey")
def test_mode_02_leaves_the_digest_in_tempkey_as_an_input(wire):
    wire.call(0x47, 0x00)
    digest = end(wire, b"abc", 0x02)
    assert (wire.chip.volatile.temp_key_valid, wire.chip.volatile.source_flag) == (True, 1)
    hashed = hashlib.sha256(digest + bytes(20) + b"\x16\0\0").digest()
    assert wire.call(0x16, 0, 0x8000, bytes(20)) == hashed


@pytest.mark.covers("SHA", "end, to message digest buffer")
def test_mode_42_leaves_the_digest_in_the_message_digest_buffer(wire):
    wire.call(0x47, 0x00)
    assert end(wire, b"abc", 0x42) == hashlib.sha256(b"abc").digest()
    assert wire.chip.volatile.message_digest_length == 32
    assert not wire.chip.volatile.temp_key_valid


def test_other_commands_may_come_between(wire):
    wire.call(0x47, 0x00)
    update(wire, b"a")
    wire.random_nonce()
    assert wire.call(0x30) == bytes.fromhex("00006003")
    assert end(wire) == hashlib.sha256(b"a").digest()


def test_a_context_lives_through_idle_and_dies_in_sleep(wire):
    wire.call(0x47, 0x00)
    wire.word(2)
    wire.wake()
    assert wire.chip.volatile.sha_context == 1
    assert update(wire, b"a") == OK
    wire.fresh_session()
    assert wire.chip.volatile.sha_context == 0
    assert update(wire, b"a") == EXECUTION
    assert end(wire) == EXECUTION


def test_an_end_ends_it_and_an_error_does_not(wire):
    wire.call(0x47, 0x00)
    assert update(wire, b"") == PARSE
    assert end(wire, b"x") == hashlib.sha256(b"x").digest()
    assert end(wire) == EXECUTION


@pytest.mark.covers("SHA", "HMAC start, slot")
@pytest.mark.covers("SHA", "HMAC end")
@pytest.mark.parametrize("mode", [0x02, 0x42, 0xC2])
def test_an_hmac_under_a_slots_key(wire, mode):
    assert wire.call(0x47, 0x04, KEY_SLOT) == OK
    assert wire.chip.volatile.sha_context == 2
    assert update(wire, b"a" * 60) == OK
    assert end(wire, b"b" * 64, mode) == hmac.digest(KEY, b"a" * 60 + b"b" * 64, "sha256")
    assert wire.chip.volatile.sha_context == 0


@pytest.mark.covers("SHA", "HMAC start, TempKey")
def test_an_hmac_under_tempkey_is_that_of_rfc_4231(wire):
    assert wire.call(0x47, 0x04, 0xFFFF) == EXECUTION
    # Test case 2's key "Jefe" padded, as HMAC pads it anyway.
    wire.fixed_nonce(b"Jefe".ljust(32, b"\0"))
    assert wire.call(0x47, 0x04, 0xFFFF) == OK
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert end(wire, b"what do ya want for nothing?").hex() == expected


def test_an_hmac_is_refused_under_a_key_for_checking_only(wire):
    assert wire.call(0x47, 0x04, NO_MAC_SLOT) == EXECUTION


def test_an_hmac_with_a_slot_waits_for_the_data_lock(personalised):
    wire = personalised({KEY_SLOT: (0x8F8F, 0x001C)}, locked=False)
    assert wire.call(0x47, 0x04, KEY_SLOT) == EXECUTION
    assert wire.call(0x47, 0x00) == OK


@pytest.mark.covers("SHA", "public")
def test_a_stored_public_key_goes_into_the_message(wire):
    wire.call(0x47, 0x00)
    update(wire, b"before")
    assert wire.call(0x47, 0x03, PUBLIC_SLOT) == OK
    assert end(wire, b"after") == hashlib.sha256(b"before" + PUBLIC_KEY + b"after").digest()


def test_no_other_slot_goes_into_a_message(wire):
    assert wire.call(0x47, 0x03, PUBLIC_SLOT) == EXECUTION
    wire.call(0x47, 0x00)
    assert wire.call(0x47, 0x03, KEY_SLOT) == EXECUTION
    assert wire.call(0x47, 0x03, 16) == PARSE


@pytest.mark.covers("SHA", "read context")
@pytest.mark.covers("SHA", "write context")
@pytest.mark.parametrize("size", [0, 1, 59, 63, 64, 100])
def test_a_context_leaves_and_returns(wire, size):
    message = bytes(range(size))
    wire.call(0x47, 0x00)
    for at in range(0, size, 64):
        update(wire, message[at : at + 64])
    context = wire.call(0x47, 0x06)
    assert len(context) == 40 + (context[0] & 0x3F)
    assert end(wire, b"!") == hashlib.sha256(message + b"!").digest()
    assert wire.call(0x47, 0x07, len(context), context) == OK
    assert end(wire, b"?") == hashlib.sha256(message + b"?").digest()


def test_no_context_shows_a_key_or_a_slot(wire):
    assert wire.call(0x47, 0x06) == EXECUTION
    wire.call(0x47, 0x04, KEY_SLOT)
    assert wire.call(0x47, 0x06) == EXECUTION
    wire.call(0x47, 0x00)
    wire.call(0x47, 0x03, PUBLIC_SLOT)
    assert wire.call(0x47, 0x06) == EXECUTION


@pytest.mark.parametrize(
    ("mode", "param", "data"),
    [
        (0x05, 0, b""),
        (0x08, 0, b""),
        (0x40, 0, b""),
        (0x82, 0, b""),
        (0x00, 1, b""),
        (0x00, 0, b"x"),
        (0x01, 2, b"x"),
        (0x01, 65, bytes(65)),
        (0x02, 65, bytes(65)),
        (0x04, 16, b""),
        (0x06, 1, b""),
        (0x07, 39, bytes(39)),
        (0x07, 41, bytes(41)),
        (0x07, 40, bytes(4) + b"\1" + bytes(35)),
    ],
)
def test_sha_checks_its_form(wire, mode, param, data):
    wire.call(0x47, 0x00)
    assert wire.call(0x47, mode, param, data) == PARSE
