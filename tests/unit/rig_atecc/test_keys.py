"""GenKey, Sign, Verify, PrivWrite and GenDig: keys, TempKey and what is signed about them.

The messages are put together here from the published layouts, with hashlib alone.
"""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

OK, MISCOMPARE, PARSE, EXECUTION = b"\x00", b"\x01", b"\x03", b"\x0f"
IDENTITY, ATTESTATION = 0, 1


def signed_by(public_key: bytes, signature: bytes, digest: bytes) -> bool:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    try:
        key.verify(der, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


def software_signature(key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def software_public(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def padded(public_key: bytes) -> bytes:
    """The 72-byte form of a stored public key."""
    return bytes(4) + public_key[:32] + bytes(4) + public_key[32:]


def key_digest(wire, tempkey, parameters, public_key):
    serial = wire.chip.serial_number
    return hashlib.sha256(
        tempkey + b"\x40" + parameters + serial[8:9] + serial[:2] + bytes(25) + public_key
    ).digest()


def internal_message(wire, tempkey, *, mode, slot, of_key, flags, locked=False, valid=0):
    config, serial = wire.chip.eeprom.config, wire.chip.serial_number
    full = mode & 0x40
    message = (
        tempkey
        + bytes((0x41, mode, slot, 0))
        + config[20 + 2 * of_key : 22 + 2 * of_key]
        + config[96 + 2 * of_key : 98 + 2 * of_key]
        + bytes((flags, 0, 0))
        + serial[8:9]
        + (serial[4:8] if full else bytes(4))
        + serial[:2]
        + (serial[2:4] if full else bytes(2))
        + bytes((0 if locked else 1, valid, 0))
    )
    assert len(message) == 55
    return hashlib.sha256(message).digest()


def test_genkey_is_refused_before_the_configuration_lock(wire):
    assert wire.call(0x40, 0x04, 0) == EXECUTION


@pytest.mark.covers("GenKey", "create")
@pytest.mark.covers("GenKey", "public key")
def test_genkey_makes_a_key_and_gives_its_public_half_again(locked):
    public_key = locked.call(0x40, 0x04, IDENTITY)
    assert len(public_key) == 64
    assert locked.call(0x40, 0x00, IDENTITY) == public_key
    assert locked.call(0x40, 0x04, IDENTITY) != public_key


def test_the_public_half_of_no_key_is_refused(locked):
    assert locked.call(0x40, 0x00, IDENTITY) == EXECUTION


def test_a_slot_lock_makes_the_key_permanent(locked):
    public_key = locked.call(0x40, 0x04, IDENTITY)
    assert locked.call(0x17, IDENTITY << 2 | 2) == OK
    assert locked.call(0x40, 0x04, IDENTITY) == EXECUTION
    locked.random_nonce()
    assert locked.call(0x40, 0x0C, IDENTITY) == EXECUTION
    assert locked.call(0x46, 0x00, IDENTITY, bytes(35) + b"\x01") == EXECUTION
    assert locked.call(0x12, 0x82, locked.zone_address(IDENTITY, 0), bytes(32)) == EXECUTION
    assert locked.call(0x40, 0x00, IDENTITY) == public_key


def test_the_drawn_key_is_that_of_the_random_source(make_wire):
    wire = make_wire(random=lambda size: bytes(size - 1) + b"\x05")
    wire.personalise()
    assert wire.call(0x40, 0x04, 0) == software_public(ec.derive_private_key(5, ec.SECP256R1()))
    assert wire.chip.unsafe_private_key(0) == 5


def test_a_number_that_is_no_scalar_is_drawn_again(make_wire):
    draws = iter([bytes(32), b"\xff" * 32, bytes(31) + b"\x07"])
    wire = make_wire(random=lambda _size: next(draws))
    wire.personalise()
    wire.call(0x40, 0x04, 0)
    assert wire.chip.unsafe_private_key(0) == 7


@pytest.mark.parametrize(
    ("mode", "slot", "size"), [(0x01, 0, 0), (0x14, 0, 0), (0x04, 16, 0), (0x04, 0, 3), (0x10, 11, 0)]
)
def test_genkey_checks_its_form(locked, mode, slot, size):
    assert locked.call(0x40, mode, slot, bytes(size)) == PARSE


@pytest.mark.parametrize("slot", [5, 8, 11, 14])
def test_genkey_needs_a_private_slot(locked, slot):
    assert locked.call(0x40, 0x04, slot) == EXECUTION


def test_after_the_data_lock_genkey_needs_slot_config_bit_13(make_wire):
    wire = make_wire()
    wire.wake()
    config = bytearray(wire.profile_config(wire.read_config()))
    config[21] = 0x00
    wire.write_config(bytes(config))
    wire.call(0x17, 0x80)
    assert len(wire.call(0x40, 0x04, 0)) == 64
    wire.call(0x17, 0x81)
    assert wire.call(0x40, 0x04, 0) == EXECUTION
    assert len(wire.call(0x40, 0x00, 0)) == 64


def test_without_pub_info_the_public_key_is_shown_once_only(make_wire):
    wire = make_wire()
    wire.wake()
    config = bytearray(wire.profile_config(wire.read_config()))
    config[96] = 0x31
    wire.write_config(bytes(config))
    wire.call(0x17, 0x80)
    assert len(wire.call(0x40, 0x04, 0)) == 64
    assert wire.call(0x40, 0x00, 0) == EXECUTION


@pytest.mark.covers("Sign", "external, TempKey")
def test_sign_external_signs_tempkey_once(locked):
    public_key, digest = locked.call(0x40, 0x04, IDENTITY), hashlib.sha256(b"message").digest()
    locked.fixed_nonce(digest)
    assert signed_by(public_key, locked.call(0x41, 0x80, IDENTITY), digest)
    assert locked.call(0x41, 0x80, IDENTITY) == EXECUTION


@pytest.mark.covers("Sign", "external, message digest buffer")
def test_sign_external_can_take_the_message_digest_buffer(locked):
    public_key, digest = locked.call(0x40, 0x04, IDENTITY), hashlib.sha256(b"message").digest()
    assert locked.call(0x41, 0xA0, IDENTITY) == EXECUTION
    assert locked.call(0x16, 0x43, 0, digest) == OK
    assert signed_by(public_key, locked.call(0x41, 0xA0, IDENTITY), digest)


def test_an_attestation_slot_refuses_to_sign_from_outside(locked):
    locked.call(0x40, 0x04, ATTESTATION)
    locked.fixed_nonce(bytes(32))
    assert locked.call(0x41, 0x80, ATTESTATION) == EXECUTION


def test_an_identity_slot_refuses_to_sign_from_inside(locked):
    locked.call(0x40, 0x04, IDENTITY)
    locked.random_nonce()
    locked.call(0x40, 0x08, IDENTITY)
    assert locked.call(0x41, 0x40, IDENTITY) == EXECUTION


def test_sign_internal_refuses_a_bare_nonce(locked):
    locked.call(0x40, 0x04, ATTESTATION)
    locked.random_nonce()
    assert locked.call(0x41, 0x40, ATTESTATION) == EXECUTION


@pytest.mark.parametrize("mode", [0x02, 0x90, 0x81])
def test_sign_checks_its_form(locked, mode):
    assert locked.call(0x41, mode, 0) == PARSE


@pytest.mark.covers("GenKey", "create, digest")
@pytest.mark.covers("Sign", "internal, full serial number")
@pytest.mark.covers("Nonce", "random, seed update")
def test_a_birth_is_signed_as_published(locked):
    attestation_key = locked.call(0x40, 0x04, ATTESTATION)
    tempkey = locked.random_nonce(b"the verifier's bytes")
    public_key = locked.call(0x40, 0x0C, IDENTITY)
    signature = locked.call(0x41, 0x40, ATTESTATION)
    digest = key_digest(locked, tempkey, b"\x0c\0\0", public_key)
    message = internal_message(locked, digest, mode=0x40, slot=ATTESTATION, of_key=IDENTITY, flags=0x40)
    assert signed_by(attestation_key, signature, message)


@pytest.mark.covers("GenKey", "public key, digest")
@pytest.mark.covers("GenDig", "config")
def test_a_state_over_the_whole_configuration_is_signed_as_published(locked):
    attestation_key = locked.call(0x40, 0x04, ATTESTATION)
    public_key = locked.call(0x40, 0x04, IDENTITY)
    assert locked.call(0x17, IDENTITY << 2 | 2) == OK
    serial, config = locked.chip.serial_number, locked.read_config()
    tempkey = locked.random_nonce(b"the verifier's bytes")
    for block in range(4):
        assert locked.call(0x15, 0x00, block) == OK
        head = bytes((0x15, 0, block, 0)) + serial[8:9] + serial[:2]
        value = config[32 * block : 32 * block + 32]
        tempkey = hashlib.sha256(value + head + bytes(25) + tempkey).digest()
    assert locked.call(0x30, 2) == b"\x00\x80\0\0"
    assert locked.call(0x40, 0x08, IDENTITY) == public_key
    assert locked.call(0x30, 2) == b"\x40\x80\0\0"
    signature = locked.call(0x41, 0x40, ATTESTATION)
    digest = key_digest(locked, tempkey, b"\x08\0\0", public_key)
    message = internal_message(
        locked, digest, mode=0x40, slot=ATTESTATION, of_key=IDENTITY, flags=0x40, locked=True
    )
    assert signed_by(attestation_key, signature, message)


@pytest.mark.covers("Sign", "internal")
def test_without_bit_6_the_message_leaves_out_most_of_the_serial_number(locked):
    attestation_key = locked.call(0x40, 0x04, ATTESTATION)
    tempkey = locked.random_nonce()
    public_key = locked.call(0x40, 0x0C, 2)
    signature = locked.call(0x41, 0x00, ATTESTATION)
    digest = key_digest(locked, tempkey, b"\x0c\x02\0", public_key)
    message = internal_message(locked, digest, mode=0x00, slot=ATTESTATION, of_key=2, flags=0x42)
    assert signed_by(attestation_key, signature, message)


def test_req_random_refuses_a_fixed_nonce_where_the_key_is_hashed(locked):
    locked.call(0x40, 0x04, ATTESTATION)
    locked.fixed_nonce(bytes(32))
    assert locked.call(0x40, 0x08, ATTESTATION) == EXECUTION
    locked.random_nonce()
    assert len(locked.call(0x40, 0x08, ATTESTATION)) == 64


def test_req_random_refuses_an_internal_signature_over_a_fixed_nonce(locked):
    locked.call(0x40, 0x04, ATTESTATION)
    locked.call(0x40, 0x04, IDENTITY)
    locked.fixed_nonce(bytes(32))
    assert len(locked.call(0x40, 0x08, IDENTITY)) == 64
    assert locked.call(0x30, 2) == b"\x50\x80\0\0"
    assert locked.call(0x41, 0x40, ATTESTATION) == EXECUTION


def test_a_digest_needs_a_nonce_and_creates_nothing_without(locked):
    assert locked.call(0x40, 0x0C, IDENTITY) == EXECUTION
    assert locked.call(0x30, 1, IDENTITY) == bytes(4)


def test_genkey_without_digest_leaves_tempkey_alone(locked):
    locked.fixed_nonce(bytes(32))
    locked.call(0x40, 0x04, IDENTITY)
    assert locked.call(0x30, 2) == b"\x10\x80\0\0"


@pytest.mark.covers("GenKey", "digest of a stored public key")
def test_genkey_mode_10_hashes_the_callers_bytes_and_shows_its_own_slot(locked):
    """The caller may write 0C 00 00 into the digest, but the flags name slot 11, not slot 0."""
    attestation_key = locked.call(0x40, 0x04, ATTESTATION)
    claimed = software_public(ec.generate_private_key(ec.SECP256R1()))
    locked.write_slot(11, padded(claimed))
    tempkey = locked.random_nonce()
    assert locked.call(0x40, 0x10, 11, b"\x0c\0\0") == OK
    signature = locked.call(0x41, 0x40, ATTESTATION)
    digest = key_digest(locked, tempkey, b"\x0c\0\0", claimed)
    honest = internal_message(locked, digest, mode=0x40, slot=ATTESTATION, of_key=11, flags=0x4B)
    forged = internal_message(locked, digest, mode=0x40, slot=ATTESTATION, of_key=IDENTITY, flags=0x40)
    assert signed_by(attestation_key, signature, honest)
    assert not signed_by(attestation_key, signature, forged)


def test_genkey_mode_10_is_refused_for_a_private_slot(locked):
    locked.call(0x40, 0x04, IDENTITY)
    locked.random_nonce()
    assert locked.call(0x40, 0x10, IDENTITY, b"\x0c\0\0") == EXECUTION


@pytest.mark.parametrize(
    ("from_buffer", "mode"),
    [
        pytest.param(False, 0x02, marks=pytest.mark.covers("Verify", "external, TempKey")),
        pytest.param(True, 0x22, marks=pytest.mark.covers("Verify", "external, message digest buffer")),
    ],
)
def test_verify_external_takes_the_digest_from_either_buffer(locked, authority, from_buffer, mode):
    digest = hashlib.sha256(b"message").digest()
    data = software_signature(authority, digest) + software_public(authority)
    assert locked.call(0x45, mode, 4, data) == EXECUTION
    assert locked.call(0x16, 0x43 if from_buffer else 0x03, 0, digest) == OK
    assert locked.call(0x45, mode, 4, data) == OK


@pytest.mark.covers("Sign", "internal, to invalidate")
def test_what_sign_internal_signs_validates_and_invalidates_a_public_key(personalised, authority):
    """The whole round on one chip: its attestation key is the parent of the public key in slot 11."""
    parent = software_public(ec.derive_private_key(0x77, ec.SECP256R1()))
    child, nonce = software_public(authority), b"n" * 32
    slots = {ATTESTATION: (0x2082, 0x0033), 14: (0x0F0F, 0x0010), 11: (0x1F0E, 0x0012)}
    contents = {14: padded(parent), 11: b"\xa0" + padded(child)[1:]}
    wire = personalised(slots, contents, scalars={ATTESTATION: 0x77})
    serial, config = wire.chip.serial_number, wire.chip.eeprom.config

    def digest_key():
        wire.fixed_nonce(nonce)
        assert wire.call(0x40, 0x10, 11, b"\x10\x0b\0") == OK
        return key_digest(wire, nonce, b"\x10\x0b\0", child)

    for sign_mode, verify_mode, nibble in ((0x40, 0x03, 0x50), (0x41, 0x07, 0xA0)):
        valid = int(sign_mode == 0x41)
        digest = digest_key()
        signature = wire.call(0x41, sign_mode, ATTESTATION)
        message = internal_message(
            wire, digest, mode=sign_mode, slot=ATTESTATION, of_key=11, flags=0x5B, valid=valid
        )
        assert signed_by(parent, signature, message)
        other = bytes((sign_mode, ATTESTATION, 0)) + config[42:44] + config[118:120] + b"\x5b\0\0"
        other += serial[4:8] + serial[2:4] + bytes((1, valid, 0))
        digest_key()
        assert wire.call(0x45, verify_mode, 11, signature + other) == OK
        assert wire.chip.eeprom.slots[11][0] == nibble


@pytest.fixture
def authority():
    return ec.derive_private_key(0xA0, ec.SECP256R1())


def test_verify_external(locked, authority):
    digest = hashlib.sha256(b"message").digest()
    signature, public_key = software_signature(authority, digest), software_public(authority)
    locked.fixed_nonce(digest)
    assert locked.call(0x45, 0x02, 4, signature + public_key) == OK
    locked.fixed_nonce(bytes(32))
    assert locked.call(0x45, 0x02, 4, signature + public_key) == MISCOMPARE


def test_verify_external_with_no_point_of_the_curve_is_0f(locked, authority):
    locked.fixed_nonce(bytes(32))
    signature = software_signature(authority, bytes(32))
    assert locked.call(0x45, 0x02, 4, signature + bytes(64)) == EXECUTION


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64])
def test_a_signature_out_of_range_does_not_verify(locked, authority, signature):
    locked.fixed_nonce(bytes(32))
    assert locked.call(0x45, 0x02, 4, signature + software_public(authority)) == MISCOMPARE


@pytest.mark.covers("Verify", "stored, TempKey")
@pytest.mark.covers("Verify", "stored, message digest buffer")
def test_verify_with_a_stored_key(make_wire, authority):
    wire = make_wire()
    wire.personalise({14: padded(software_public(authority))})
    digest = hashlib.sha256(b"authorisation").digest()
    signature = software_signature(authority, digest)
    wire.fixed_nonce(digest)
    assert wire.call(0x45, 0x00, 14, signature) == OK
    assert wire.call(0x16, 0x43, 0, digest) == OK
    assert wire.call(0x45, 0x20, 14, signature) == OK
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x45, 0x00, 14, signature) == MISCOMPARE


