"""The driver on the virtual chip, every command and mode: each was written from the documents, apart.

What must come out is computed here by hashlib and cryptography.
"""

import contextlib
import hashlib
import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri_device.atecc import (
    aes,
    counter,
    ecdh,
    encrypted,
    extra,
    kdf,
    mac,
    secureboot,
    selftest,
    sha,
    signing,
    tempkey,
    verifying,
)
from hri_device.atecc.commands import Commands
from hri_device.atecc.packet import crc16
from hri_device.atecc.standalone import StandaloneATECC608
from hri_device.errors import CommandError
from unit.firmware_atecc.rig_bus import RigBus

covers = pytest.mark.covers
B16, B20, B32, B64 = bytes(range(16)), bytes(range(20)), bytes(range(32)), bytes(range(64))
SECRET, IO_KEY = bytes(range(100, 132)), bytes(range(50, 82))
ZEROS = bytes(32)
SIZES = (36,) * 8 + (416,) + (72,) * 7
# A slot for each kind of thing: SlotConfig, KeyConfig.
PRIVATE = (0x2087, 0x0033)  # signs anything, ECDH in clear, GenKey
SECRET_DATA = (0x0080, 0x003C)
DATA = (0x0000, 0x003C)
PUBLIC = (0x0000, 0x0030)
AES_KEY = (0x0080, 0x003A)
KEY = ec.derive_private_key(608, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(806, ec.SECP256R1())


def xy(key):
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def scalar(key):
    return key.private_numbers().private_value.to_bytes(32, "big")


def ecdsa(key, digest):
    r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def check(public_key, digest, signature):
    """Raise InvalidSignature unless `signature` of `digest` is by `public_key`."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def padded(public_key):
    return bytes(4) + public_key[:32] + bytes(4) + public_key[32:]


class Part:
    """A chip configured for one test, and the driver on it; slots hold SECRET where nothing else is said."""

    def __init__(
        self, slots=None, holding=None, *, boot=b"\0\0", options=b"\x06\x60", data_open=False, more=None
    ):
        self.clock = ManualClock()
        self.chip = open_chip("atecc608b", clock=self.clock, timing="typical")
        config = bytearray(self.chip.eeprom.config)
        contents = []
        for number in range(16):
            slot_config, key_config = (slots or {}).get(number, SECRET_DATA)
            config[20 + 2 * number : 22 + 2 * number] = slot_config.to_bytes(2, "little")
            config[96 + 2 * number : 98 + 2 * number] = key_config.to_bytes(2, "little")
            content = (holding or {}).get(number, IO_KEY if number == 6 else SECRET)
            contents.append(content.ljust(SIZES[number], b"\0"))
        config[70:72], config[90:92] = boot, options
        config[87], config[86] = 0, 0x55 if data_open else 0
        config[88:90] = b"\xff\xff"
        for at, value in (more or {}).items():
            config[at] = value
        snapshot = replace(self.chip.eeprom, config=bytes(config), slots=tuple(contents))
        self.chip.unsafe_load(snapshot)
        self.serial = self.chip.serial_number
        self.element = StandaloneATECC608(RigBus(Bus([self.chip], clock=self.clock), self.clock))

    @property
    def tail(self):
        return self.serial[8:] + self.serial[:2]

    def slot(self, number, size=32):
        return self.chip.eeprom.slots[number][:size]

    def session(self):
        return self.element.session


def private(key):
    return bytes(4) + scalar(key)


# AES


def ecb(key, data, *, decrypt=False):
    cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - what the chip's command is
    context = cipher.decryptor() if decrypt else cipher.encryptor()
    return context.update(data) + context.finalize()


@covers("AES", "ECB encrypt, slot key")
@covers("AES", "ECB decrypt, slot key")
@pytest.mark.parametrize("block", [0, 1])
def test_aes_blocks_with_a_key_in_a_slot(block):
    part = Part({9: AES_KEY})
    key = SECRET[16 * block : 16 * block + 16]
    with part.session() as s:
        assert aes.encrypt_block(s, 9, B16, block) == ecb(key, B16)
        assert aes.decrypt_block(s, 9, B16, block) == ecb(key, B16, decrypt=True)


@covers("AES", "ECB encrypt, TempKey")
@covers("AES", "ECB decrypt, TempKey")
def test_aes_blocks_with_a_key_in_tempkey():
    with Part().session() as s:
        tempkey.fixed_nonce(s, B64)
        assert aes.encrypt_block(s, None, B16, 3) == ecb(B64[48:], B16)
        assert aes.decrypt_block(s, None, B16, 3) == ecb(B64[48:], B16, decrypt=True)


@covers("AES", "GFM")
@pytest.mark.parametrize("size", [0, 1, 16, 33])
def test_gcm_is_that_of_everybody_else(size):
    part = Part({9: AES_KEY})
    key, data, aad = aes.AES(part.element, 9), B64[:size], b"header"
    text, tag = key.gcm_encrypt(B16[:12], data, aad)
    assert text + tag == AESGCM(SECRET[:16]).encrypt(B16[:12], data, aad)
    assert key.gcm_decrypt(B16[:12], text, tag, aad) == data
    for wrong in (tag[:-1] + bytes((tag[-1] ^ 1,)), tag[:15], b""):
        with pytest.raises(ValueError, match="tag"):
            key.gcm_decrypt(B16[:12], text, wrong, aad)


def test_ctr_and_cbc_are_those_of_everybody_else():
    key = aes.AES(Part({9: AES_KEY}).element, 9)
    start = B16[:12] + b"\xff\xff\xff\xff"
    cbc = Cipher(algorithms.AES(SECRET[:16]), modes.CBC(B16)).encryptor()
    expected = cbc.update(B32) + cbc.finalize()
    assert key.cbc_encrypt(B16, B32) == expected
    assert key.cbc_decrypt(B16, expected) == B32
    assert key.ctr(start, B20) == bytes(
        a ^ b
        for a, b in zip(B20, ecb(SECRET[:16], start) + ecb(SECRET[:16], B16[:12] + bytes(4)), strict=False)
    )


# MAC, CheckMac, DeriveKey


@covers("MAC", "slot key, challenge")
@covers("MAC", "OTP 88")
@covers("MAC", "OTP 64")
@covers("MAC", "full serial number")
@covers("CheckMac", "slot key, challenge")
@covers("CheckMac", "OTP")
@pytest.mark.parametrize("mode", [0, mac.FULL_SERIAL, mac.OTP_64, mac.OTP_88, mac.OTP_64 | mac.FULL_SERIAL])
def test_a_mac_is_what_the_host_computes_and_what_the_chip_accepts(mode):
    part = Part()
    with part.session() as s:
        answer = mac.mac(s, mode, 5, B32)
    assert answer == mac.mac_value(SECRET, B32, mode, 5, part.serial, part.chip.eeprom.otp)
    if mode & mac.OTP_88:
        return  # CheckMac has no form of it.
    other = mac.other_data(mode, 5, part.serial)
    with part.session() as s:
        assert mac.checkmac(s, mode & mac.OTP_64, 5, B32, answer, other)
        assert not mac.checkmac(s, mode & mac.OTP_64, 5, B32, answer[::-1], other)


@covers("MAC", "slot key, TempKey")
@covers("CheckMac", "slot key, TempKey")
@pytest.mark.parametrize("fixed", [False, True])
def test_a_mac_of_tempkey(fixed):
    part = Part()
    mode = mac.CHALLENGE_IN_TEMPKEY | (mac.FIXED_NONCE if fixed else 0)

    def load(s):
        if fixed:
            tempkey.fixed_nonce(s, B32)
            return B32
        return tempkey.nonce_value(tempkey.random_nonce(s, B20), B20)

    with part.session() as s:
        value = load(s)
        answer = mac.mac(s, mode, 5)
        assert answer == mac.mac_value(SECRET, value, mode, 5, part.serial)
        value = load(s)
        right = mac.mac_value(SECRET, value, mode, 5, part.serial)
        assert mac.checkmac(s, mode, 5, ZEROS, right, mac.other_data(mode, 5, part.serial))


@covers("MAC", "TempKey, challenge")
@covers("CheckMac", "TempKey, challenge")
@covers("MAC", "TempKey, TempKey")
@covers("CheckMac", "TempKey, TempKey")
@pytest.mark.parametrize("mode", [6, 7])
def test_a_mac_with_tempkey_as_the_key(mode):
    part = Part()
    challenge = b"" if mode & 1 else B32
    right = mac.mac_value(SECRET, SECRET if mode & 1 else B32, mode, 0, part.serial)
    with part.session() as s:
        tempkey.fixed_nonce(s, SECRET)
        assert mac.mac(s, mode, 0, challenge) == right
        tempkey.fixed_nonce(s, SECRET)
        assert mac.checkmac(s, mode, 0, B32, right, mac.other_data(mode, 0, part.serial))


@covers("CheckMac", "copy to TempKey")
def test_checkmac_copies_the_neighbour_of_an_even_slot_into_tempkey():
    part = Part({4: SECRET_DATA, 5: (0x0080, 0x003C)}, {5: B32})
    mode = mac.CHALLENGE_IN_TEMPKEY
    with part.session() as s:
        value = tempkey.nonce_value(tempkey.random_nonce(s, B20), B20)
        right = mac.mac_value(SECRET, value, mode, 4, part.serial)
        assert mac.checkmac(s, mode, 4, ZEROS, right, mac.other_data(mode, 4, part.serial))
        # The copy is what HMAC now has for a key.
        hash = sha.Hash(s, key_in_tempkey=True)
        hash.update(b"data")
        assert hash.digest() == hmac.digest(B32, b"data", "sha256")


@covers("CheckMac", "authorisation")
def test_checkmac_authorises_a_key_that_waits_for_it():
    part = Part({2: (0x2087, 0x06B3), 6: SECRET_DATA}, {2: private(KEY)})
    mode = mac.CHALLENGE_IN_TEMPKEY
    with part.session() as s:
        tempkey.fixed_nonce(s, B32)
        with pytest.raises(CommandError, match="not allowed"):
            signing.sign(s, 2)
        value = tempkey.nonce_value(tempkey.random_nonce(s, B20), B20)
        right = mac.mac_value(IO_KEY, value, mode, 6, part.serial)
        assert mac.checkmac(s, mode, 6, ZEROS, right, mac.other_data(mode, 6, part.serial))
        tempkey.fixed_nonce(s, B32)
        check(xy(KEY), B32, signing.sign(s, 2))


@covers("DeriveKey", "roll")
@covers("DeriveKey", "create from parent")
@covers("DeriveKey", "with MAC")
@covers("DeriveKey", "input nonce")
@pytest.mark.parametrize("write_config", [0x2, 0x3, 0xA, 0xB])
@pytest.mark.parametrize("fixed", [False, True])
def test_a_key_is_derived_from_itself_or_its_parent(write_config, fixed):
    part = Part({10: (write_config << 12 | 0x0680, 0x003C), 6: SECRET_DATA})
    parent = IO_KEY if write_config & 1 else SECRET
    mode = mac.FIXED_NONCE if fixed else 0
    proof = mac.derive_proof(parent, 10, part.serial, mode) if write_config & 8 else b""
    with part.session() as s:
        value = B32
        if fixed:
            tempkey.fixed_nonce(s, B32)
        else:
            value = tempkey.nonce_value(tempkey.random_nonce(s, B20), B20)
        mac.derive_key(s, 10, fixed, proof)
    assert part.slot(10) == mac.derived_value(parent, value, 10, part.serial, mode)


# Counter, Info, SelfTest, UpdateExtra, Lock, Random


@covers("Counter", "read")
@covers("Counter", "increment")
def test_each_counter_counts_for_itself():
    part = Part()
    assert [counter.increment(part.element, 1) for _ in range(3)] == [1, 2, 3]
    assert counter.increment(part.element, 0) == 1
    assert [counter.read(part.element, number) for number in (0, 1)] == [1, 3]


@covers("Info", "revision")
@covers("Info", "key valid")
@covers("Info", "state")
@covers("Info", "GPIO")
def test_info():
    part = Part({0: PRIVATE, 1: PRIVATE}, {0: private(KEY), 1: b""})
    assert part.element.revision() == bytes.fromhex("00006003")
    assert [selftest.is_key_valid(part.element, slot) for slot in (0, 1)] == [True, False]
    with part.session() as s:
        assert selftest.state(s) == (0, False)
        tempkey.fixed_nonce(s, B32)
        assert selftest.state(s) == (0x10, True)
        tempkey.gendig(s, tempkey.DATA, 5)
        assert selftest.state(s) == (0x35, True)
    with pytest.raises(CommandError):
        selftest.gpio(part.element)


@covers("Info", "latch read")
@covers("Info", "latch set")
@covers("Info", "latch clear")
def test_the_latch_is_set_with_the_volatile_key():
    part = Part(more={69: 0x85})
    mode = mac.CHALLENGE_IN_TEMPKEY
    with part.session() as s:
        assert not selftest.latch(s)
        with pytest.raises(CommandError):
            selftest.latch(s, True)
        value = tempkey.nonce_value(tempkey.random_nonce(s, B20), B20)
        right = mac.mac_value(SECRET, value, mode, 5, part.serial)
        assert mac.checkmac(s, mode, 5, ZEROS, right, mac.other_data(mode, 5, part.serial))
        assert selftest.latch(s, True)
        assert selftest.latch(s)
        assert not selftest.latch(s, False)


@covers("SelfTest", "run tests")
@covers("SelfTest", "read failures")
def test_a_failed_self_test_stops_everything_but_itself():
    part = Part()
    with part.session() as s:
        assert selftest.run(s) == 0
        part.chip.fail_self_test(selftest.SHA)
        assert selftest.run(s) == selftest.SHA
        assert selftest.failures(s) == selftest.SHA
        with pytest.raises(CommandError, match="self-test"):
            Commands(s).random()
        part.chip.fail_self_test(0)
        assert selftest.run(s) == 0
        assert selftest.failures(s) == 0
        assert len(Commands(s).random()) == 32


@covers("UpdateExtra", "UserExtra")
@covers("UpdateExtra", "UserExtraAdd")
def test_an_extra_byte_is_written_once():
    part = Part()
    extra.set_user_extra(part.element, 0x55, 0x55)
    extra.set_user_extra_add(part.element, 0x6A, 0x6A)
    assert part.chip.eeprom.config[84:86] == b"\x55\x6a"
    with pytest.raises(CommandError):
        extra.set_user_extra(part.element, 0x56, 0x56)


@covers("Lock", "slot")
def test_a_slot_is_locked():
    part = Part()
    part.element.lock_slot(5)
    assert part.element.is_slot_locked(5)


@covers("Lock", "config")
@covers("Lock", "data")
@covers("Lock", "without CRC")
@covers("Write", "config")
@covers("Write", "OTP")
@covers("Write", "data, clear")
@covers("Read", "config")
@covers("Read", "OTP")
@covers("Read", "data, clear")
@pytest.mark.parametrize("checked", [True, False])
def test_zones_are_written_locked_and_read(checked):
    with open_chip("atecc608b", clock=(clock := ManualClock()), timing="typical") as chip:
        element = StandaloneATECC608(RigBus(Bus([chip], clock=clock), clock))
        config = bytearray(element.read_config())
        config[20:52], config[96:128] = DATA[0].to_bytes(2, "little") * 16, DATA[1].to_bytes(2, "little") * 16
        element.write_config(bytes(config))
        with element.session as s:
            Commands(s).lock(0 if checked else 0x80, crc16(chip.eeprom.config) if checked else 0)
        contents = [bytes((number,)) * size for number, size in enumerate(SIZES)]
        for number, content in enumerate(contents):
            element.write_slot(number, content)
        with element.session as s:
            Commands(s).write(1, 0, B32)
            Commands(s).write(1, 8, B32[::-1])
            zone = b"".join(contents) + B32 + B32[::-1]
            Commands(s).lock(1 if checked else 0x81, crc16(zone) if checked else 0)
            assert Commands(s).read(1, 0, 32) == B32
            assert Commands(s).read(1, 15, 4) == B32[::-1][28:]
        assert [element.read_slot(number, SIZES[number]) for number in range(16)] == contents


@covers("Random", "seed update")
@covers("Random", "no seed update")
def test_random_numbers_differ():
    part = Part()
    with part.session() as s:
        numbers = {s.execute(0x1B, mode, 0, b"", 32, 23) for mode in (0, 1) * 4}
    assert len(numbers) == 8


# Nonce and GenDig, seen through MAC with TempKey as the key, or through an HMAC


def shown(s):
    """HMAC of nothing with TempKey: what it holds, without its leaving the chip."""
    return sha.Hash(s, key_in_tempkey=True).digest()


def same(s, value):
    assert shown(s) == hmac.digest(value, b"", "sha256")


@covers("Nonce", "random, seed update")
@covers("Nonce", "random, no seed update")
@covers("Nonce", "fixed 32 to TempKey")
@covers("Nonce", "random, of TempKey")
def test_a_nonce_is_what_the_host_computes():
    with Part().session() as s:
        for update in (True, False):
            answer = tempkey.random_nonce(s, B20, update)
            same(s, tempkey.nonce_value(answer, B20, 0 if update else 1))
        tempkey.fixed_nonce(s, B32)
        same(s, B32)
        tempkey.fixed_nonce(s, B32)
        assert tempkey.random_nonce(s, B20, True, True) == tempkey.nonce_value(B32, B20)


@covers("Nonce", "fixed 64 to TempKey")
@covers("Nonce", "fixed 32 to message digest buffer")
@covers("Nonce", "fixed 64 to message digest buffer")
@covers("Nonce", "fixed 32 to alternate key")
def test_a_fixed_nonce_goes_where_it_is_sent():
    part = Part({9: AES_KEY})
    with part.session() as s:
        tempkey.fixed_nonce(s, B64)
        assert aes.encrypt_block(s, None, B16, 3) == ecb(B64[48:], B16)
        tempkey.fixed_nonce(s, B32, tempkey.MESSAGE_DIGEST)
        assert part.chip.volatile.message_digest_length == 32
        tempkey.fixed_nonce(s, B64, tempkey.MESSAGE_DIGEST)
        assert part.chip.volatile.message_digest_length == 64
        tempkey.fixed_nonce(s, SECRET, tempkey.ALTERNATE)
        assert part.chip.volatile.alternate_key
        assert part.chip.volatile.temp_key_length == 64


@covers("GenDig", "config")
@covers("GenDig", "OTP")
@covers("GenDig", "data")
@covers("GenDig", "data, NoMac key")
@covers("GenDig", "shared nonce")
@covers("GenDig", "shared nonce, swapped")
@covers("GenDig", "counter")
@covers("GenDig", "key configuration")
def test_gendig_mixes_in_what_the_host_knows():
    part = Part({4: (0x0090, 0x003C)})
    counter.increment(part.element, 1)
    eeprom, serial = part.chip.eeprom, part.serial
    key_config = eeprom.config[26:28] + eeprom.config[102:104] + b"\1"

    def digest(*parts):
        return hashlib.sha256(b"".join(parts)).digest()

    def after(zone, key_id, other, swapped=False):
        with part.session() as s:
            tempkey.fixed_nonce(s, B32)
            tempkey.gendig(s, zone, key_id, other, swapped)
            return shown(s)

    def expect(value):
        return hmac.digest(value, b"", "sha256")

    gendig = tempkey.gendig_value
    assert after(0, 1, b"") == expect(gendig(B32, serial, eeprom.config[32:64], 0, 1))
    assert after(1, 0, b"") == expect(gendig(B32, serial, eeprom.otp[:32], 1, 0))
    assert after(2, 5, b"") == expect(gendig(B32, serial, SECRET, 2, 5))
    assert after(2, 4, b"abcd") == expect(gendig(B32, serial, SECRET, 2, 4, b"abcd"))
    shared = (bytes((0x15, 3, 7, 0)), part.tail, bytes(25))
    assert after(3, 7, B64[32:]) == expect(digest(B64[32:], *shared, B32))
    assert after(3, 7, B64[32:], True) == expect(digest(B32, *shared, B64[32:]))
    count = (ZEROS, bytes((0x15, 4, 1, 0)), part.tail, b"\0", (1).to_bytes(4, "little"), bytes(20), B32)
    assert after(4, 1, b"") == expect(digest(*count))
    policy = (ZEROS, bytes((0x15, 5, 3, 0)), part.tail, b"\0", key_config, bytes(19), B32)
    assert after(5, 3, b"") == expect(digest(*policy))


# Encrypted reads and writes, private keys written in

SHARED = {7: (0x46C6, 0x003C), 2: (0x6687, 0x0033), 6: SECRET_DATA}


@covers("Read", "data, encrypted")
@covers("Write", "data, encrypted")
def test_a_slot_is_read_and_written_encrypted():
    part = Part(SHARED)
    encrypted.write(part.element, part.serial, 7, 0, B32, 6, IO_KEY, B20)
    assert part.slot(7) == B32
    assert encrypted.read(part.element, part.serial, 7, 0, 6, IO_KEY, B20) == B32
    with pytest.raises(CommandError, match="not allowed"):
        encrypted.write(part.element, part.serial, 7, 0, SECRET, 6, SECRET, B20)
    assert part.slot(7) == B32
    assert encrypted.read(part.element, part.serial, 7, 0, 6, SECRET, B20) != B32


@covers("PrivWrite", "clear")
@covers("PrivWrite", "encrypted")
def test_a_private_key_is_written_in():
    part = Part(SHARED, data_open=True)
    encrypted.write_private_key(part.element, 2, scalar(KEY))
    assert part.element.public_key(2) == xy(KEY)
    part = Part(SHARED)
    encrypted.write_private_key_encrypted(part.element, part.serial, 2, scalar(OTHER_KEY), 6, IO_KEY, B20)
    assert part.element.public_key(2) == xy(OTHER_KEY)
    with pytest.raises(CommandError):
        encrypted.write_private_key(part.element, 2, scalar(KEY))


# GenKey, Sign, Verify


@covers("GenKey", "public key")
@covers("GenKey", "create")
@covers("GenKey", "public key, digest")
@covers("GenKey", "create, digest")
@covers("GenKey", "digest of a stored public key")
def test_keys_are_made_and_digested():
    part = Part({0: PRIVATE, 11: PUBLIC}, {0: private(KEY), 11: padded(xy(OTHER_KEY))})

    def digest(mode, key, other=None):
        head = bytes((0x40, mode, 0, 0)) if other is None else b"\x40" + other
        return hashlib.sha256(B32 + head + part.tail + bytes(25) + key).digest()

    with part.session() as s:
        assert signing.public_key(s, 0) == xy(KEY)
        tempkey.fixed_nonce(s, B32)
        assert signing.public_key(s, 0, True) == xy(KEY)
        same(s, digest(8, xy(KEY)))
        tempkey.fixed_nonce(s, B32)
        born = signing.create_key(s, 0, True)
        same(s, digest(0x0C, born))
        assert born != xy(KEY)
        assert signing.create_key(s, 0) not in (born, xy(KEY))
        tempkey.fixed_nonce(s, B32)
        signing.digest_stored_key(s, 11, b"abc")
        same(s, digest(0x10, xy(OTHER_KEY), b"abc"))


@covers("Sign", "external, TempKey")
@covers("Sign", "external, message digest buffer")
@covers("Verify", "stored, TempKey")
@covers("Verify", "stored, message digest buffer")
@covers("Verify", "external, TempKey")
@covers("Verify", "external, message digest buffer")
@pytest.mark.parametrize("buffer", [tempkey.TEMPKEY, tempkey.MESSAGE_DIGEST])
def test_signatures_are_made_and_verified_from_either_buffer(buffer):
    part = Part({0: PRIVATE, 11: PUBLIC}, {0: private(KEY), 11: padded(xy(KEY))})
    in_digest = buffer == tempkey.MESSAGE_DIGEST
    with part.session() as s:
        tempkey.fixed_nonce(s, B32, buffer)
        signature = signing.sign(s, 0, in_digest)
        check(xy(KEY), B32, signature)
        for verdict, value in ((True, B32), (False, SECRET)):
            tempkey.fixed_nonce(s, value, buffer)
            assert verifying.verify(s, 11, signature, in_digest) is verdict
            tempkey.fixed_nonce(s, value, buffer)
            assert verifying.verify_external(s, xy(KEY), signature, in_digest) is verdict
    check(xy(KEY), SECRET, signing.digest(part.element, 0, SECRET))


@covers("Verify", "stored, MAC")
@covers("Verify", "external, MAC")
@pytest.mark.parametrize("key", [{"slot": 11}, {"public_key": xy(KEY)}])
def test_a_verdict_is_proved_with_the_io_protection_key(key):
    part = Part({11: PUBLIC}, {11: padded(xy(KEY))})
    signature = ecdsa(KEY, B32)
    with part.session() as s:
        tempkey.fixed_nonce(s, B32 + SECRET, tempkey.MESSAGE_DIGEST)
        assert verifying.verify_proved(s, IO_KEY, B32, SECRET, signature, message_digest=True, **key)
        tempkey.fixed_nonce(s, B32 + SECRET, tempkey.MESSAGE_DIGEST)
        wrong = signature[:63] + bytes((signature[63] ^ 1,))
        assert not verifying.verify_proved(s, IO_KEY, B32, SECRET, wrong, message_digest=True, **key)


def internal_message(part, temp, mode, signer, slot, flags, *, full, valid=0):
    config = part.chip.eeprom.config
    serial = part.serial
    return b"".join(
        (
            temp,
            bytes((0x41, mode, signer, 0)),
            config[20 + 2 * slot : 22 + 2 * slot],
            config[96 + 2 * slot : 98 + 2 * slot],
            bytes((flags, 0, 0)),
            serial[8:],
            serial[4:8] if full else bytes(4),
            serial[:2],
            serial[2:4] if full else bytes(2),
            bytes((1, valid, 0)),
        )
    )


@covers("Sign", "internal")
@covers("Sign", "internal, full serial number")
@covers("Sign", "internal, to invalidate")
@pytest.mark.parametrize(("full", "invalidate"), [(False, False), (True, False), (True, True)])
def test_the_chip_signs_what_it_built_itself(full, invalidate):
    part = Part({0: PRIVATE, 2: PRIVATE}, {0: private(KEY), 2: private(OTHER_KEY)})
    with part.session() as s:
        tempkey.fixed_nonce(s, B32)
        signing.public_key(s, 2, True)
        signature = signing.sign_internal(s, 0, full, invalidate)
    head = bytes((0x40, 8, 2, 0)) + part.tail + bytes(25)
    temp = hashlib.sha256(B32 + head + xy(OTHER_KEY)).digest()
    mode = (0x40 if full else 0) | (1 if invalidate else 0)
    message = internal_message(part, temp, mode, 0, 2, 0x52, full=full)
    check(xy(KEY), hashlib.sha256(message).digest(), signature)


@covers("Verify", "validate")
@covers("Verify", "invalidate")
def test_a_stored_key_is_validated_and_invalidated_by_its_parent():
    """Slot 14 holds the key, slot 11 its parent's public key; the parent's chip built the message."""
    part = Part(
        {0: PRIVATE, 11: PUBLIC, 14: (0x100B, 0x0032)},
        {0: private(KEY), 11: padded(xy(KEY)), 14: padded(xy(OTHER_KEY))},
    )

    def sign(*, invalidate):
        """Sign, internal, by slot 0 over GenKey's digest of the stored key; gives signature and OtherData."""
        valid = part.chip.eeprom.slots[14][0] & 0xF0 == 0x50
        with part.session() as s:
            tempkey.fixed_nonce(s, B32)
            signing.digest_stored_key(s, 14, b"abc")
            signature = signing.sign_internal(s, 0, True, invalidate)
        head = b"\x40abc" + part.tail + bytes(25)
        temp = hashlib.sha256(B32 + head + xy(OTHER_KEY)).digest()
        mode = 0x41 if invalidate else 0x40
        message = internal_message(part, temp, mode, 0, 14, 0x5E, full=True, valid=valid)
        check(xy(KEY), hashlib.sha256(message).digest(), signature)
        return signature, message[33:43] + message[44:48] + message[50:55]

    def use():
        with part.session() as s:
            tempkey.fixed_nonce(s, B32)
            return verifying.verify(s, 14, ecdsa(OTHER_KEY, B32))

    def prepared(s):
        tempkey.fixed_nonce(s, B32)
        signing.digest_stored_key(s, 14, b"abc")

    with pytest.raises(CommandError):
        use()
    signature, other = sign(invalidate=False)
    with part.session() as s:
        prepared(s)
        assert not verifying.validate(s, 14, signature[::-1], other)
        prepared(s)
        assert verifying.validate(s, 14, signature, other)
    assert use()
    signature, other = sign(invalidate=True)
    with part.session() as s:
        prepared(s)
        assert verifying.invalidate(s, 14, signature, other)
    with pytest.raises(CommandError):
        use()


# SHA


@covers("SHA", "start")
@covers("SHA", "update")
@covers("SHA", "end, output only")
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 200])
def test_sha256_takes_bytes_of_any_length(size):
    data = bytes(range(size))
    assert sha.sha256(Part().element, data) == hashlib.sha256(data).digest()
    assert sha.sha256(Part().element, bytearray(data)) == hashlib.sha256(data).digest()


