"""Every command and mode that the driver sends: the packet's bytes as the documents give them, the answer."""

import hashlib
import re
from pathlib import Path

import pytest
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
from hri_device.atecc.element import ATECC608
from hri_device.errors import BusError, CommandError, PacketError
from unit.firmware_atecc.scripted_bus import (
    OK,
    SLEEP,
    ScriptedBus,
    awake,
    command,
    exchange,
    lose,
    reply,
    write,
)

B16, B20, B32, B64 = bytes(range(16)), bytes(range(20)), bytes(range(32)), bytes(range(64))
KEY, OTHER = bytes(range(100, 132)), bytes(range(13))
PUBLIC, SIGNATURE = bytes(range(64, 128)), bytes(range(128, 192))
SERIAL = bytes.fromhex("0123456789abcdefee")


def tail(serial=SERIAL):
    return serial[8:] + serial[:2]


def row(covered, call, packet, answer=b"", result=None, before=()):
    """One command: what it covers, the call on an open session, (opcode, p1, p2, data), answer and result."""
    pairs = covered if isinstance(covered[0], tuple) else (covered,)
    marks = [pytest.mark.covers(*pair) for pair in pairs]
    return pytest.param(call, packet, answer, result, before, marks=marks, id=" ".join(pairs[0]))


def le(details, message):
    return (details | len(message) << 24).to_bytes(4, "little") + message


