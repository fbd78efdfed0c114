"""CRC, command packets and replies, and every status in words."""

import json
import random
from pathlib import Path

import pytest
from hri_device.atecc.packet import build, crc16, parse
from hri_device.errors import CommandError, PacketError
from unit.firmware_atecc.scripted_bus import command, crc, reply

_VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "atecc_packets.json").read_text())

# 508A datasheet, "Status/Error Codes", and the public ATECC608 headers.
_STATUSES = {
    0x01: "miscompare",
    0x03: "parse",
    0x05: "ECC",
    0x07: "self-test",
    0x08: "health test",
    0x0F: "not allowed",
    0x11: "just woken",
    0xEE: "watchdog",
    0xFF: "damaged",
    0x42: "unknown",
}


@pytest.mark.parametrize("vector", _VECTORS["crc16"], ids=lambda vector: vector["data"][:16] or "empty")
def test_crc_of_the_shared_vectors(vector):
    assert crc16(bytes.fromhex(vector["data"])) == vector["crc"]


def test_crc_is_that_of_the_datasheet_for_any_data():
    source = random.Random(608)  # noqa: S311 - test data
    for length in range(160):
        data = source.randbytes(length)
        assert crc16(data).to_bytes(2, "little") == crc(data)


@pytest.mark.parametrize("vector", _VECTORS["commands"], ids=lambda vector: vector["name"])
def test_build_makes_the_shared_vectors(vector):
    group = bytes.fromhex(vector["group"])
    packet = bytearray(b"\xaa" * 160)
    length = build(packet, group[1], group[2], group[3] | group[4] << 8, group[5:-2])
    assert packet[:length] == b"\x03" + group
    assert set(packet[length:]) == {0xAA}


@pytest.mark.parametrize("vector", _VECTORS["replies"], ids=lambda vector: vector["name"])
def test_status_replies_of_the_shared_vectors(vector):
    view = memoryview(bytes.fromhex(vector["group"]))
    if vector["status"] == 0:
        assert parse(view, 0, 0x30) == b""
    else:
        with pytest.raises(CommandError) as refused:
            parse(view, 0, 0x30)
        assert refused.value.status == vector["status"]


@pytest.mark.parametrize(("status", "words"), _STATUSES.items())
@pytest.mark.parametrize("size", [0, 4, 64])
def test_a_status_is_told_in_words_whatever_was_expected(status, words, size):
    padded = (reply(bytes((status,))) + b"\xff" * 67)[: max(size, 1) + 3]
    with pytest.raises(CommandError, match=words) as refused:
        parse(memoryview(padded), size, 0x41)
    assert (refused.value.status, refused.value.opcode) == (status, 0x41)
    assert f"{status:02x}" in str(refused.value)
    assert "command 41" in str(refused.value)


def test_success_where_data_was_due_is_refused():
    padded = (reply(b"\0") + b"\xff" * 64)[:67]
    with pytest.raises(CommandError, match="no data") as refused:
        parse(memoryview(padded), 64, 0x41)
    assert refused.value.status == 0


def test_every_flipped_bit_of_a_reply_is_noticed():
    good = reply(bytes(range(32)))
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(PacketError, match=r"CRC|length"):
            parse(memoryview(bad), 32, 0x1B)


@pytest.mark.parametrize("count", [0, 1, 3, 36, 255])
def test_an_impossible_count_is_refused(count):
    with pytest.raises(PacketError, match="bad length"):
        parse(memoryview(bytes((count,)) + bytes(34)), 32, 0x1B)


def test_a_good_reply_of_another_length_is_refused():
    padded = (reply(bytes(4)) + b"\xff" * 28)[:35]
    with pytest.raises(PacketError, match="length 7"):
        parse(memoryview(padded), 32, 0x02)


def test_the_largest_command_fits_the_session():
    packet = bytearray(136)
    data = bytes(range(128))
    assert packet[: build(packet, 0x45, 2, 4, data)] == command(0x45, 2, 4, data)