@covers("SHA", "end, to TempKey")
@covers("SHA", "end, to message digest buffer")
def test_a_digest_stays_in_the_chip_for_sign():
    part = Part({0: PRIVATE}, {0: private(KEY)})
    for target, in_digest in ((sha.TO_TEMPKEY, False), (sha.TO_MESSAGE_DIGEST, True)):
        with part.session() as s:
            hash = sha.Hash(s)
            hash.update(b"message")
            digest = hash.digest(target)
            check(xy(KEY), hashlib.sha256(b"message").digest(), signing.sign(s, 0, in_digest))
        assert digest == hashlib.sha256(b"message").digest()


@covers("SHA", "public")
def test_a_stored_public_key_is_hashed_where_it_is():
    with Part({11: PUBLIC}, {11: padded(xy(KEY))}).session() as s:
        hash = sha.Hash(s)
        hash.update_public_key(11)
        assert hash.digest() == hashlib.sha256(xy(KEY)).digest()


@covers("SHA", "HMAC start, slot")
@covers("SHA", "HMAC start, TempKey")
@covers("SHA", "HMAC end")
@pytest.mark.parametrize("size", [0, 64, 100])
def test_hmac_with_a_key_that_stays_in_the_chip(size):
    part, data = Part(), bytes(range(size))
    assert sha.hmac(part.element, 5, data) == hmac.digest(SECRET, data, "sha256")
    with part.session() as s:
        tempkey.fixed_nonce(s, B32)
        hash = sha.Hash(s, key_in_tempkey=True)
        hash.update(data)
        assert hash.digest() == hmac.digest(B32, data, "sha256")