@pytest.mark.parametrize("slot", [IDENTITY, 8])
def test_verify_stored_needs_a_public_key_slot(locked, slot):
    locked.fixed_nonce(bytes(32))
    assert locked.call(0x45, 0x00, slot, bytes(64)) == EXECUTION


@pytest.mark.parametrize(
    ("mode", "key_id", "size"),
    [(0x02, 3, 128), (0x02, 4, 64), (0x00, 16, 64), (0x01, 4, 128), (0x83, 14, 83), (0x81, 14, 64)],
)
def test_verify_checks_its_form(locked, mode, key_id, size):
    assert locked.call(0x45, mode, key_id, bytes(size)) == PARSE


@pytest.mark.covers("Verify", "validate")
@pytest.mark.covers("Verify", "invalidate")
def test_a_key_that_must_be_validated_is_used_only_after_its_parent_signed_for_it(make_wire, authority):
    wire = make_wire()
    wire.wake()
    config = bytearray(wire.profile_config(wire.read_config()))
    config[20 + 22 : 20 + 24] = b"\x0e\x10"  # slot 11: parent 14, writable while not valid
    config[96 + 22] = 0x12  # PubInfo: to be validated
    wire.write_config(bytes(config))
    wire.call(0x17, 0x80)
    child = ec.derive_private_key(0xC0, ec.SECP256R1())
    wire.write_slot(14, padded(software_public(authority)))
    wire.write_slot(11, padded(software_public(child)))
    wire.call(0x17, 0x81)
    wire.fresh_session()
    assert wire.chip.eeprom.slots[11][0] == 0xA0
    digest = hashlib.sha256(b"message").digest()
    wire.fixed_nonce(digest)
    assert wire.call(0x45, 0x00, 11, software_signature(child, digest)) == EXECUTION

    def change_validity(verify_mode, signer):
        nonce = bytes(range(32))
        serial = wire.chip.serial_number
        other = bytearray(19)
        other[17] = verify_mode >> 2
        tempkey = key_digest(wire, nonce, b"\0\0\0", software_public(child))
        message = tempkey + b"\x41" + other[:10] + serial[8:9] + other[10:14] + serial[:2] + other[14:]
        wire.fixed_nonce(nonce)
        assert wire.call(0x40, 0x10, 11, bytes(3)) == OK
        signature = software_signature(signer, hashlib.sha256(message).digest())
        return wire.call(0x45, verify_mode, 11, signature + bytes(other))

    assert change_validity(3, child) == MISCOMPARE
    assert change_validity(3, authority) == OK
    wire.fixed_nonce(digest)
    assert wire.call(0x45, 0x00, 11, software_signature(child, digest)) == OK
    assert wire.call(0x12, 0x82, wire.zone_address(11, 0), bytes(32)) == EXECUTION
    assert change_validity(7, authority) == OK
    assert wire.call(0x12, 0x82, wire.zone_address(11, 0), bytes(32)) == OK


