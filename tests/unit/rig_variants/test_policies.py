"""What each slot of TNGTLS and TrustFLEX allows: in the documents' words, and as the chip acts on the bus.

The words are those of the public pages "Configuration Zone" and "Slot Configuration Summary" of each variant.
"""

import pytest

OK, REFUSED = b"\x00", b"\x0f"
KEYS = {
    0: "permanent, ext sign, ecdh",
    1: "permanent, int sign",
    2: "updatable, ext sign, ecdh, lockable",
    3: "updatable, ext sign, ecdh, lockable",
    4: "updatable, ext sign, ecdh, lockable",
}
TNGTLS = KEYS | {
    5: "clear read, no write",
    6: "no read, always write, lockable",
    8: "clear read, always write, lockable",
    9: "no read, always write, aes key",
    10: "clear read, no write",
    11: "clear read, no write",
    12: "clear read, no write",
}
TNGTLS_RESERVED = (7, 13, 14, 15)
TFLXTLS = KEYS | {
    5: "no read, encrypted write (6), lockable, aes key",
    6: "no read, always write, lockable",
    7: "no read, no write",
    8: "clear read, always write, lockable",
    9: "no read, always write, aes key",
    10: "clear read, always write, lockable",  # 10-12: as prototype units come
    11: "clear read, always write, lockable",
    12: "clear read, always write, lockable",
    13: "clear read, always write, lockable",
    14: "clear read, write while invalid, validated by 13",
    15: "clear read, always write, lockable",
}


def words(config: bytes, slot: int) -> str:
    """Read SlotConfig and KeyConfig bit by bit (508A data sheet, tables 2-7 and 2-12)."""
    policy = int.from_bytes(config[20 + 2 * slot : 22 + 2 * slot], "little")
    key = int.from_bytes(config[96 + 2 * slot : 98 + 2 * slot], "little")
    said = []
    if key & 1:
        said.append("updatable" if policy & 0x2000 else "permanent")
        uses = (0x1, "ext sign"), (0x2, "int sign"), (0x4, "ecdh")
        said += [use for bit, use in uses if policy & bit]
    else:
        said.append("no read" if policy & 0x80 else "clear read")
        rule = policy >> 12
        if rule & 4:
            said.append(f"encrypted write ({policy >> 8 & 15})")
        else:
            said.append({0: "always write", 1: "write while invalid"}.get(rule, "no write"))
        if key & 0x1E == 0x12:
            said.append(f"validated by {policy & 15}")
    if key & 0x20:
        said.append("lockable")
    if key >> 2 & 7 == 6:
        said.append("aes key")
    return ", ".join(said)


def test_tngtls_slots_are_as_the_summary_says(tngtls):
    config = tngtls.config()
    assert {slot: words(config, slot) for slot in TNGTLS} == TNGTLS
    assert {words(config, slot) for slot in TNGTLS_RESERVED} == {"no read, no write"}


def test_trustflex_slots_are_as_the_summary_says(tflxtls):
    config = tflxtls.config()
    assert {slot: words(config, slot) for slot in TFLXTLS} == TFLXTLS


def test_private_keys_want_a_random_nonce_and_give_their_public_half(any_chip):
    config = any_chip.config()
    for slot in KEYS:
        assert config[96 + 2 * slot] & 0x42 == 0x42
        assert len(any_chip.public_key(slot)) == 64


def test_the_zones_are_locked_and_no_slot_is(any_chip):
    config = any_chip.config()
    assert config[86:90] == b"\0\0\xff\xff"
    assert any_chip.call(0x12, 0x00, 4, bytes(4)) == REFUSED
    assert any_chip.call(0x12, 0x81, 0, bytes(32)) == REFUSED


def test_what_the_configuration_pages_say_of_the_whole_chip(any_chip):
    config = any_chip.config()
    assert config[0:2] + config[12:13] == b"\x01\x23\x01"
    assert config[16] >> 1 == any_chip.address
    assert config[19] & 0b101 == 0b001  # the address can be replaced by UserExtraAdd; watchdog 1.3 s
    assert config[13] & 1 == 1  # AES
    options = int.from_bytes(config[90:92], "little")
    assert options & 2
    assert options >> 12 == 6  # the IO protection key is in slot 6
    counters = config[52:68]
    assert counters == bytes.fromhex("FFFFFFFF00000000") * 2


def test_secure_boot_is_trustflex_alone(connect):
    # Mode 3 keeps a digest: here in slot 7, with the public key in slot 15.
    assert connect("atecc608b-tflxtls").config()[70:72] == b"\x03\xf7"
    assert connect("atecc608b-tngtls").config()[70] & 3 == 0


def test_the_silicon_tells_its_revision(connect):
    assert connect("atecc608a-tngtls").call(0x30) == bytes.fromhex("00006002")
    assert connect("atecc608b-tflxtls").call(0x30) == bytes.fromhex("00006003")