@covers("SHA", "read context")
@covers("SHA", "write context")
def test_a_hash_is_put_aside_and_gone_on_with_after_a_sleep():
    part = Part()
    with part.session() as s:
        hash = sha.Hash(s)
        hash.update(B64)
        context = hash.context()
    with part.session() as s:
        hash = sha.restored(s, context)
        hash.update(b"the rest")
        assert hash.digest() == hashlib.sha256(B64 + b"the rest").digest()


# ECDH


def common(key, other):
    return key.exchange(ec.ECDH(), other.public_key())


# The policy of ECDH's output is ReadKey: bit 2 allows it, bit 3 sends it into the next slot.
CLEAR, INTO_NEXT = (0x2084, 0x0033), (0x208C, 0x0033)


@covers("ECDH", "slot key, as configured")
@covers("ECDH", "slot key, output clear")
@covers("ECDH", "slot key, output encrypted")
@covers("ECDH", "slot key, to TempKey")
def test_the_secret_of_a_key_in_a_slot():
    part = Part({2: CLEAR}, {2: private(KEY)})
    wanted = common(KEY, OTHER_KEY)
    assert ecdh.secret(part.element, 2, xy(OTHER_KEY)) == wanted
    assert ecdh.protected_secret(part.element, 2, xy(OTHER_KEY), IO_KEY) == wanted
    with part.session() as s:
        assert ecdh.ecdh(s, ecdh.AS_CONFIGURED, 2, xy(OTHER_KEY)) == wanted
        assert ecdh.ecdh(s, ecdh.TO_TEMPKEY, 2, xy(OTHER_KEY)) == b""
        same(s, wanted)


