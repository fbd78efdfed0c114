"""The hri-device profile is exactly the reviewed table of docs/profile.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hri.elements.atecc.crc import crc16
from hri.elements.atecc.profile import BLANK_OTP, KEPT, load_profile, padded_public_key, shipped_profiles
from hri.errors import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st
from unit.chip_config.configs import PROFILE, blank

DOCUMENT = Path(__file__).parents[3] / "docs" / "profile.md"
SHIPPED = Path(__file__).parents[3] / "host/hri/elements/atecc/profiles/hri-device.yaml"
KEY = bytes(range(64))


def documented_slots() -> dict[int, tuple[str, int, int]]:
    """Slot -> title and the two words, from the table in the document."""
    row = re.compile(r"^\| ([\d, ]+) \| ([^|]+) \| `(0x[0-9A-F]{4})` \| `(0x[0-9A-F]{4})` \|", re.MULTILINE)
    return {
        int(number): (title.strip(), int(slot_config, 16), int(key_config, 16))
        for numbers, title, slot_config, key_config in row.findall(DOCUMENT.read_text(encoding="utf-8"))
        for number in numbers.split(",")
    }


def test_slots_are_those_of_the_document() -> None:
    documented = documented_slots()
    assert sorted(documented) == list(range(16))
    for slot in PROFILE.slots:
        title, slot_config, key_config = documented[slot.number]
        assert (slot.slot_config, slot.key_config) == (slot_config, key_config)
        assert title.rstrip("s") == slot.title


@pytest.mark.parametrize(
    ("start", "value", "words"),
    [
        (16, "C0", "16 address `0xC0`"),
        (18, "00", "18 CountMatch `00`"),
        (19, "00", "19 ChipMode `00`"),
        (52, "FFFFFFFF00000000" * 2, "counters at zero (`FFFFFFFF00000000` twice)"),
        (68, "00", "68 UseLock `00`"),
        (69, "00", "69 VolatileKey `00`"),
        (70, "03F7", "70–71 SecureBoot `03 F7`"),
        (72, "00" * 12, "72–83 zero"),
        (88, "FFFF", "88–89 SlotLocked `FF FF`"),
        (90, "0660", "90–91 ChipOptions `06 60`"),
        (92, "00000000", "92–95 X509format zero"),
    ],
)
def test_other_bytes_are_those_of_the_document(start: int, value: str, words: str) -> None:
    assert words in DOCUMENT.read_text(encoding="utf-8")
    length = len(value) // 2
    assert PROFILE.config_bytes(blank())[start : start + length] == bytes.fromhex(value)


@given(st.binary(min_size=128, max_size=128))
def test_only_the_chips_own_bytes_are_kept(base: bytes) -> None:
    config = PROFILE.config_bytes(base)
    fixed = PROFILE.config_bytes(bytes(128))
    assert all(config[at] == (base if at in KEPT else fixed)[at] for at in range(128))
    assert frozenset({*range(16), 84, 85, 86, 87}) == KEPT


def test_roles() -> None:
    assert PROFILE.identity_slot == 0
    assert PROFILE.attestation_slot == 1
    assert PROFILE.rotatable_slots == (2, 3, 4)
    assert PROFILE.identity_slots == {0, 2, 3, 4}
    assert (PROFILE.certificate_slot, PROFILE.trust_anchor_slot, PROFILE.operator_slot) == (8, 13, 14)


def test_every_slot_that_is_no_private_key_is_written_in_full() -> None:
    contents = PROFILE.data_slots(KEY, None)
    assert list(contents) == list(range(5, 16))
    assert [len(content) for content in contents.values()] == [36] * 3 + [416] + [72] * 7
    assert contents[14] == bytes(4) + KEY[:32] + bytes(4) + KEY[32:]
    assert all(not any(content) for number, content in contents.items() if number != 14)


def test_trust_anchor_goes_to_its_slot() -> None:
    assert PROFILE.data_slots(KEY, KEY[::-1])[13] == padded_public_key(KEY[::-1])


def test_data_checksum_covers_slots_in_order_then_otp() -> None:
    contents = PROFILE.data_slots(KEY, None)
    expected = crc16(b"".join(contents[number] for number in range(5, 16)) + BLANK_OTP)
    assert PROFILE.data_crc(dict(reversed(contents.items()))) == expected
    assert PROFILE.data_crc(contents, otp=bytes(64)) != expected


def test_data_checksum_of_part_of_the_zone_is_refused() -> None:
    contents = PROFILE.data_slots(KEY, None)
    with pytest.raises(ValueError, match="every slot"):
        PROFILE.data_crc({number: content for number, content in contents.items() if number != 9})
    with pytest.raises(ValueError, match="in full"):
        PROFILE.data_crc(contents | {8: bytes(415)})


@pytest.mark.parametrize("length", [0, 63, 65, 72])
def test_a_key_has_64_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        PROFILE.data_slots(bytes(length), None)


def test_profile_from_a_file(tmp_path: Path) -> None:
    copy = tmp_path / "mine.yaml"
    copy.write_text(SHIPPED.read_text(encoding="utf-8").replace("name: hri-device", "name: mine"))
    assert load_profile(copy).config_bytes(bytes(128)) == PROFILE.config_bytes(bytes(128))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('  19: "00" ', '  119: "00" '),
        ('  17: "00" ', '  84: "00" '),
        ("role: identity\n", "role: rotatable\n"),
        ("slot: 7\n", "slot: 8\n"),
        ("slot_config: 0x2081", "slot_config: 0x12081"),
        ("version: 1", "version: 1\nsurprise: 1"),
        ("name: hri-device", "name: ["),
        ('"03F7"', '"03F"'),
    ],
)
def test_a_profile_that_is_none_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "broken.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_profile(file)
    assert raised.value.code == "profile-invalid"


@pytest.mark.parametrize("name", ["no-such-profile", "../hri-device", ""])
def test_a_profile_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        load_profile(name)


def refusal(tmp_path: Path, *changes: tuple[str, str]) -> str:
    """What is said of the shipped profile with each first `old` replaced by `new`."""
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_profile(file)
    return raised.value.message


def line_of(word: str) -> int:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    return next(at for at, line in enumerate(lines, 1) if word in line)


def test_an_unknown_key_is_named_with_its_line(tmp_path: Path) -> None:
    line = line_of("slot: 3")
    message = refusal(tmp_path, ("  - slot: 3\n", "  - slot: 3\n    lockabel: true\n"))
    assert f"line {line + 1}: slots.3.lockabel: is not a key of a profile" in message


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    line = line_of("  - slot: 1\n".strip())
    message = refusal(tmp_path, ("slot_config: 0x2082\n", "slot_config: 0x2082\n    slot_config: 0x2083\n"))
    assert "slot_config stands twice" in message
    assert f"line {line + 4}:" in message


def test_words_that_do_not_say_what_the_bits_do_are_refused_with_the_right_ones(tmp_path: Path) -> None:
    message = refusal(tmp_path, ("slot_config: 0x2082", "slot_config: 0x2083"))
    assert "slot 1: the words do not say what the bits do" in message
    assert "signs digests it is given and signs what the chip itself built" in message


@pytest.mark.parametrize("key", ["purpose", "source", "title", "kind"])
def test_a_profile_without_its_reasons_is_refused(tmp_path: Path, key: str) -> None:
    assert f"{key}: field required" in refusal(tmp_path, (f"\n{key}: ", f"\nno-{key}: "))


def test_a_written_profile_leaves_nothing_open(tmp_path: Path) -> None:
    message = refusal(tmp_path, ("    role: identity\n", "    role: identity\n    key_config_varies: 1\n"))
    assert "leaves nothing open" in message


@pytest.mark.parametrize("profile", shipped_profiles(), ids=lambda profile: profile.name)
def test_every_shipped_profile_says_what_it_is_for_and_where_it_is_from(profile) -> None:
    assert profile.purpose
    assert profile.source
    assert profile.writable == (profile.name == "hri-device")
    assert all(slot.title and slot.words for slot in profile.slots)


@pytest.mark.parametrize(
    "text", ["", "- 1", "name", "? [a]\n: b", "&a [*a]", "settings: {16: 1}", "\x00", "!!python/name:os.x"]
)
def test_what_is_no_profile_is_refused_and_nothing_else(tmp_path: Path, text: str) -> None:
    file = tmp_path / "none.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError):
        load_profile(file)


def test_a_file_without_end_is_not_read_to_it() -> None:
    with pytest.raises(ConfigurationError, match="longer than"):
        load_profile(Path("/dev/zero"))
