"""Every command and mode of the chip in words; those that look alike on the wire read alike."""

import tomllib
from importlib import resources

import pytest
from hri.rig.atecc.opcodes import COMMANDS as CHIP_COMMANDS
from hri.rig.trace import modes

LISTED = tomllib.loads(resources.files("hri.rig.atecc").joinpath("modes.toml").read_text(encoding="utf-8"))
OPCODES = {command["name"]: command["opcode"] for command in LISTED["command"]}
# Command and mode as in modes.toml, Param1, Param2, data, words.
TABLE = [
    ("AES", "ECB encrypt, slot key", 0x40, 0x0007, b"", "encrypt, key 1 of slot 7"),
    ("AES", "ECB decrypt, slot key", 0xC1, 0x0007, b"", "decrypt, key 3 of slot 7"),
    ("AES", "ECB encrypt, TempKey", 0xC0, 0xFFFF, b"", "encrypt, key 3 of TempKey"),
    ("AES", "ECB decrypt, TempKey", 0x01, 0xFFFF, b"", "decrypt, key 0 of TempKey"),
    ("AES", "GFM", 0x03, 0x0000, b"", "GFM"),
    ("CheckMac", "slot key, challenge", 0x00, 0x0007, b"", "slot 7 over challenge"),
    ("CheckMac", "slot key, TempKey", 0x05, 0x0007, b"", "slot 7 over TempKey, fixed nonce"),
    ("CheckMac", "TempKey, challenge", 0x06, 0x0000, b"", "TempKey over challenge, fixed nonce"),
    ("CheckMac", "TempKey, TempKey", 0x07, 0x0000, b"", "TempKey over TempKey, fixed nonce"),
    ("CheckMac", "OTP", 0x21, 0x0007, b"", "slot 7 over TempKey, with OTP"),
    ("CheckMac", "copy to TempKey", 0x05, 0x0007, b"", "slot 7 over TempKey, fixed nonce"),
    ("CheckMac", "authorisation", 0x01, 0x0007, b"", "slot 7 over TempKey"),
    ("Counter", "read", 0x00, 0x0001, b"", "read counter 1"),
    ("Counter", "increment", 0x01, 0x0001, b"", "increment counter 1"),
    ("DeriveKey", "roll", 0x00, 0x0007, b"", "slot 7, random nonce"),
    ("DeriveKey", "create from parent", 0x04, 0x0007, b"", "slot 7, fixed nonce"),
    ("DeriveKey", "with MAC", 0x00, 0x0007, b"\x11" * 32, "slot 7, random nonce, with MAC"),
    ("DeriveKey", "input nonce", 0x04, 0x0007, b"", "slot 7, fixed nonce"),
    ("ECDH", "slot key, as configured", 0x00, 0x0007, b"", "key in slot 7, as configured"),
    ("ECDH", "slot key, to next slot", 0x04, 0x0008, b"", "key in slot 8, to slot 9"),
    ("ECDH", "slot key, to TempKey", 0x08, 0x0007, b"", "key in slot 7, to TempKey"),
    ("ECDH", "slot key, output clear", 0x0C, 0x0007, b"", "key in slot 7, output in clear"),
    ("ECDH", "slot key, output encrypted", 0x0E, 0x0007, b"", "key in slot 7, output encrypted"),
    ("ECDH", "TempKey, to slot", 0x05, 0x0007, b"", "key in TempKey, to slot 7"),
    ("ECDH", "TempKey, to TempKey", 0x09, 0x0000, b"", "key in TempKey, to TempKey"),
    ("ECDH", "TempKey, output clear", 0x0D, 0x0000, b"", "key in TempKey, output in clear"),
    ("ECDH", "TempKey, output encrypted", 0x0F, 0x0000, b"", "key in TempKey, output encrypted"),
    ("GenDig", "config", 0x00, 0x0001, b"", "config block 1"),
    ("GenDig", "OTP", 0x01, 0x0001, b"", "OTP block 1"),
    ("GenDig", "data", 0x02, 0x0007, b"", "slot 7"),
    ("GenDig", "data, NoMac key", 0x02, 0x0007, bytes(4), "slot 7, OtherData in place of parameters"),
    ("GenDig", "shared nonce", 0x03, 0x0033, b"", "shared nonce 33"),
    ("GenDig", "shared nonce, swapped", 0x03, 0x8033, b"", "shared nonce 33, swapped"),
    ("GenDig", "counter", 0x04, 0x0001, b"", "counter 1"),
    ("GenDig", "key configuration", 0x05, 0x0007, b"", "key configuration of slot 7"),
    ("GenKey", "public key", 0x00, 0x0007, b"", "public key, slot 7"),
    ("GenKey", "create", 0x04, 0x0007, b"", "create, slot 7"),
    ("GenKey", "create in TempKey", 0x04, 0xFFFF, b"", "create, TempKey"),
    ("GenKey", "public key, digest", 0x08, 0x0007, b"", "public key, digest into TempKey, slot 7"),
    ("GenKey", "create, digest", 0x0C, 0x0007, b"", "create, digest into TempKey, slot 7"),
    (
        "GenKey",
        "digest of a stored public key",
        0x10,
        0x0007,
        b"",
        "digest of the public key in slot 7 into TempKey",
    ),
    ("Info", "revision", 0x00, 0x0000, b"", "revision"),
    ("Info", "key valid", 0x01, 0x0007, b"", "key valid, slot 7"),
    ("Info", "state", 0x02, 0x0000, b"", "state"),
    ("Info", "GPIO", 0x03, 0x0000, b"", "GPIO"),
    ("Info", "latch read", 0x04, 0x0000, b"", "latch read"),
    ("Info", "latch clear", 0x04, 0x0002, b"", "latch clear"),
    ("Info", "latch set", 0x04, 0x0003, b"", "latch set"),
    ("KDF", "PRF 32 bytes", 0x02, 0x0907, bytes.fromhex("00000010"), "PRF from slot 7 to TempKey, 32 bytes"),
    ("KDF", "PRF 64 bytes", 0x02, 0x0907, bytes.fromhex("00010010"), "PRF from slot 7 to TempKey, 64 bytes"),
    (
        "KDF",
        "PRF AEAD",
        0x08,
        0x0907,
        bytes.fromhex("00030010"),
        "PRF from TempKey to slot 9, 64 bytes, AEAD",
    ),
    ("KDF", "AES", 0x32, 0x0907, b"", "AES from slot 7 to output"),
    (
        "KDF",
        "HKDF",
        0x42,
        0x0907,
        bytes.fromhex("02000010"),
        "HKDF from slot 7 to TempKey, message of 16 bytes",
    ),
    (
        "KDF",
        "HKDF zero key",
        0x42,
        0x0907,
        bytes.fromhex("06000010"),
        "HKDF from slot 7 to TempKey, message of 16 bytes, zero key",
    ),
    (
        "KDF",
        "HKDF message in slot",
        0x42,
        0x0907,
        bytes.fromhex("00000020"),
        "HKDF from slot 7 to TempKey, message in slot",
    ),
    (
        "KDF",
        "HKDF message in TempKey",
        0x42,
        0x0907,
        bytes.fromhex("01000020"),
        "HKDF from slot 7 to TempKey, message in TempKey",
    ),
    (
        "KDF",
        "HKDF initialisation vector",
        0x42,
        0x0907,
        bytes.fromhex("03000010"),
        "HKDF from slot 7 to TempKey, message is the IV",
    ),
    ("KDF", "from TempKey", 0x10, 0x0900, b"", "PRF from TempKey to output"),
    ("KDF", "from upper TempKey", 0x11, 0x0900, b"", "PRF from upper TempKey to output"),
    ("KDF", "from slot", 0x12, 0x0907, b"", "PRF from slot 7 to output"),
    ("KDF", "from alternate key", 0x13, 0x0900, b"", "PRF from alternate key to output"),
    ("KDF", "to TempKey", 0x40, 0x0007, b"", "HKDF from TempKey to TempKey"),
    ("KDF", "to upper TempKey", 0x44, 0x0007, b"", "HKDF from TempKey to upper TempKey"),
    ("KDF", "to slot", 0x48, 0x0907, b"", "HKDF from TempKey to slot 9"),
    ("KDF", "to alternate key", 0x4C, 0x0007, b"", "HKDF from TempKey to alternate key"),
    ("KDF", "to output", 0x50, 0x0007, b"", "HKDF from TempKey to output"),
    ("KDF", "to output encrypted", 0x54, 0x0007, b"", "HKDF from TempKey to output encrypted"),
    ("Lock", "config", 0x00, 0xA1B2, b"", "config with CRC a1b2"),
    ("Lock", "data", 0x01, 0xA1B2, b"", "data and OTP with CRC a1b2"),
    ("Lock", "slot", 0x0E, 0x0000, b"", "slot 3"),
    ("Lock", "without CRC", 0x80, 0x0000, b"", "config without CRC"),
    ("MAC", "slot key, challenge", 0x00, 0x0007, b"", "slot 7 over challenge"),
    ("MAC", "slot key, TempKey", 0x01, 0x0007, b"", "slot 7 over TempKey"),
    ("MAC", "TempKey, challenge", 0x06, 0x0007, b"", "TempKey over challenge, fixed nonce"),
    ("MAC", "TempKey, TempKey", 0x07, 0x0007, b"", "TempKey over TempKey, fixed nonce"),
    ("MAC", "OTP 88", 0x10, 0x0007, b"", "slot 7 over challenge, 88 bits of OTP"),
    ("MAC", "OTP 64", 0x20, 0x0007, b"", "slot 7 over challenge, 64 bits of OTP"),
    ("MAC", "full serial number", 0x40, 0x0007, b"", "slot 7 over challenge, full serial"),
    ("Nonce", "random, seed update", 0x00, 0x0000, b"", "random"),
    ("Nonce", "random, no seed update", 0x01, 0x0000, b"", "random, no seed update"),
    ("Nonce", "random, of TempKey", 0x00, 0x8000, b"", "random, output of TempKey"),
    ("Nonce", "fixed 32 to TempKey", 0x03, 0x0000, b"", "fixed, 32 bytes to TempKey"),
    ("Nonce", "fixed 64 to TempKey", 0x23, 0x0000, b"", "fixed, 64 bytes to TempKey"),
    (
        "Nonce",
        "fixed 32 to message digest buffer",
        0x43,
        0x0000,
        b"",
        "fixed, 32 bytes to message digest buffer",
    ),
    (
        "Nonce",
        "fixed 64 to message digest buffer",
        0x63,
        0x0000,
        b"",
        "fixed, 64 bytes to message digest buffer",
    ),
    ("Nonce", "fixed 32 to alternate key", 0x83, 0x0000, b"", "fixed, 32 bytes to alternate key"),
    ("PrivWrite", "clear", 0x00, 0x0007, b"", "slot 7, in clear"),
    ("PrivWrite", "encrypted", 0x40, 0x0007, b"", "slot 7, encrypted"),
    ("Random", "seed update", 0x00, 0x0000, b"", ""),
    ("Random", "no seed update", 0x01, 0x0000, b"", "no seed update"),
    ("Read", "config", 0x80, 0x0000, b"", "config block 0, 32 bytes"),
    ("Read", "OTP", 0x81, 0x0018, b"", "OTP block 3, 32 bytes"),
    ("Read", "data, clear", 0x02, 0x0119, b"", "slot 3 36..39, 4 bytes"),
    ("Read", "data, encrypted", 0x82, 0x0018, b"", "slot 3 block 0, 32 bytes"),
    ("SecureBoot", "Full", 0x05, 0x0000, b"", "Full"),
    ("SecureBoot", "FullBoth", 0x05, 0x0000, b"", "Full"),
    ("SecureBoot", "FullStore, digest", 0x06, 0x0000, b"", "FullStore"),
    ("SecureBoot", "FullStore, signature", 0x06, 0x0000, b"", "FullStore"),
    ("SecureBoot", "FullCopy, digest", 0x07, 0x0000, b"", "FullCopy"),
    ("SecureBoot", "FullCopy, signature", 0x07, 0x0000, b"", "FullCopy"),
    ("SecureBoot", "prohibit", 0x47, 0x0000, b"", "FullCopy, then prohibit"),
    ("SecureBoot", "encrypted digest and MAC", 0x87, 0x0000, b"", "FullCopy, encrypted digest and MAC"),
    ("SelfTest", "read failures", 0x00, 0x0000, b"", "read failures"),
    ("SelfTest", "run tests", 0x3B, 0x0000, b"", "RNG, ECDSA, ECDH, AES, SHA"),
    ("SHA", "start", 0x00, 0x0000, b"", "start"),
    ("SHA", "update", 0x01, 0x0020, b"", "update, 32 bytes"),
    ("SHA", "end, to TempKey", 0x02, 0x0020, b"", "end, to TempKey, 32 bytes"),
    ("SHA", "end, to message digest buffer", 0x42, 0x0020, b"", "end, to message digest buffer, 32 bytes"),
    ("SHA", "end, output only", 0xC2, 0x0020, b"", "end, output only, 32 bytes"),
    ("SHA", "public", 0x03, 0x0007, b"", "public key in slot 7"),
    ("SHA", "HMAC start, slot", 0x04, 0x0007, b"", "HMAC start, slot 7"),
    ("SHA", "HMAC start, TempKey", 0x04, 0xFFFF, b"", "HMAC start, TempKey"),
    ("SHA", "HMAC end", 0xC2, 0x0020, b"", "end, output only, 32 bytes"),
    ("SHA", "read context", 0x06, 0x0000, b"", "read context"),
    ("SHA", "write context", 0x07, 0x0020, b"", "write context, 32 bytes"),
    ("Sign", "external, TempKey", 0x80, 0x0007, b"", "external, TempKey, slot 7"),
    ("Sign", "external, message digest buffer", 0xA0, 0x0007, b"", "external, message digest buffer, slot 7"),
    ("Sign", "internal", 0x00, 0x0007, b"", "internal slot 7"),
    ("Sign", "internal, full serial number", 0x40, 0x0007, b"", "internal slot 7, full serial"),
    ("Sign", "internal, to invalidate", 0x01, 0x0007, b"", "internal slot 7, to invalidate"),
    ("UpdateExtra", "UserExtra", 0x00, 0x0005, b"", "UserExtra to 05"),
    ("UpdateExtra", "UserExtraAdd", 0x01, 0x0005, b"", "UserExtraAdd to 05"),
    ("Verify", "stored, TempKey", 0x00, 0x0007, b"", "stored key, slot 7"),
    (
        "Verify",
        "stored, message digest buffer",
        0x20,
        0x0007,
        b"",
        "stored key, slot 7, message digest buffer",
    ),
    ("Verify", "stored, MAC", 0x80, 0x0007, b"", "stored key, slot 7, with MAC"),
    ("Verify", "external, TempKey", 0x02, 0x0004, b"", "external key"),
    ("Verify", "external, message digest buffer", 0x22, 0x0004, b"", "external key, message digest buffer"),
    ("Verify", "external, MAC", 0x82, 0x0004, b"", "external key, with MAC"),
    ("Verify", "validate external", 0x01, 0x0007, b"", "validate external, slot 7"),
    ("Verify", "validate", 0x03, 0x0007, b"", "validate slot 7"),
    ("Verify", "invalidate", 0x07, 0x0007, b"", "invalidate slot 7"),
    ("Write", "config", 0x00, 0x0004, b"", "config 16..19"),
    ("Write", "OTP", 0x81, 0x0018, b"", "OTP block 3"),
    ("Write", "data, clear", 0x02, 0x0019, b"", "slot 3 4..7"),
    ("Write", "data, encrypted", 0x82, 0x0018, bytes(64), "slot 3 block 0, encrypted, with MAC"),
]