S, T = kdf.FROM_SLOT, kdf.FROM_TEMPKEY
SHA_START = ((0x47, 0, 0, b""),)
ROWS = [
    row(
        ("AES", "ECB encrypt, slot key"),
        lambda s: aes.encrypt_block(s, 9, B16, 2),
        (0x51, 0x80, 9, B16),
        B16,
        B16,
    ),
    row(
        ("AES", "ECB decrypt, slot key"),
        lambda s: aes.decrypt_block(s, 9, B16),
        (0x51, 0x01, 9, B16),
        B16,
        B16,
    ),
    row(
        ("AES", "ECB encrypt, TempKey"),
        lambda s: aes.encrypt_block(s, None, B16, 3),
        (0x51, 0xC0, 0xFFFF, B16),
        B16,
        B16,
    ),
    row(
        ("AES", "ECB decrypt, TempKey"),
        lambda s: aes.decrypt_block(s, None, B16),
        (0x51, 0x01, 0xFFFF, B16),
        B16,
        B16,
    ),
    row(("AES", "GFM"), lambda s: aes.multiply(s, B16, B16), (0x51, 0x03, 0, B16 + B16), B16, B16),
    row(
        ("CheckMac", "slot key, challenge"),
        lambda s: mac.checkmac(s, 0, 5, B32, KEY, OTHER),
        (0x28, 0, 5, B32 + KEY + OTHER),
        b"\0",
        True,
    ),
    row(
        ("CheckMac", "slot key, TempKey"),
        lambda s: mac.checkmac(s, 1, 5, B32, KEY, OTHER),
        (0x28, 1, 5, B32 + KEY + OTHER),
        b"\1",
        False,
    ),
    row(
        ("CheckMac", "TempKey, challenge"),
        lambda s: mac.checkmac(s, 2, 0, B32, KEY, OTHER),
        (0x28, 2, 0, B32 + KEY + OTHER),
        b"\0",
        True,
    ),
    row(
        ("CheckMac", "TempKey, TempKey"),
        lambda s: mac.checkmac(s, 7, 0, B32, KEY, OTHER),
        (0x28, 7, 0, B32 + KEY + OTHER),
        b"\0",
        True,
    ),
    row(
        ("CheckMac", "OTP"),
        lambda s: mac.checkmac(s, mac.OTP_64, 5, B32, KEY, OTHER),
        (0x28, 0x20, 5, B32 + KEY + OTHER),
        b"\0",
        True,
    ),
    row(
        (("CheckMac", "copy to TempKey"), ("CheckMac", "authorisation")),
        lambda s: mac.checkmac(s, mac.CHALLENGE_IN_TEMPKEY, 4, B32, KEY, OTHER),
        (0x28, 1, 4, B32 + KEY + OTHER),
        b"\0",
        True,
    ),
    row(("DeriveKey", "roll"), lambda s: mac.derive_key(s, 5), (0x1C, 0, 5, b""), b"\0"),
    row(("DeriveKey", "create from parent"), lambda s: mac.derive_key(s, 6), (0x1C, 0, 6, b""), b"\0"),
    row(("DeriveKey", "with MAC"), lambda s: mac.derive_key(s, 5, proof=KEY), (0x1C, 0, 5, KEY), b"\0"),
    row(
        ("DeriveKey", "input nonce"),
        lambda s: mac.derive_key(s, 5, fixed_nonce=True),
        (0x1C, 4, 5, b""),
        b"\0",
    ),
    row(
        ("ECDH", "slot key, as configured"),
        lambda s: ecdh.ecdh(s, ecdh.AS_CONFIGURED, 2, PUBLIC),
        (0x43, 0, 2, PUBLIC),
        B32,
        B32,
    ),
    row(
        ("ECDH", "slot key, to next slot"),
        lambda s: ecdh.ecdh(s, ecdh.TO_SLOT, 2, PUBLIC),
        (0x43, 4, 2, PUBLIC),
        b"\0",
        b"",
    ),
    row(
        ("ECDH", "slot key, to TempKey"),
        lambda s: ecdh.ecdh(s, ecdh.TO_TEMPKEY, 2, PUBLIC),
        (0x43, 8, 2, PUBLIC),
        b"\0",
        b"",
    ),
    row(
        ("ECDH", "slot key, output clear"),
        lambda s: ecdh.ecdh(s, ecdh.TO_OUTPUT, 2, PUBLIC),
        (0x43, 0x0C, 2, PUBLIC),
        B32,
        B32,
    ),
    row(
        ("ECDH", "slot key, output encrypted"),
        lambda s: ecdh.ecdh(s, 0x0E, 2, PUBLIC),
        (0x43, 0x0E, 2, PUBLIC),
        B64,
        B64,
    ),
    row(
        ("ECDH", "TempKey, to slot"),
        lambda s: ecdh.ecdh(s, ecdh.FROM_TEMPKEY | ecdh.TO_SLOT, 7, PUBLIC),
        (0x43, 5, 7, PUBLIC),
        b"\0",
        b"",
    ),
    row(
        ("ECDH", "TempKey, to TempKey"),
        lambda s: ecdh.ecdh(s, 9, 0, PUBLIC),
        (0x43, 9, 0, PUBLIC),
        b"\0",
        b"",
    ),
    row(
        ("ECDH", "TempKey, output clear"),
        lambda s: ecdh.ecdh(s, 0x0D, 0, PUBLIC),
        (0x43, 0x0D, 0, PUBLIC),
        B32,
        B32,
    ),
    row(
        ("ECDH", "TempKey, output encrypted"),
        lambda s: ecdh.ecdh(s, 0x0F, 0, PUBLIC),
        (0x43, 0x0F, 0, PUBLIC),
        B64,
        B64,
    ),
    row(("GenDig", "config"), lambda s: tempkey.gendig(s, tempkey.CONFIG, 2), (0x15, 0, 2, b""), b"\0"),
    row(("GenDig", "OTP"), lambda s: tempkey.gendig(s, tempkey.OTP, 1), (0x15, 1, 1, b""), b"\0"),
    row(("GenDig", "data"), lambda s: tempkey.gendig(s, tempkey.DATA, 5), (0x15, 2, 5, b""), b"\0"),
    row(
        ("GenDig", "data, NoMac key"),
        lambda s: tempkey.gendig(s, tempkey.DATA, 5, b"abcd"),
        (0x15, 2, 5, b"abcd"),
        b"\0",
    ),
    row(
        ("GenDig", "shared nonce"),
        lambda s: tempkey.gendig(s, tempkey.SHARED_NONCE, 7, B32),
        (0x15, 3, 7, B32),
        b"\0",
    ),
    row(
        ("GenDig", "shared nonce, swapped"),
        lambda s: tempkey.gendig(s, tempkey.SHARED_NONCE, 7, B32, True),
        (0x15, 3, 0x8007, B32),
        b"\0",
    ),
    row(("GenDig", "counter"), lambda s: tempkey.gendig(s, tempkey.COUNTER, 1), (0x15, 4, 1, b""), b"\0"),
    row(
        ("GenDig", "key configuration"),
        lambda s: tempkey.gendig(s, tempkey.KEY_CONFIG, 3),
        (0x15, 5, 3, b""),
        b"\0",
    ),
    row(("GenKey", "public key"), lambda s: signing.public_key(s, 3), (0x40, 0, 3, b""), PUBLIC, PUBLIC),
    row(("GenKey", "create"), lambda s: signing.create_key(s, 3), (0x40, 4, 3, b""), PUBLIC, PUBLIC),
    row(
        ("GenKey", "create in TempKey"), signing.create_ephemeral_key, (0x40, 4, 0xFFFF, b""), PUBLIC, PUBLIC
    ),
    row(
        ("GenKey", "public key, digest"),
        lambda s: signing.public_key(s, 3, True),
        (0x40, 8, 3, b""),
        PUBLIC,
        PUBLIC,
    ),
    row(
        ("GenKey", "create, digest"),
        lambda s: signing.create_key(s, 3, True),
        (0x40, 0x0C, 3, b""),
        PUBLIC,
        PUBLIC,
    ),
    row(
        ("GenKey", "digest of a stored public key"),
        lambda s: signing.digest_stored_key(s, 11, b"abc"),
        (0x40, 0x10, 11, b"abc"),
        b"\0",
    ),
    row(("Info", "revision"), lambda s: Commands(s).info(), (0x30, 0, 0, b""), b"abcd", b"abcd"),
    row(("Info", "state"), selftest.state, (0x30, 2, 0, b""), b"\x35\x80\0\0", (0x35, True)),
    row(("Info", "latch read"), selftest.latch, (0x30, 4, 0, b""), b"\1\0\0\0", True),
    row(
        ("Info", "latch clear"),
        lambda s: selftest.latch(s, False),
        (0x30, 4, 0, b""),
        bytes(4),
        False,
        before=((0x30, 4, 2, b"", bytes(4)),),
    ),
    row(
        ("Info", "latch set"),
        lambda s: selftest.latch(s, True),
        (0x30, 4, 0, b""),
        b"\1\0\0\0",
        True,
        before=((0x30, 4, 3, b"", bytes(4)),),
    ),
    row(
        (("KDF", "PRF 32 bytes"), ("KDF", "from slot"), ("KDF", "to output")),
        lambda s: kdf.prf(s, b"seed", source_slot=5),
        (0x56, 0x12, 5, le(1, b"seed")),
        B32,
        B32,
    ),
    row(
        ("KDF", "PRF 64 bytes"),
        lambda s: kdf.prf(s, b"seed", source_slot=5, long=True, key_length=kdf.KEY_48),
        (0x56, 0x12, 5, le(0x102, b"seed")),
        B64,
        B64,
    ),
    row(
        ("KDF", "PRF AEAD"),
        lambda s: kdf.prf(s, b"seed", T, kdf.TO_TEMPKEY, long=True, aead=True),
        (0x56, 0x00, 0, le(0x701, b"seed")),
        B32,
        B32,
    ),
    row(
        ("KDF", "AES"),
        lambda s: kdf.aes(s, B16, source_slot=9, key_block=1),
        (0x56, 0x32, 9, b"\1\0\0\0" + B16),
        B32,
        B32,
    ),
    row(
        ("KDF", "HKDF"),
        lambda s: kdf.hkdf(s, b"info", source_slot=5),
        (0x56, 0x52, 5, le(2, b"info")),
        B32,
        B32,
    ),
    row(
        ("KDF", "HKDF zero key"),
        lambda s: kdf.hkdf(s, b"info", source_slot=5, zero_key=True),
        (0x56, 0x52, 5, le(6, b"info")),
        B32,
        B32,
    ),
    row(
        ("KDF", "HKDF message in slot"),
        lambda s: kdf.hkdf(s, b"", source_slot=5, place=kdf.MESSAGE_IN_SLOT, message_slot=8),
        (0x56, 0x52, 5, b"\0\x08\0\x20"),
        B32,
        B32,
    ),
    row(
        ("KDF", "HKDF message in TempKey"),
        lambda s: kdf.hkdf(s, b"", source_slot=5, place=kdf.MESSAGE_IN_TEMPKEY),
        (0x56, 0x52, 5, b"\1\0\0\x20"),
        B32,
        B32,
    ),
    row(
        ("KDF", "HKDF initialisation vector"),
        lambda s: kdf.hkdf(s, b"iv..", source_slot=5, place=kdf.MESSAGE_WITH_IV),
        (0x56, 0x52, 5, le(3, b"iv..")),
        B32,
        B32,
    ),
    row(
        (("KDF", "from TempKey"), ("KDF", "to TempKey")),
        lambda s: kdf.hkdf(s, b"x", T, kdf.TO_TEMPKEY),
        (0x56, 0x40, 0, le(2, b"x")),
        b"\0",
        b"",
    ),
    row(
        (("KDF", "from upper TempKey"), ("KDF", "to upper TempKey")),
        lambda s: kdf.hkdf(s, b"x", kdf.FROM_UPPER_TEMPKEY, kdf.TO_UPPER_TEMPKEY),
        (0x56, 0x45, 0, le(2, b"x")),
        b"\0",
        b"",
    ),
    row(
        (("KDF", "from alternate key"), ("KDF", "to alternate key")),
        lambda s: kdf.hkdf(s, b"x", kdf.FROM_ALTERNATE, kdf.TO_ALTERNATE),
        (0x56, 0x4F, 0, le(2, b"x")),
        b"\0",
        b"",
    ),
    row(
        ("KDF", "to slot"),
        lambda s: kdf.hkdf(s, b"x", S, kdf.TO_SLOT, 5, 9),
        (0x56, 0x4A, 0x0905, le(2, b"x")),
        b"\0",
        b"",
    ),
    row(
        ("KDF", "to output encrypted"),
        lambda s: kdf.hkdf(s, b"x", S, kdf.TO_OUTPUT_ENCRYPTED, 5),
        (0x56, 0x56, 5, le(2, b"x")),
        B64,
        B64,
    ),
    row(("Lock", "config"), lambda s: Commands(s).lock(0, 0x1234), (0x17, 0, 0x1234, b""), b"\0"),
    row(("Lock", "data"), lambda s: Commands(s).lock(1, 0x1234), (0x17, 1, 0x1234, b""), b"\0"),
    row(("Lock", "slot"), lambda s: Commands(s).lock(3 << 2 | 2, 0), (0x17, 0x0E, 0, b""), b"\0"),
    row(("Lock", "without CRC"), lambda s: Commands(s).lock(0x80, 0), (0x17, 0x80, 0, b""), b"\0"),
    row(("MAC", "slot key, challenge"), lambda s: mac.mac(s, 0, 5, B32), (0x08, 0, 5, B32), KEY, KEY),
    row(
        ("MAC", "slot key, TempKey"),
        lambda s: mac.mac(s, mac.CHALLENGE_IN_TEMPKEY, 5),
        (0x08, 1, 5, b""),
        KEY,
        KEY,
    ),
    row(
        ("MAC", "TempKey, challenge"),
        lambda s: mac.mac(s, mac.KEY_IN_TEMPKEY | mac.FIXED_NONCE, 0, B32),
        (0x08, 6, 0, B32),
        KEY,
        KEY,
    ),
    row(("MAC", "TempKey, TempKey"), lambda s: mac.mac(s, 7, 0), (0x08, 7, 0, b""), KEY, KEY),
    row(("MAC", "OTP 88"), lambda s: mac.mac(s, mac.OTP_88, 5, B32), (0x08, 0x10, 5, B32), KEY, KEY),
    row(("MAC", "OTP 64"), lambda s: mac.mac(s, mac.OTP_64, 5, B32), (0x08, 0x20, 5, B32), KEY, KEY),
    row(
        ("MAC", "full serial number"),
        lambda s: mac.mac(s, mac.FULL_SERIAL, 5, B32),
        (0x08, 0x40, 5, B32),
        KEY,
        KEY,
    ),
    row(
        ("Nonce", "random, seed update"), lambda s: tempkey.random_nonce(s, B20), (0x16, 0, 0, B20), B32, B32
    ),
    row(
        ("Nonce", "random, no seed update"),
        lambda s: tempkey.random_nonce(s, B20, False),
        (0x16, 1, 0, B20),
        B32,
        B32,
    ),
    row(
        ("Nonce", "random, of TempKey"),
        lambda s: tempkey.random_nonce(s, B20, True, True),
        (0x16, 0, 0x8000, B20),
        B32,
        B32,
    ),
    row(("Nonce", "fixed 32 to TempKey"), lambda s: tempkey.fixed_nonce(s, B32), (0x16, 0x03, 0, B32), b"\0"),
    row(("Nonce", "fixed 64 to TempKey"), lambda s: tempkey.fixed_nonce(s, B64), (0x16, 0x23, 0, B64), b"\0"),
    row(
        ("Nonce", "fixed 32 to message digest buffer"),
        lambda s: tempkey.fixed_nonce(s, B32, tempkey.MESSAGE_DIGEST),
        (0x16, 0x43, 0, B32),
        b"\0",
    ),
    row(
        ("Nonce", "fixed 64 to message digest buffer"),
        lambda s: tempkey.fixed_nonce(s, B64, tempkey.MESSAGE_DIGEST),
        (0x16, 0x63, 0, B64),
        b"\0",
    ),
    row(
        ("Nonce", "fixed 32 to alternate key"),
        lambda s: tempkey.fixed_nonce(s, B32, tempkey.ALTERNATE),
        (0x16, 0x83, 0, B32),
        b"\0",
    ),
    row(("Random", "seed update"), lambda s: Commands(s).random(), (0x1B, 0, 0, b""), B32, B32),
    row(
        ("Random", "no seed update"),
        lambda s: s.execute(0x1B, 1, 0, b"", 32, 23),
        (0x1B, 1, 0, b""),
        B32,
        B32,
    ),
    row(("Read", "config"), lambda s: Commands(s).read(0, 8, 32), (0x02, 0x80, 8, b""), B32, B32),
    row(("Read", "OTP"), lambda s: Commands(s).read(1, 2, 4), (0x02, 0x01, 2, b""), b"abcd", b"abcd"),
    row(
        ("Read", "data, clear"),
        lambda s: Commands(s).read(2, 8 << 3 | 1 << 8, 32),
        (0x02, 0x82, 0x140, b""),
        B32,
        B32,
    ),
    row(("SHA", "start"), lambda s: sha.Hash(s) and None, (0x47, 0, 0, b""), b"\0"),
    row(("SHA", "update"), lambda s: sha.Hash(s).update(B64), (0x47, 1, 64, B64), b"\0", None, SHA_START),
    row(
        ("SHA", "end, to TempKey"),
        lambda s: sha.Hash(s).digest(sha.TO_TEMPKEY),
        (0x47, 0x02, 0, b""),
        B32,
        B32,
        SHA_START,
    ),
    row(
        ("SHA", "end, to message digest buffer"),
        lambda s: sha.Hash(s).digest(sha.TO_MESSAGE_DIGEST),
        (0x47, 0x42, 0, b""),
        B32,
        B32,
        SHA_START,
    ),
    row(
        ("SHA", "end, output only"), lambda s: sha.Hash(s).digest(), (0x47, 0xC2, 0, b""), B32, B32, SHA_START
    ),
    row(
        ("SHA", "public"),
        lambda s: sha.Hash(s).update_public_key(11),
        (0x47, 3, 11, b""),
        b"\0",
        None,
        SHA_START,
    ),
    row(("SHA", "HMAC start, slot"), lambda s: sha.Hash(s, 5) and None, (0x47, 4, 5, b""), b"\0"),
    row(
        ("SHA", "HMAC start, TempKey"),
        lambda s: sha.Hash(s, key_in_tempkey=True) and None,
        (0x47, 4, 0xFFFF, b""),
        b"\0",
    ),
    row(
        ("SHA", "HMAC end"),
        lambda s: sha.Hash(s, 5).digest(),
        (0x47, 0xC2, 0, b""),
        B32,
        B32,
        ((0x47, 4, 5, b""),),
    ),
    row(
        ("SHA", "read context"),
        lambda s: sha.Hash(s).context(),
        (0x47, 6, 0, b""),
        B64[:40],
        B64[:40],
        SHA_START,
    ),
    row(
        ("SHA", "write context"),
        lambda s: sha.restored(s, B64[:40]) and None,
        (0x47, 7, 40, B64[:40]),
        b"\0",
        None,
        SHA_START,
    ),
    row(
        ("Sign", "external, TempKey"),
        lambda s: signing.sign(s, 2),
        (0x41, 0x80, 2, b""),
        SIGNATURE,
        SIGNATURE,
    ),
    row(
        ("Sign", "external, message digest buffer"),
        lambda s: signing.sign(s, 2, True),
        (0x41, 0xA0, 2, b""),
        SIGNATURE,
        SIGNATURE,
    ),
    row(
        ("Sign", "internal"),
        lambda s: signing.sign_internal(s, 1, False),
        (0x41, 0x00, 1, b""),
        SIGNATURE,
        SIGNATURE,
    ),
    row(
        ("Sign", "internal, full serial number"),
        lambda s: signing.sign_internal(s, 1),
        (0x41, 0x40, 1, b""),
        SIGNATURE,
        SIGNATURE,
    ),
    row(
        ("Sign", "internal, to invalidate"),
        lambda s: signing.sign_internal(s, 1, True, True),
        (0x41, 0x41, 1, b""),
        SIGNATURE,
        SIGNATURE,
    ),
    row(
        ("Verify", "stored, TempKey"),
        lambda s: verifying.verify(s, 11, SIGNATURE),
        (0x45, 0x00, 11, SIGNATURE),
        b"\0",
        True,
    ),
    row(
        ("Verify", "stored, message digest buffer"),
        lambda s: verifying.verify(s, 11, SIGNATURE, True),
        (0x45, 0x20, 11, SIGNATURE),
        b"\1",
        False,
    ),
    row(
        ("Verify", "external, TempKey"),
        lambda s: verifying.verify_external(s, PUBLIC, SIGNATURE),
        (0x45, 0x02, 4, SIGNATURE + PUBLIC),
        b"\0",
        True,
    ),
    row(
        ("Verify", "external, message digest buffer"),
        lambda s: verifying.verify_external(s, PUBLIC, SIGNATURE, True),
        (0x45, 0x22, 4, SIGNATURE + PUBLIC),
        b"\0",
        True,
    ),
    row(
        ("Verify", "validate external"),
        lambda s: verifying.validate_external(s, 11, SIGNATURE),
        (0x45, 0x01, 11, SIGNATURE),
        b"\0",
        True,
    ),
    row(
        ("Verify", "validate"),
        lambda s: verifying.validate(s, 11, SIGNATURE, B64[:19]),
        (0x45, 0x03, 11, SIGNATURE + B64[:19]),
        b"\0",
        True,
    ),
    row(
        ("Verify", "invalidate"),
        lambda s: verifying.invalidate(s, 11, SIGNATURE, B64[:19]),
        (0x45, 0x07, 11, SIGNATURE + B64[:19]),
        b"\1",
        False,
    ),
    row(
        ("Verify", "stored, MAC"),
        lambda s: verifying.verify_proved(s, KEY, B32, B32[::-1], SIGNATURE, slot=11, message_digest=True),
        (0x45, 0xA0, 11, SIGNATURE),
        hashlib.sha256(KEY + B32 + B32[::-1] + SIGNATURE + b"\x45\xa0\x0b\0").digest(),
        True,
    ),
    row(
        ("Verify", "external, MAC"),
        lambda s: verifying.verify_proved(s, KEY, B32, B32[::-1], SIGNATURE, public_key=PUBLIC),
        (0x45, 0x82, 4, SIGNATURE + PUBLIC),
        hashlib.sha256(KEY + B32 + B32[::-1] + SIGNATURE + b"\x45\x82\x04\0").digest(),
        True,
    ),
    row(("Write", "config"), lambda s: Commands(s).write(0, 5, b"abcd"), (0x12, 0x00, 5, b"abcd"), b"\0"),
    row(("Write", "OTP"), lambda s: Commands(s).write(1, 8, B32), (0x12, 0x81, 8, B32), b"\0"),
    row(
        ("Write", "data, clear"), lambda s: Commands(s).write(2, 8 << 3, B32), (0x12, 0x82, 0x40, B32), b"\0"
    ),
]


