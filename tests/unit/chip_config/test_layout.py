"""Every bit of a configuration zone is read from where the documents put it."""

from __future__ import annotations

import pytest
from hri.elements.atecc.crc import crc16
from hri.elements.atecc.layout import ChipConfig, KeyConfig, SlotConfig, decode
from hypothesis import given
from hypothesis import strategies as st
from unit.chip_config import configs

WORD = st.integers(min_value=0, max_value=0xFFFF)


@given(WORD)
def test_fields_of_a_slot_config_make_up_the_word(raw: int) -> None:
    word = SlotConfig(raw)
    again = (
        word.read_key
        | word.no_mac << 4
        | word.limited_use << 5
        | word.encrypted_read << 6
        | word.is_secret << 7
        | word.write_key << 8
        | word.write_config << 12
    )
    assert again == raw


@given(WORD)
def test_uses_of_a_private_key_are_the_bits_of_read_key(raw: int) -> None:
    word = SlotConfig(raw)
    assert (word.signs_externally, word.signs_internally, word.allows_ecdh) == (
        raw % 2 == 1,
        raw // 2 % 2 == 1,
        raw // 4 % 2 == 1,
    )


@given(WORD)
def test_fields_of_a_key_config_make_up_the_word(raw: int) -> None:
    word = KeyConfig(raw)
    again = (
        word.private
        | word.pub_info << 1
        | word.key_type << 2
        | word.lockable << 5
        | word.req_random << 6
        | word.req_auth << 7
        | word.auth_key << 8
        | word.persistent_disable << 12
        | word.x509_id << 14
    )
    assert again == raw & ~0x2000  # bit 13 is reserved


@pytest.mark.parametrize(
    ("write_config", "clear", "invalid", "encrypted"),
    [(0x0, True, False, False), (0x1, False, True, False), (0x2, False, False, False)]
    + [(value, False, False, True) for value in (0x4, 0x5, 0x6, 0x7, 0xC, 0xD, 0xE, 0xF)]
    + [(value, False, False, False) for value in (0x3, 0x8, 0x9, 0xA, 0xB)],
)
def test_write_config_as_the_datasheet_tabulates_it(
    write_config: int, clear: bool, invalid: bool, encrypted: bool
) -> None:
    word = SlotConfig(write_config << 12)
    assert (word.clear_write, word.pub_invalid_write, word.encrypted_write) == (clear, invalid, encrypted)


@given(st.binary(min_size=128, max_size=128))
def test_decoding_loses_nothing(raw: bytes) -> None:
    chip = decode(raw)
    slots = chip.slots
    again = bytearray(raw)
    for slot in slots:
        at = 2 * slot.number
        again[20 + at : 22 + at] = slot.slot_config.raw.to_bytes(2, "little")
        again[96 + at : 98 + at] = slot.key_config.raw.to_bytes(2, "little")
    again[88:90] = sum((not slot.locked) << slot.number for slot in slots).to_bytes(2, "little")
    again[0:4], again[8:13] = chip.serial_number[:4], chip.serial_number[4:]
    again[4:8] = chip.revision
    again[70:72] = chip.secure_boot.raw.to_bytes(2, "little")
    again[90:92] = chip.chip_options.raw.to_bytes(2, "little")
    assert bytes(again) == raw


@given(st.binary(max_size=300).filter(lambda raw: len(raw) != 128))
def test_any_other_length_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="128 bytes"):
        ChipConfig(raw)


@pytest.mark.parametrize("number", [-1, 16])
def test_there_are_sixteen_slots(number: int) -> None:
    with pytest.raises(ValueError, match="no slot"):
        decode(bytes(128)).slot(number)


def test_locks_are_read_from_their_bytes() -> None:
    chip = decode(configs.identified())
    assert (chip.config_locked, chip.data_locked) == (True, True)
    assert [slot.number for slot in chip.slots if slot.locked] == [0, 1]
    assert not decode(configs.blank()).config_locked
    assert not decode(configs.configured()).data_locked


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        # The answer to a wake, 04 11 33 43, and the shortest status answer, 04 00 03 40 (DS20005927A).
        ("0411", 0x4333),
        ("0400", 0x4003),
        ("", 0x0000),
    ],
)
def test_checksum(data: str, crc: int) -> None:
    assert crc16(bytes.fromhex(data)) == crc