@pytest.mark.covers("PrivWrite", "clear")
def test_privwrite_in_clear_ends_with_the_data_lock(make_wire):
    wire = make_wire()
    wire.wake()
    assert wire.call(0x46, 0, 0, bytes(35) + b"\x05") == EXECUTION
    wire.lock_config()
    assert wire.call(0x46, 0, 0, bytes(35) + b"\x05") == OK
    assert wire.call(0x40, 0, 0) == software_public(ec.derive_private_key(5, ec.SECP256R1()))
    assert wire.call(0x46, 0, 0, b"\xff" * 36) == EXECUTION
    wire.call(0x17, 0x81)
    assert wire.call(0x46, 0, 0, bytes(35) + b"\x06") == EXECUTION


@pytest.mark.covers("PrivWrite", "encrypted")
def test_encrypted_privwrite_needs_slot_config_bit_14_and_its_mac(make_wire):
    wire = make_wire()
    wire.wake()
    config = bytearray(wire.profile_config(wire.read_config()))
    config[20 + 2 * 2 : 20 + 2 * 3] = b"\x81\x46"  # slot 2: PrivWrite under slot 6
    config[20 + 2 * 6] = 0x86  # slot 6: without NoMac
    wire.write_config(bytes(config))
    wire.call(0x17, 0x80)
    wire.lock_data()
    wire.fresh_session()
    plain, serial = bytes(35) + b"\x09", wire.chip.serial_number
    for slot, damage, status in ((2, 1, EXECUTION), (3, 0, EXECUTION), (2, 0, OK)):
        nonce = wire.random_nonce()
        assert wire.call(0x15, 0x02, 6) == OK
        head = b"\x15\x02\x06\x00" + serial[8:9] + serial[:2]
        session = hashlib.sha256(b"\x06" * 32 + head + bytes(25) + nonce).digest()
        mask = session + hashlib.sha256(session).digest()[:4]
        head = b"\x46\x40" + bytes((slot, 0)) + serial[8:9] + serial[:2]
        mac = bytearray(hashlib.sha256(session + head + bytes(21) + plain).digest())
        mac[5] ^= damage
        cipher = bytes(a ^ b for a, b in zip(plain, mask, strict=True))
        assert wire.call(0x46, 0x40, slot, cipher + bytes(mac)) == status
    assert wire.chip.unsafe_private_key(2) == 9