@pytest.mark.parametrize(("call", "packet", "answer", "result", "before"), ROWS)
def test_a_command_is_sent_as_the_documents_have_it(call, packet, answer, result, before):
    steps = [exchange(command(*one[:4]), reply(one[4]) if one[4:] else OK) for one in before]
    bus = ScriptedBus(awake(), *steps, exchange(command(*packet), reply(answer) if answer else OK), SLEEP)
    with ATECC608(bus, 0x60).session as session:
        assert call(session) == result
    assert bus.left == []


# One waking each, of the element.


def on(*steps):
    bus = ScriptedBus(
        awake(), *(exchange(command(*packet), reply(answer)) for packet, answer in steps), SLEEP
    )
    return ATECC608(bus, 0x60), bus


@pytest.mark.covers("Counter", "read")
@pytest.mark.covers("Counter", "increment")
@pytest.mark.parametrize("number", [0, 1])
def test_each_counter_counts_itself(number):
    element, bus = on(((0x24, 0, number, b""), (65536).to_bytes(4, "little")))
    assert counter.read(element, number) == 65536
    element, bus = on(((0x24, 1, number, b""), (65537).to_bytes(4, "little")))
    assert counter.increment(element, number) == 65537
    assert bus.left == []


def test_an_increment_whose_answer_is_lost_is_not_sent_again():
    bus = ScriptedBus(awake(), write(command(0x24, 1, 0)))
    with pytest.raises(BusError, match="no reply"):
        counter.increment(ATECC608(bus, 0x60), 0)
    assert bus.left == []