@pytest.mark.parametrize(
    ("variant", "code"), [("atecc608b-tngtls", b"x6tjuZMy"), ("atecc608a-tflxtls", b"wdNxAjae")]
)
def test_otp_begins_with_the_code_of_the_template(connect, variant, code):
    assert connect(variant).otp() == code + bytes(56)


def test_it_answers_at_its_own_address_only(any_chip):
    assert any_chip.bus.write(0x60, b"\x00") == 1
    assert any_chip.bus.write(any_chip.address, b"\x00") == 0


def test_tngtls_gives_slots_5_8_and_10_to_12_in_clear(tngtls):
    readable = [slot for slot in range(16) if len(tngtls.slot(slot)) > 1]
    assert readable == [5, 8, 10, 11, 12]


def test_trustflex_gives_slots_8_and_10_to_15_in_clear(tflxtls):
    readable = [slot for slot in range(16) if len(tflxtls.slot(slot)) > 1]
    assert readable == [8, 10, 11, 12, 13, 14, 15]


def test_tngtls_takes_clear_writes_in_slots_6_8_and_9(tngtls):
    assert [slot for slot in range(16) if tngtls.write_slot(slot) == OK] == [6, 8, 9]


def test_tngtls_locks_slots_2_to_4_6_and_8(tngtls):
    assert [slot for slot in range(16) if tngtls.lock_slot(slot) == OK] == [2, 3, 4, 6, 8]


def test_trustflex_locks_slots_2_to_6_8_10_to_13_and_15(tflxtls):
    assert [slot for slot in range(16) if tflxtls.lock_slot(slot) == OK] == [
        2,
        3,
        4,
        5,
        6,
        8,
        10,
        11,
        12,
        13,
        15,
    ]


def test_only_slots_2_to_4_take_a_new_key(any_chip):
    before = {slot: any_chip.public_key(slot) for slot in KEYS}
    made = {slot: any_chip.call(0x40, 0x04, slot) for slot in KEYS}
    assert [slot for slot in KEYS if made[slot] != REFUSED] == [2, 3, 4]
    after = {slot: any_chip.public_key(slot) for slot in KEYS}
    assert after == {slot: before[slot] if slot < 2 else made[slot] for slot in KEYS}
    assert not before.items() & {slot: made[slot] for slot in (2, 3, 4)}.items()


def test_the_attestation_key_signs_no_message_from_outside(any_chip):
    def sign(slot: int) -> bytes:
        any_chip.random_nonce()
        return any_chip.call(0x41, 0x80, slot)

    assert [slot for slot in KEYS if len(sign(slot)) == 64] == [0, 2, 3, 4]


def test_the_attestation_key_alone_signs_what_the_chip_says_of_itself(any_chip):
    def attest(slot: int) -> bytes:
        any_chip.random_nonce()
        assert len(any_chip.call(0x40, 0x08, 0)) == 64
        return any_chip.call(0x41, 0x40, slot)

    assert [slot for slot in KEYS if len(attest(slot)) == 64] == [1]


READ_OUTS = {
    # Two ATECC608B as their owner published them (`readcfg` at 0x6A and 0x6C), bytes 16-51 and 68-127.
    "atecc608b-tngtls": """
        6A 00 00 01 85 00 82 00  85 20 85 20 85 20 0F 8F
        8F 0F 8F 8F 0F 0F 8F 0F  0F 8F 0F 8F 0F 8F 8F 8F
        8F 8F 8F 8F
                    00 00 00 F7  00 69 76 00 00 00 00 00
        00 00 00 00 00 00 00 00  FF FF 0E 60 00 00 00 00
        53 00 53 00 73 00 73 00  73 00 1C 00 7C 00 1C 00
        3C 00 1A 00 1C 00 10 00  1C 00 1C 00 1C 00 1C 00""",
    "atecc608b-tflxtls": """
        6C 00 00 01 85 00 82 00  85 20 85 20 85 20 8F 46
        8F 0F 9F 8F 0F 0F 8F 0F  0F 0F 0F 0F 0F 0F 0F 0F
        0D 1F 0F 0F
                    00 00 03 F7  00 69 76 00 00 00 00 00
        00 00 00 00 00 00 00 00  FF FF 0E 60 00 00 00 00
        53 00 53 00 73 00 73 00  73 00 38 00 7C 00 1C 00
        3C 00 1A 00 3C 00 30 00  3C 00 30 00 12 00 30 00""",
}


@pytest.mark.parametrize("variant", READ_OUTS)
def test_the_configuration_zone_is_the_published_one(connect, variant):
    config = connect(variant).config()
    assert (config[16:52] + config[68:128]).hex() == bytes.fromhex(READ_OUTS[variant]).hex()


def test_both_silicons_have_the_same_policies(connect):
    for family in ("tngtls", "tflxtls"):
        a, b = (connect(f"atecc608{silicon}-{family}").config() for silicon in "ab")
        assert a[13:] == b[13:]
