"""Verify with a MAC, and public keys validated by a certificate."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

OK, MISCOMPARE, PARSE, EXECUTION = b"\x00", b"\x01", b"\x03", b"\x0f"
IO_SLOT, STORED, PARENT, CHILD = 6, 14, 13, 11
IO_KEY = b"i" * 32
DIGEST, NONCE = hashlib.sha256(b"message").digest(), b"h" * 32
SIGNER = ec.derive_private_key(0x51, ec.SECP256R1())
CHILD_KEY = ec.derive_private_key(0x52, ec.SECP256R1())


def sign(digest, key=SIGNER):
    r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def point(key):
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def padded(key):
    return bytes(4) + point(key)[:32] + bytes(4) + point(key)[32:]


@pytest.fixture
def make(personalised):
    def make_with(*, x509=0, options=0x02):
        slots = {
            IO_SLOT: (0x8F9F, 0x001C),
            STORED: (0x0F0F, 0x0010),
            PARENT: (0x0F0F, 0x0010),
            CHILD: (0x1F0D, 0x4012),
        }
        contents = {
            IO_SLOT: IO_KEY,
            STORED: padded(SIGNER),
            PARENT: padded(SIGNER),
            CHILD: b"\xa0\0\0\0" + padded(CHILD_KEY)[4:],
        }
        return personalised(slots, contents, config={90: options, 91: IO_SLOT << 4, 93: x509})

    return make_with


def mac(mode, key_id, signature):
    message = IO_KEY + DIGEST + NONCE + signature + bytes((0x45, mode, key_id, 0))
    return hashlib.sha256(message).digest()


@pytest.mark.covers("Verify", "external, MAC")
@pytest.mark.covers("Verify", "stored, MAC")
@pytest.mark.parametrize(("mode", "key_id"), [(0x82, 4), (0xA2, 4), (0x80, STORED), (0xA0, STORED)])
def test_bit_7_answers_a_mac_over_the_hosts_nonce(make, mode, key_id):
    wire = make()
    signature = sign(DIGEST)
    data = signature + (point(SIGNER) if mode & 2 else b"")

    def load():
        if mode & 0x20:
            assert wire.call(0x16, 0x63, 0, DIGEST + NONCE) == OK
        else:
            assert wire.call(0x16, 0x43, 0, NONCE) == OK
            wire.fixed_nonce(DIGEST)

    load()
    assert wire.call(0x45, mode, key_id, data) == mac(mode, key_id, signature)
    load()
    assert wire.call(0x45, mode, key_id, bytes(63) + b"\1" + data[64:]) == MISCOMPARE


def test_a_mac_needs_the_hosts_nonce_and_the_io_protection_key(make):
    wire = make()
    wire.fixed_nonce(DIGEST)
    assert wire.call(0x45, 0x80, STORED, sign(DIGEST)) == EXECUTION
    assert wire.call(0x16, 0x43, 0, DIGEST) == OK
    assert wire.call(0x45, 0xA0, STORED, sign(DIGEST)) == EXECUTION
    wire = make(options=0)
    wire.fixed_nonce(DIGEST)
    assert wire.call(0x16, 0x43, 0, NONCE) == OK
    assert wire.call(0x45, 0x80, STORED, sign(DIGEST)) == EXECUTION


def hash_certificate(wire, before, after, slot=CHILD):
    """Hash a certificate with the stored key of ``slot`` put in by the chip, into TempKey."""
    assert wire.call(0x47, 0x00) == OK
    for at in range(0, len(before), 64):
        chunk = before[at : at + 64]
        assert wire.call(0x47, 0x01, len(chunk), chunk) == OK
    assert wire.call(0x47, 0x03, slot) == OK
    return wire.call(0x47, 0x02, len(after), after)


def use_child(wire):
    wire.fixed_nonce(DIGEST)
    return wire.call(0x45, 0x00, CHILD, sign(DIGEST, CHILD_KEY))


@pytest.mark.covers("Verify", "validate external")
def test_a_certificate_signed_by_the_parent_validates_the_key_in_it(make):
    wire = make()
    assert use_child(wire) == EXECUTION
    digest = hash_certificate(wire, b"b" * 100, b"a" * 30)
    assert digest == hashlib.sha256(b"b" * 100 + point(CHILD_KEY) + b"a" * 30).digest()
    assert wire.call(0x45, 0x01, CHILD, sign(digest)) == OK
    assert wire.chip.eeprom.slots[CHILD][0] == 0x50
    assert use_child(wire) == OK


def test_a_certificate_signed_by_another_does_not(make):
    wire = make()
    digest = hash_certificate(wire, b"b", b"a")
    assert wire.call(0x45, 0x01, CHILD, sign(digest, CHILD_KEY)) == MISCOMPARE
    assert wire.chip.eeprom.slots[CHILD][0] == 0xA0


def test_the_chip_itself_must_have_hashed_the_key_of_that_slot(make):
    wire = make()
    digest = hashlib.sha256(b"b" + point(CHILD_KEY) + b"a").digest()
    wire.fixed_nonce(digest)
    assert wire.call(0x45, 0x01, CHILD, sign(digest)) == EXECUTION
    digest = hash_certificate(wire, b"b", b"a", STORED)
    assert wire.call(0x45, 0x01, CHILD, sign(digest)) == EXECUTION


@pytest.mark.parametrize(
    ("x509", "before", "status"),
    [(0x41, 64, OK), (0x42, 64, EXECUTION), (0x31, 64, EXECUTION), (0x41, 65, EXECUTION), (0x52, 128, OK)],
)
def test_x509_format_says_where_the_key_stands(make, x509, before, status):
    wire = make(x509=x509)
    assert wire.call(0x47, 0x00) == OK
    for at in range(0, before, 64):
        size = min(64, before - at)
        assert wire.call(0x47, 0x01, size, bytes(size)) == OK
    assert wire.call(0x47, 0x03, CHILD) == OK
    assert wire.call(0x47, 0x01, 64, bytes(64)) == OK
    digest = wire.call(0x47, 0x02, 20, bytes(20))
    assert wire.call(0x45, 0x01, CHILD, sign(digest)) == status


def test_a_locked_slot_is_not_validated(make):
    wire = make()
    snapshot = wire.chip.eeprom
    config = bytearray(snapshot.config)
    config[89] &= ~(1 << CHILD - 8) & 0xFF
    wire.chip.unsafe_load(type(snapshot)(bytes(config), snapshot.otp, snapshot.slots))
    wire.wake()
    digest = hash_certificate(wire, b"b", b"a")
    assert wire.call(0x45, 0x01, CHILD, sign(digest)) == EXECUTION


@pytest.mark.parametrize(("mode", "size"), [(0x01, 83), (0x21, 64), (0x81, 64), (0x83, 83), (0x23, 83)])
def test_validation_checks_its_form(make, mode, size):
    assert make().call(0x45, mode, CHILD, bytes(size)) == PARSE