@pytest.mark.covers("Read", "data, encrypted")
def test_an_encrypted_read_is_unmasked_with_what_only_the_two_know():
    value = hashlib.sha256(B32 + B20 + b"\x16\0\0").digest()
    mask = hashlib.sha256(KEY + b"\x15\x02\x06\0" + tail() + bytes(25) + value).digest()
    masked = bytes(a ^ b for a, b in zip(B32[::-1], mask, strict=True))
    element, bus = on(
        ((0x16, 0, 0, B20), B32), ((0x15, 2, 6, b""), b"\0"), ((0x02, 0x82, 1 << 8 | 5 << 3, b""), masked)
    )
    assert encrypted.read(element, SERIAL, 5, 1, 6, KEY, B20) == B32[::-1]
    assert bus.left == []


@pytest.mark.covers("Write", "data, encrypted")
def test_an_encrypted_write_carries_its_mac():
    value = hashlib.sha256(B32 + B20 + b"\x16\0\0").digest()
    mask = hashlib.sha256(KEY + b"\x15\x02\x06\0" + tail() + bytes(25) + value).digest()
    data = B32[::-1]
    sent = bytes(a ^ b for a, b in zip(data, mask, strict=True))
    sent += hashlib.sha256(mask + b"\x12\xc2\x28\0" + tail() + bytes(25) + data).digest()
    element, bus = on(
        ((0x16, 0, 0, B20), B32), ((0x15, 2, 6, b""), b"\0"), ((0x12, 0xC2, 5 << 3, sent), b"\0")
    )
    encrypted.write(element, SERIAL, 5, 0, data, 6, KEY, B20)
    assert bus.left == []