def test_gendig_needs_a_nonce(locked):
    assert locked.call(0x15, 0x00, 0) == EXECUTION


@pytest.mark.covers("GenDig", "data")
def test_gendig_of_a_slot_sets_its_flag_and_key_id(locked):
    locked.random_nonce()
    assert locked.call(0x15, 0x02, 8) == OK
    assert locked.call(0x30, 2) == b"\x28\x80\0\0"


def test_gendig_of_a_private_key_is_refused(locked):
    locked.call(0x40, 0x04, IDENTITY)
    locked.random_nonce()
    assert locked.call(0x15, 0x02, IDENTITY) == EXECUTION


@pytest.mark.covers("GenDig", "data, NoMac key")
def test_gendig_with_a_no_mac_key_takes_the_callers_parameters_and_says_so(locked):
    locked.random_nonce()
    assert locked.call(0x15, 0x02, 6) == PARSE
    assert locked.call(0x15, 0x02, 6, b"\x15\x02\x06\x00") == OK
    assert locked.call(0x30, 2) == b"\xa6\x80\0\0"


def tempkey_after(wire):
    """Learn TempKey: Nonce with Param2 0x8000 shows SHA-256(TempKey, zeros, 16 00 00)."""
    return wire.call(0x16, 0, 0x8000, bytes(20))