@pytest.mark.parametrize(
    ("command", "param1", "param2", "data", "words"),
    [(command, *rest) for command, _, *rest in TABLE],
    ids=[f"{command}: {mode}" for command, mode, *_ in TABLE],
)
def test_a_mode_in_words(command, param1, param2, data, words):
    assert modes.name(OPCODES[command]) == command
    assert modes.mode(OPCODES[command], param1, param2, data) == words


def test_the_table_has_every_mode_of_the_chip():
    listed = [(command["name"], mode["mode"]) for command in LISTED["command"] for mode in command["modes"]]
    assert [(command, mode) for command, mode, *_ in TABLE] == listed


def test_the_names_are_the_chips():
    named = {opcode: name for opcode, (name, _) in modes.COMMANDS.items()}
    assert named == {opcode: command.name for opcode, command in CHIP_COMMANDS.items()}


def test_no_parameters_raise():
    for opcode in range(256):
        for param1 in range(256):
            for param2, size in ((0, 0), (1, 3), (7, 36), (0x8000, 64), (0xFFFF, 155)):
                assert modes.mode(opcode, param1, param2, bytes(range(size))).isprintable()


def test_an_unknown_opcode_is_shown_as_numbers():
    assert (modes.name(0x99), modes.mode(0x99, 1, 0x203, b"")) == ("opcode 99", "Param1 01, Param2 0203")