@pytest.mark.covers("PrivWrite", "clear")
@pytest.mark.covers("PrivWrite", "encrypted")
def test_a_private_key_is_written_in_behind_four_zeros():
    element, bus = on(((0x46, 0, 2, bytes(4) + KEY), b"\0"))
    encrypted.write_private_key(element, 2, KEY)
    assert bus.left == []
    value = hashlib.sha256(B32 + B20 + b"\x16\0\0").digest()
    mask = hashlib.sha256(KEY + b"\x15\x02\x06\0" + tail() + bytes(25) + value).digest()
    plain = bytes(4) + B32
    sent = bytes(a ^ b for a, b in zip(plain, mask + hashlib.sha256(mask).digest()[:4], strict=True))
    sent += hashlib.sha256(mask + b"\x46\x40\x02\0" + tail() + bytes(21) + plain).digest()
    element, bus = on(((0x16, 0, 0, B20), B32), ((0x15, 2, 6, b""), b"\0"), ((0x46, 0x40, 2, sent), b"\0"))
    encrypted.write_private_key_encrypted(element, SERIAL, 2, B32, 6, KEY, B20)
    assert bus.left == []


@pytest.mark.parametrize(
    ("mode", "signature", "prohibit", "param1"),
    [
        pytest.param(
            secureboot.FULL,
            SIGNATURE,
            False,
            0x05,
            marks=[pytest.mark.covers("SecureBoot", "Full"), pytest.mark.covers("SecureBoot", "FullBoth")],
        ),
        pytest.param(
            secureboot.STORED, b"", False, 0x06, marks=pytest.mark.covers("SecureBoot", "FullStore, digest")
        ),
        pytest.param(
            secureboot.STORED,
            SIGNATURE,
            False,
            0x06,
            marks=pytest.mark.covers("SecureBoot", "FullStore, signature"),
        ),
        pytest.param(
            secureboot.COPY,
            SIGNATURE,
            False,
            0x07,
            marks=[
                pytest.mark.covers("SecureBoot", "FullCopy, digest"),
                pytest.mark.covers("SecureBoot", "FullCopy, signature"),
            ],
        ),
        pytest.param(
            secureboot.FULL, SIGNATURE, True, 0x45, marks=pytest.mark.covers("SecureBoot", "prohibit")
        ),
    ],
)
def test_secure_boot_asks_for_digest_and_signature(mode, signature, prohibit, param1):
    for status, accepted in ((b"\0", True), (b"\1", False)):
        element, bus = on(((0x80, param1, 0, B32 + signature), status))
        assert secureboot.boot(element, mode, B32, signature, prohibit) is accepted
        assert bus.left == []