@covers("ECDH", "slot key, to next slot")
def test_a_secret_goes_into_the_next_slot():
    for mode in (ecdh.AS_CONFIGURED, ecdh.TO_SLOT):
        part = Part({2: INTO_NEXT}, {2: private(KEY)})
        with part.session() as s:
            assert ecdh.ecdh(s, mode, 2, xy(OTHER_KEY)) == b""
        assert part.slot(3) == common(KEY, OTHER_KEY)


@covers("GenKey", "create in TempKey")
@covers("ECDH", "TempKey, output clear")
@covers("ECDH", "TempKey, output encrypted")
@covers("ECDH", "TempKey, to TempKey")
@covers("ECDH", "TempKey, to slot")
def test_the_secret_of_a_key_that_lives_for_one_session():
    part = Part()

    def wanted(public_key):
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
        return OTHER_KEY.exchange(ec.ECDH(), point)

    with part.session() as s:
        born = signing.create_ephemeral_key(s)
        assert ecdh.ecdh(s, ecdh.FROM_TEMPKEY | ecdh.TO_OUTPUT, 0, xy(OTHER_KEY)) == wanted(born)
        born = signing.create_ephemeral_key(s)
        answer = ecdh.ecdh(s, ecdh.FROM_TEMPKEY | ecdh.TO_OUTPUT | ecdh.ENCRYPTED, 0, xy(OTHER_KEY))
        assert ecdh.unmasked(answer, IO_KEY) == wanted(born)
        born = signing.create_ephemeral_key(s)
        ecdh.ecdh(s, ecdh.FROM_TEMPKEY | ecdh.TO_TEMPKEY, 0, xy(OTHER_KEY))
        same(s, wanted(born))
        born = signing.create_ephemeral_key(s)
        ecdh.ecdh(s, ecdh.FROM_TEMPKEY | ecdh.TO_SLOT, 5, xy(OTHER_KEY))
    assert part.slot(5) == wanted(born)


