"""SecureBoot: Full, FullCopy and FullStore, in clear and with a MAC; the persistent latch."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

OK, MISCOMPARE, PARSE, EXECUTION = b"\x00", b"\x01", b"\x03", b"\x0f"
STORE, KEY_SLOT, IO_SLOT, GATED = 12, 11, 6, 0
BOTH, SIGNATURE, DIGEST = 1, 2, 3
IO_KEY = b"i" * 32
VENDOR = ec.derive_private_key(0xF00D, ec.SECP256R1())
CODE = hashlib.sha256(b"firmware").digest()


def sign(digest):
    r, s = decode_dss_signature(VENDOR.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def stored_key():
    numbers = VENDOR.public_key().public_numbers()
    return bytes(4) + numbers.x.to_bytes(32, "big") + bytes(4) + numbers.y.to_bytes(32, "big")


@pytest.fixture
def make(personalised):
    def make_with(stores, flags=0, *, store_config=(0x8F8F, 0x003C), **options):
        slots = {
            STORE: store_config,
            KEY_SLOT: (0x8F0F, 0x0030),
            IO_SLOT: (0x8F9F, 0x001C),
            GATED: (0x2081, 0x1033),
        }
        config = {70: stores | flags, 71: KEY_SLOT << 4 | STORE, 90: 2, 91: IO_SLOT << 4}
        contents = {KEY_SLOT: stored_key(), IO_SLOT: IO_KEY}
        return personalised(slots, contents, config=config, scalars={GATED: 5}, **options)

    return make_with


def boot(wire, mode, digest=CODE, signature=None):
    return wire.call(0x80, mode, 0, digest + (b"" if mode & 7 == 6 else signature or sign(digest)))


def masked(wire, mode, digest=CODE, signature=b"", *, hashed=None):
    """Run the command with an encrypted digest after a nonce; return the answer and the MAC to expect."""
    key = hashlib.sha256(IO_KEY + wire.random_nonce()).digest()
    cipher = bytes(a ^ b for a, b in zip(digest, key, strict=True))
    in_mac = signature if hashed is None else hashed
    expected = hashlib.sha256(key + digest + in_mac + bytes((0x80, mode, 0, 0))).digest()
    return wire.call(0x80, mode, 0, cipher + signature), expected


@pytest.mark.covers("SecureBoot", "Full")
@pytest.mark.parametrize("stores", [SIGNATURE, DIGEST])
def test_full_verifies_a_signature_and_stores_nothing(make, stores):
    wire = make(stores)
    before = wire.chip.eeprom
    assert boot(wire, 0x05) == OK
    assert boot(wire, 0x05, bytes(32), sign(CODE)) == MISCOMPARE
    assert wire.chip.eeprom == before


@pytest.mark.covers("SecureBoot", "FullCopy, digest")
@pytest.mark.covers("SecureBoot", "FullStore, digest")
def test_a_stored_digest_stands_for_the_signature(make):
    wire = make(DIGEST)
    assert boot(wire, 0x06) == MISCOMPARE
    assert boot(wire, 0x07) == OK
    assert wire.chip.eeprom.slots[STORE][:32] == CODE
    assert boot(wire, 0x06) == OK
    assert boot(wire, 0x06, bytes(32)) == MISCOMPARE


@pytest.mark.covers("SecureBoot", "FullCopy, signature")
@pytest.mark.covers("SecureBoot", "FullStore, signature")
def test_a_stored_signature_is_verified_each_time(make):
    wire = make(SIGNATURE)
    signature = sign(CODE)
    assert boot(wire, 0x07, CODE, signature) == OK
    assert wire.chip.eeprom.slots[STORE][:64] == signature
    assert boot(wire, 0x06) == OK
    assert boot(wire, 0x06, bytes(32)) == MISCOMPARE


def test_a_wrong_signature_is_not_copied(make):
    wire = make(DIGEST)
    before = wire.chip.eeprom
    assert boot(wire, 0x07, bytes(32), sign(CODE)) == MISCOMPARE
    assert wire.chip.eeprom == before


@pytest.mark.covers("SecureBoot", "FullBoth")
def test_where_both_are_always_required_nothing_is_stored(make):
    wire = make(BOTH)
    assert boot(wire, 0x05) == OK
    assert boot(wire, 0x06) == EXECUTION
    assert boot(wire, 0x07) == EXECUTION


def test_disabled_it_refuses(make):
    assert boot(make(0), 0x05) == EXECUTION


@pytest.mark.covers("SecureBoot", "encrypted digest and MAC")
@pytest.mark.parametrize("stores", [SIGNATURE, DIGEST])
def test_with_bit_7_the_digest_comes_masked_and_a_mac_answers(make, stores):
    wire = make(stores)
    signature = sign(CODE)
    for mode in (0x85, 0x87):
        answer, expected = masked(wire, mode, signature=signature)
        assert answer == expected
    # FullStore: a stored signature is in the MAC, a stored digest is in it already.
    stored = signature if stores == SIGNATURE else b""
    answer, expected = masked(wire, 0x86, hashed=stored)
    assert answer == expected
    assert masked(wire, 0x86, bytes(32))[0] == MISCOMPARE


def test_a_mac_needs_tempkey_and_the_io_protection_key(make):
    wire = make(DIGEST)
    assert wire.call(0x80, 0x86, 0, bytes(32)) == EXECUTION
    wire.random_nonce()
    assert wire.call(0x80, 0x86, 0, bytes(32)) == MISCOMPARE
    assert not wire.chip.volatile.temp_key_valid


def test_a_random_nonce_may_be_demanded(make):
    wire = make(DIGEST, 0x10)
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x80, 0x86, 0, bytes(32)) == EXECUTION
    assert masked(wire, 0x86)[0] == MISCOMPARE


@pytest.mark.covers("SecureBoot", "prohibit")
def test_bit_6_ends_it_until_the_power_fails(make):
    wire = make(DIGEST)
    assert boot(wire, 0x45) == OK
    assert boot(wire, 0x05) == EXECUTION
    wire.fresh_session()
    assert boot(wire, 0x05) == EXECUTION
    wire.bus.power_cycle()
    wire.wake()
    assert boot(wire, 0x05) == OK


def test_a_success_sets_the_latch_where_configured(make):
    wire = make(DIGEST, 0x08)
    assert boot(wire, 0x05, bytes(32), sign(CODE)) == MISCOMPARE
    wire.fixed_nonce(CODE)
    assert wire.call(0x41, 0x80, GATED) == EXECUTION
    assert boot(wire, 0x05) == OK
    assert wire.call(0x30, 4) == b"\x01\0\0\0"
    wire.fresh_session()
    wire.fixed_nonce(CODE)
    assert len(wire.call(0x41, 0x80, GATED)) == 64
    wire.bus.power_cycle()
    wire.wake()
    assert wire.call(0x30, 4) == bytes(4)


def test_without_that_the_latch_stays_open(make):
    wire = make(DIGEST)
    assert boot(wire, 0x05) == OK
    assert not wire.chip.volatile.persistent_latch


def test_a_locked_store_takes_no_copy_but_is_read(make):
    wire = make(DIGEST)
    assert boot(wire, 0x07) == OK
    assert wire.call(0x17, STORE << 2 | 2) == OK
    other = hashlib.sha256(b"other").digest()
    assert boot(wire, 0x07, other) == EXECUTION
    assert boot(wire, 0x06) == OK


def test_a_key_that_must_be_validated_is_used_only_then(make):
    for nibble, status in ((0xA0, EXECUTION), (0x50, OK)):
        wire = make(DIGEST)
        snapshot = wire.chip.eeprom
        slots = list(snapshot.slots)
        slots[KEY_SLOT] = bytes((nibble,)) + slots[KEY_SLOT][1:]
        config = bytearray(snapshot.config)
        config[96 + 2 * KEY_SLOT] |= 0x02
        wire.chip.unsafe_load(type(snapshot)(bytes(config), snapshot.otp, tuple(slots)))
        wire.wake()
        assert boot(wire, 0x05) == status


def test_secureboot_waits_for_the_data_lock(make):
    assert boot(make(DIGEST, locked=False), 0x05) == EXECUTION


@pytest.mark.parametrize(
    ("mode", "zero", "size"), [(0x04, 0, 96), (0x0D, 0, 96), (0x05, 1, 96), (0x05, 0, 32), (0x06, 0, 96)]
)
def test_secureboot_checks_its_form(make, mode, zero, size):
    assert make(DIGEST).call(0x80, mode, zero, bytes(size)) == PARSE