@pytest.mark.parametrize(
    ("zone", "key_id", "data", "first", "filling"),
    [
        (0x01, 1, b"", b"\xff" * 32, bytes(25)),
        (0x03, 4, b"s" * 32, b"s" * 32, bytes(25)),
        (0x04, 1, b"", bytes(32), bytes(25)),
        (0x05, 0, b"", bytes(32), b"\0\x81\x20\x33\x00\x01" + bytes(19)),
    ],
)
@pytest.mark.covers("GenDig", "OTP")
@pytest.mark.covers("GenDig", "shared nonce")
@pytest.mark.covers("GenDig", "counter")
@pytest.mark.covers("GenDig", "key configuration")
def test_gendig_hashes_what_is_published(locked, zone, key_id, data, first, filling):
    tempkey, serial = locked.random_nonce(), locked.chip.serial_number
    assert locked.call(0x15, zone, key_id, data) == OK
    head = bytes((0x15, zone, key_id, 0)) + serial[8:9] + serial[:2]
    expected = hashlib.sha256(first + head + filling + tempkey).digest()
    assert tempkey_after(locked) == hashlib.sha256(expected + bytes(20) + b"\x16\0\0").digest()


@pytest.mark.covers("GenDig", "shared nonce, swapped")
def test_gendig_shared_nonce_can_swap_its_inputs(locked):
    tempkey, serial, data = locked.random_nonce(), locked.chip.serial_number, b"s" * 32
    assert locked.call(0x15, 0x03, 0x8004, data) == OK
    head = b"\x15\x03\x04\x00" + serial[8:9] + serial[:2]
    expected = hashlib.sha256(tempkey + head + bytes(25) + data).digest()
    assert tempkey_after(locked) == hashlib.sha256(expected + bytes(20) + b"\x16\0\0").digest()