@pytest.mark.covers("SecureBoot", "encrypted digest and MAC")
def test_a_proved_boot_masks_the_digest_and_checks_the_answer():
    key = hashlib.sha256(KEY + hashlib.sha256(B32 + B20 + b"\x16\0\0").digest()).digest()
    sent = bytes(a ^ b for a, b in zip(B32, key, strict=True)) + SIGNATURE
    answer = hashlib.sha256(key + B32 + SIGNATURE + b"\x80\x85\0\0").digest()
    element, bus = on(((0x16, 0, 0, B20), B32), ((0x80, 0x85, 0, sent), answer))
    assert secureboot.boot_proved(element, secureboot.FULL, B32, SIGNATURE, KEY, B20)
    assert bus.left == []
    element, _ = on(((0x16, 0, 0, B20), B32), ((0x80, 0x85, 0, sent), answer[::-1]))
    with pytest.raises(PacketError, match="not the chip's"):
        secureboot.boot_proved(element, secureboot.FULL, B32, SIGNATURE, KEY, B20)
    element, _ = on(((0x16, 0, 0, B20), B32), ((0x80, 0x85, 0, sent), b"\1"))
    assert not secureboot.boot_proved(element, secureboot.FULL, B32, SIGNATURE, KEY, B20)


@pytest.mark.covers("SelfTest", "run tests")
@pytest.mark.covers("SelfTest", "read failures")
def test_the_one_byte_of_a_self_test_is_a_map_of_failures():
    element, bus = on(((0x77, 0x3B, 0, b""), b"\0"))
    with element.session as s:
        assert selftest.run(s) == 0
    element, bus = on(((0x77, 0x21, 0, b""), b"\x01"))
    with element.session as s:
        assert selftest.run(s, selftest.RNG | selftest.SHA) == selftest.RNG
    element, bus = on(((0x77, 0, 0, b""), b"\x20"))
    with element.session as s:
        assert selftest.failures(s) == selftest.SHA
    assert bus.left == []