# KDF


def p_sha256(secret, seed, size):
    """P_SHA256 of RFC 5246 section 5."""
    a, out = seed, b""
    while len(out) < size:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + seed, "sha256")
    return out[:size]


@covers("KDF", "PRF 32 bytes")
@covers("KDF", "PRF 64 bytes")
@covers("KDF", "from slot")
@covers("KDF", "to output")
@covers("KDF", "to output encrypted")
def test_the_prf_of_tls():
    part = Part()
    for long in (False, True):
        wanted = p_sha256(SECRET, b"label and seed", 64 if long else 32)
        assert kdf.output(part.element, kdf.prf, b"label and seed", 5, long=long) == wanted
        assert kdf.output(part.element, kdf.prf, b"label and seed", 5, IO_KEY, long=long) == wanted


@covers("KDF", "PRF AEAD")
def test_the_prf_keeps_what_an_aead_suite_does_not_show():
    with Part().session() as s:
        tempkey.fixed_nonce(s, B32)
        with contextlib.suppress(CommandError):
            # How the split is laid out is not public; the driver sends it, and what comes is not secret.
            answer = kdf.prf(s, b"seed", kdf.FROM_TEMPKEY, kdf.TO_TEMPKEY, long=True, aead=True)
            assert p_sha256(B32, b"seed", 64)[:32] != answer