def test_a_fixed_value_does_not_become_random_by_hashing_it(locked):
    locked.fixed_nonce(bytes(32))
    tempkey_after(locked)
    assert locked.call(0x30, 2) == b"\x10\x80\0\0"


@pytest.mark.parametrize(
    ("mode", "zero", "size"),
    [(0x02, 0, 20), (0x00, 1, 20), (0x00, 0, 32), (0x03, 0, 20), (0xC3, 0, 32), (0xA3, 0, 64), (0x03, 1, 32)],
)
def test_nonce_checks_its_form(wire, mode, zero, size):
    assert wire.call(0x16, mode, zero, bytes(size)) == PARSE


@pytest.mark.parametrize(("mode", "size"), [(0x03, 32), (0x23, 64), (0x43, 32), (0x63, 64), (0x83, 32)])
@pytest.mark.covers("Nonce", "fixed 32 to TempKey")
@pytest.mark.covers("Nonce", "fixed 64 to TempKey")
@pytest.mark.covers("Nonce", "fixed 32 to message digest buffer")
@pytest.mark.covers("Nonce", "fixed 64 to message digest buffer")
@pytest.mark.covers("Nonce", "fixed 32 to alternate key")
def test_nonce_fills_each_buffer(wire, mode, size):
    assert wire.call(0x16, mode, 0, bytes(size)) == OK
    assert wire.call(0x30, 2)[1] >> 7 == (mode >> 6 == 0)


@pytest.mark.parametrize("value", [0, 1, 15, 16, 31, 32, 47, 48, 1000, 2_097_151])
def test_counters_are_read_from_their_unary_form(make_wire, value):
    low, high = value % 32, value // 32
    first, second = 0xFFFF >> low, (0xFFFF >> (value - 16) % 32 if value >= 16 else 0xFFFF)
    upper = (value - 16) // 32 if value >= 16 else 0
    stored = b"".join(part.to_bytes(2, "big") for part in (first, second, high, upper))
    wire = make_wire()
    wire.wake()
    assert wire.call(0x12, 0, 13, stored[:4]) == OK
    assert wire.call(0x12, 0, 14, stored[4:]) == OK
    wire.call(0x17, 0x80)
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x15, 0x04, 0) == OK
    serial = wire.chip.serial_number
    head = b"\x15\x04\x00\x00" + serial[8:9] + serial[:2]
    filling = b"\0" + value.to_bytes(4, "little") + bytes(20)
    expected = hashlib.sha256(bytes(32) + head + filling + bytes(32)).digest()
    assert tempkey_after(wire) == hashlib.sha256(expected + bytes(20) + b"\x16\0\0").digest()