@pytest.mark.covers("Info", "key valid")
@pytest.mark.covers("Info", "GPIO")
def test_info_tells_of_keys_and_of_pins():
    element, bus = on(((0x30, 1, 3, b""), b"\1\0\0\0"))
    assert selftest.is_key_valid(element, 3)
    element, bus = on(((0x30, 3, 0, b""), b"\0\0\0\1"))
    assert selftest.gpio(element) == b"\0\0\0\1"
    assert bus.left == []


@pytest.mark.covers("UpdateExtra", "UserExtra")
@pytest.mark.covers("UpdateExtra", "UserExtraAdd")
def test_the_extra_bytes_are_written_by_name_alone():
    element, bus = on(((0x20, 0, 0x55, b""), b"\0"))
    extra.set_user_extra(element, 0x55, 0x55)
    assert bus.left == []
    element, bus = on(((0x20, 1, 0x6A, b""), b"\0"))
    extra.set_user_extra_add(element, 0x6A, 0x6A)
    assert bus.left == []
    for value, confirm in ((0x55, 0x54), (0, 0), (0x100, 0x100)):
        with pytest.raises(ValueError, match="twice"):
            extra.set_user_extra(ATECC608(ScriptedBus(), 0x60), value, confirm)


def test_nothing_of_ours_ever_moves_a_chip_or_locks_it_by_the_way():
    package = Path(extra.__file__).parents[1]
    sources = {path.name: path.read_text() for path in package.rglob("*.py")}
    assert [
        name for name, text in sources.items() if re.search(r"\bextra\b.*import|import.*\bextra\b", text)
    ] == []
    assert [name for name, text in sources.items() if "0x20" in text and "_UPDATEEXTRA" in text] == [
        "extra.py"
    ]


def test_masked_answers_are_unmasked_by_the_io_protection_key():
    nonce = bytes(range(200, 232))
    masks = [hashlib.sha256(KEY + nonce[16 * at : 16 * at + 16]).digest() for at in range(2)]
    masked = bytes(a ^ b for a, b in zip(B64, masks[0] + masks[1], strict=True))
    assert ecdh.unmasked(masked + nonce, KEY) == B64
    assert ecdh.unmasked(masked[:32] + nonce, KEY) == B32


# Nothing is sent that cannot be right.