@covers("KDF", "AES")
def test_kdf_by_aes():
    part = Part({9: AES_KEY})
    for block in (0, 1):
        wanted = ecb(SECRET[16 * block : 16 * block + 16], B16) + bytes(16)
        assert kdf.output(part.element, kdf.aes, B16, 9, key_block=block) == wanted


@covers("KDF", "HKDF")
@covers("KDF", "HKDF zero key")
@covers("KDF", "HKDF message in TempKey")
@covers("KDF", "HKDF message in slot")
def test_one_step_of_hkdf():
    part = Part({8: DATA}, {8: B64})
    assert kdf.output(part.element, kdf.hkdf, b"info", 5) == hmac.digest(SECRET, b"info", "sha256")
    assert kdf.output(part.element, kdf.hkdf, b"info", 5, zero_key=True) == hmac.digest(
        ZEROS, b"info", "sha256"
    )
    with part.session() as s:
        tempkey.fixed_nonce(s, B32)
        answer = kdf.hkdf(s, b"", source_slot=5, place=kdf.MESSAGE_IN_TEMPKEY)
        assert answer == hmac.digest(SECRET, B32, "sha256")
        answer = kdf.hkdf(s, b"", source_slot=5, place=kdf.MESSAGE_IN_SLOT, message_slot=8)
        assert answer == hmac.digest(SECRET, B64[:32], "sha256")