@pytest.mark.parametrize(
    "call",
    [
        lambda s: aes.encrypt_block(s, 16, B16),
        lambda s: aes.encrypt_block(s, 9, B16[:15]),
        lambda s: aes.encrypt_block(s, 9, B16, 4),
        lambda s: aes.multiply(s, B16, B32),
        lambda s: mac.mac(s, 0, 5, B32[:31]),
        lambda s: mac.mac(s, 1, 5, B32),
        lambda s: mac.mac(s, 0x80, 5, B32),
        lambda s: mac.mac(s, 0, 16, B32),
        lambda s: mac.checkmac(s, 0x10, 5, B32, B32, OTHER),
        lambda s: mac.checkmac(s, 0, 5, B32, B32, OTHER[:12]),
        lambda s: mac.derive_key(s, 5, proof=B16),
        lambda s: tempkey.random_nonce(s, B16),
        lambda s: tempkey.fixed_nonce(s, B20),
        lambda s: tempkey.fixed_nonce(s, B64, tempkey.ALTERNATE),
        lambda s: tempkey.fixed_nonce(s, B32, 0xC0),
        lambda s: tempkey.gendig(s, 6, 0),
        lambda s: tempkey.gendig(s, tempkey.CONFIG, 0, B32),
        lambda s: tempkey.gendig(s, tempkey.SHARED_NONCE, 0),
        lambda s: signing.sign(s, 16),
        lambda s: signing.digest_stored_key(s, 11, b""),
        lambda s: verifying.verify(s, 11, SIGNATURE[:63]),
        lambda s: verifying.verify(s, 16, SIGNATURE),
        lambda s: verifying.verify_external(s, PUBLIC[:63], SIGNATURE),
        lambda s: verifying.validate(s, 11, SIGNATURE, B20),
        lambda s: ecdh.ecdh(s, 0x10, 2, PUBLIC),
        lambda s: ecdh.ecdh(s, 0, 16, PUBLIC),
        lambda s: ecdh.ecdh(s, 0, 2, B32),
        lambda s: kdf.prf(s, bytes(129)),
        lambda s: kdf.prf(s, b"", 4),
        lambda s: kdf.aes(s, B20),
        lambda s: kdf.hkdf(s, b"", target_slot=16),
        lambda s: sha.restored(s, B32),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_sent(call):
    bus = ScriptedBus(awake(), SLEEP)
    with ATECC608(bus, 0x60).session as session, pytest.raises(ValueError, match=r".+"):
        call(session)
    assert bus.left == []


@pytest.mark.parametrize(
    "call",
    [
        lambda e: counter.read(e, 2),
        lambda e: encrypted.read(e, SERIAL, 16, 0, 6, KEY, B20),
        lambda e: encrypted.write(e, SERIAL, 5, 0, B16, 6, KEY, B20),
        lambda e: encrypted.write_private_key(e, 2, B16),
        lambda e: encrypted.read(e, SERIAL, 5, 0, 6, B16, B20),
        lambda e: secureboot.boot(e, 4, B32, SIGNATURE),
        lambda e: secureboot.boot(e, secureboot.FULL, B32),
        lambda e: secureboot.boot_proved(e, secureboot.FULL, B32, SIGNATURE, B16, B20),
        lambda e: selftest.run(e, 0),
        lambda e: selftest.is_key_valid(e, 16),
        lambda e: aes.AES(e, 16),
        lambda e: aes.AES(e, 9).gcm_encrypt(B16, b""),
        lambda e: aes.AES(e, 9).cbc_encrypt(B16, B20),
        lambda e: aes.AES(e, 9).ctr(B20, b""),
    ],
)
def test_what_cannot_be_right_does_not_even_wake_the_chip(call):
    bus = ScriptedBus()
    with pytest.raises(ValueError, match=r".+"):
        call(ATECC608(bus, 0x60))
    assert bus.reads == 0


def test_a_refusal_is_told_in_the_chips_own_words():
    element, _ = on(((0x24, 1, 0, b""), b"\x0f"))
    with pytest.raises(CommandError, match=r"command 24: not allowed now \(status 0f\)") as refused:
        counter.increment(element, 0)
    assert (refused.value.status, refused.value.opcode) == (0x0F, 0x24)


def test_a_refusal_in_verify_is_no_verdict():
    element, _ = on(((0x45, 0x02, 4, SIGNATURE + PUBLIC), b"\x0f"))
    with element.session as session, pytest.raises(CommandError):
        verifying.verify_external(session, PUBLIC, SIGNATURE)


def test_a_lost_command_amid_a_sha_is_not_sent_into_a_fresh_state():
    bus = ScriptedBus(awake(), exchange(command(0x47, 0, 0), OK), lose(command(0x47, 1, 64, B64)), SLEEP)
    with ATECC608(bus, 0x60).session as session:
        hash = sha.Hash(session)
        with pytest.raises(BusError, match="lost"):
            hash.update(B64)


def test_what_is_no_masked_answer_is_refused():
    with pytest.raises(ValueError, match="64 or 96"):
        ecdh.unmasked(B32, KEY)