@covers("KDF", "HKDF initialisation vector")
def test_hkdf_of_a_message_that_must_hold_the_iv():
    part = Part(more={72: 2, 73: ord("i"), 74: ord("v")})
    assert kdf.output(part.element, kdf.hkdf, b"..iv", 5, place=kdf.MESSAGE_WITH_IV) == hmac.digest(
        SECRET, b"..iv", "sha256"
    )
    with pytest.raises(CommandError):
        kdf.output(part.element, kdf.hkdf, b"...v", 5, place=kdf.MESSAGE_WITH_IV)


@covers("KDF", "from TempKey")
@covers("KDF", "to TempKey")
@covers("KDF", "from upper TempKey")
@covers("KDF", "to upper TempKey")
@covers("KDF", "from alternate key")
@covers("KDF", "to alternate key")
@covers("KDF", "to slot")
def test_keys_are_derived_from_and_into_every_place():
    part = Part({9: AES_KEY})

    def step(key, message):
        return hmac.digest(key, message, "sha256")

    with part.session() as s:
        tempkey.fixed_nonce(s, B64)
        assert kdf.hkdf(s, b"a", kdf.FROM_TEMPKEY) == step(B64[:32], b"a")
        assert kdf.hkdf(s, b"a", kdf.FROM_UPPER_TEMPKEY) == step(B64[32:], b"a")
        tempkey.fixed_nonce(s, SECRET, tempkey.ALTERNATE)
        assert kdf.hkdf(s, b"a", kdf.FROM_ALTERNATE) == step(SECRET, b"a")
        kdf.hkdf(s, b"b", kdf.FROM_TEMPKEY, kdf.TO_UPPER_TEMPKEY)
        assert kdf.hkdf(s, b"c", kdf.FROM_UPPER_TEMPKEY) == step(step(B64[:32], b"b"), b"c")
        kdf.hkdf(s, b"d", kdf.FROM_SLOT, kdf.TO_ALTERNATE, 5)
        assert kdf.hkdf(s, b"e", kdf.FROM_ALTERNATE) == step(step(SECRET, b"d"), b"e")
        kdf.hkdf(s, b"f", kdf.FROM_SLOT, kdf.TO_TEMPKEY, 5)
        assert kdf.hkdf(s, b"g", kdf.FROM_TEMPKEY) == step(step(SECRET, b"f"), b"g")
        kdf.hkdf(s, b"h", kdf.FROM_SLOT, kdf.TO_SLOT, 5, 9)
    assert part.slot(9) == step(SECRET, b"h")


# SecureBoot: the key in slot 11, what is stored in slot 12


def bootable(mode, **holding):
    slots = {11: PUBLIC, 12: (0x8080, 0x003C), 6: SECRET_DATA}
    contents = {11: padded(xy(KEY))} | {int(slot[1:]): value for slot, value in holding.items()}
    return Part(slots, contents, boot=bytes((mode, 0xBC)))


@covers("SecureBoot", "Full")
@covers("SecureBoot", "FullBoth")
@covers("SecureBoot", "prohibit")
def test_a_firmware_boots_if_its_vendor_signed_it():
    part = bootable(1)
    good = ecdsa(KEY, B32)
    assert secureboot.boot(part.element, secureboot.FULL, B32, good)
    assert not secureboot.boot(part.element, secureboot.FULL, SECRET, good)
    assert secureboot.boot(part.element, secureboot.FULL, B32, good, prohibit=True)
    with pytest.raises(CommandError):
        secureboot.boot(part.element, secureboot.FULL, B32, good)
    part.chip.power_cycle()
    assert secureboot.boot(part.element, secureboot.FULL, B32, good)


@covers("SecureBoot", "FullCopy, digest")
@covers("SecureBoot", "FullStore, digest")
def test_a_digest_is_stored_once_verified_and_compared_from_then_on():
    part = bootable(3)
    assert secureboot.boot(part.element, secureboot.COPY, B32, ecdsa(KEY, B32))
    assert part.slot(12) == B32
    assert secureboot.boot(part.element, secureboot.STORED, B32)
    assert not secureboot.boot(part.element, secureboot.STORED, SECRET)


@covers("SecureBoot", "FullCopy, signature")
@covers("SecureBoot", "FullStore, signature")
def test_a_signature_is_stored_once_verified_and_verified_from_then_on():
    part, good = bootable(2), ecdsa(KEY, B32)
    assert secureboot.boot(part.element, secureboot.COPY, B32, good)
    assert part.slot(12, 64) == good
    assert secureboot.boot(part.element, secureboot.STORED, B32)
    assert not secureboot.boot(part.element, secureboot.STORED, SECRET)


@covers("SecureBoot", "encrypted digest and MAC")
def test_a_boot_is_proved():
    part, good = bootable(1), ecdsa(KEY, B32)
    assert secureboot.boot_proved(part.element, secureboot.FULL, B32, good, IO_KEY, B20)
    assert not secureboot.boot_proved(part.element, secureboot.FULL, B32, ecdsa(KEY, SECRET), IO_KEY, B20)


@covers("Verify", "validate external")
def test_a_stored_key_is_validated_by_a_certificate():
    """Its X.509 template is hashed in the chip, around the stored key, in the second of three blocks."""
    part = Part(
        {11: PUBLIC, 14: (0x000B, 0x4032)},
        {11: padded(xy(KEY)), 14: padded(xy(OTHER_KEY))},
        more={93: 0x31},
    )
    before, after = bytes(64), B32
    with part.session() as s:
        hash = sha.Hash(s)
        hash.update(before)
        hash.update_public_key(14)
        hash.update(after)
        digest = hash.digest(sha.TO_TEMPKEY)
        assert digest == hashlib.sha256(before + xy(OTHER_KEY) + after).digest()
        assert verifying.validate_external(s, 14, ecdsa(KEY, digest))
    assert part.chip.eeprom.slots[14][0] & 0xF0 == 0x50
