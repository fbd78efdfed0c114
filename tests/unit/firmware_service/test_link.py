"""hri_device.link keeps to docs/protocol.md, "Frames", whatever arrives."""

import binascii
import importlib.util
import json
import zlib
from pathlib import Path

import pytest
from cobs import cobs
from hri_device import link
from hri_device.link import Link
from hri_device.request import Refusal
from hypothesis import given
from hypothesis import strategies as st
from unit.firmware_service.memory_stream import MemoryStream

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "link_frames.json").read_text())
FRAMES = pytest.mark.parametrize("case", VECTORS["frames"], ids=lambda case: case["name"])
HELLO = bytes.fromhex(VECTORS["frames"][1]["frame"])


def _frame(number, body):
    inner = bytes([1]) + number.to_bytes(2, "big") + body
    return b"\0" + cobs.encode(inner + zlib.crc32(inner).to_bytes(4, "big")) + b"\0"


def _receive_all(script, split=1 << 30):
    """Return the frames received and how it ended: EOFError or KeyboardInterrupt."""
    endpoint = Link(MemoryStream(script, split))
    frames = []
    while True:
        try:
            number, body = endpoint.receive()
        except (EOFError, KeyboardInterrupt) as error:
            return frames, type(error)
        frames.append((number, bytes(body)))


def _send(number, body):
    stream = MemoryStream([])
    Link(stream).send(number, bytearray(3) + body)
    return bytes(stream.written)


@FRAMES
@pytest.mark.parametrize("split", [1, 7, 1 << 30])
def test_receives(case, split):
    frames, _ = _receive_all([bytes.fromhex(case["frame"])], split)
    assert frames == [(case["id"], bytes.fromhex(case["body"]))]


@FRAMES
def test_sends(case):
    assert _send(case["id"], bytes.fromhex(case["body"])).hex() == case["frame"]


@pytest.mark.parametrize("case", VECTORS["dropped"], ids=lambda case: case["name"])
def test_drops_and_takes_the_next_frame(case):
    frames, _ = _receive_all([bytes.fromhex(case["frame"]), HELLO])
    assert frames == [(1, bytes.fromhex("826568656c6c6fa0"))]


@FRAMES
def test_a_truncated_frame_ends_where_the_next_one_opens(case):
    whole = bytes.fromhex(case["frame"])
    for end in range(1, len(whole) - 1, max(1, len(whole) // 40)):
        frames, _ = _receive_all([whole[:end], HELLO])
        assert frames == [(1, bytes.fromhex("826568656c6c6fa0"))]


def test_an_answer_that_does_not_fit_is_not_begun():
    stream = MemoryStream([])
    with pytest.raises(Refusal) as caught:
        Link(stream).send(1, bytearray(3 + 4090))
    assert caught.value.code == "too-long"
    assert stream.written == b""


def test_a_frame_without_an_end_takes_no_more_than_4096_bytes():
    endpoint = Link(MemoryStream([b"\0" + b"\xff" * 100_000, b"\0", HELLO]))
    assert endpoint.receive()[0] == 1
    assert len(endpoint._frame) <= 4096


def test_a_frame_for_which_there_is_no_memory_is_passed_over(monkeypatch):
    def scarce(size):
        if size > 1024:
            raise MemoryError
        return bytearray(size)

    endpoint = Link(MemoryStream([_frame(7, bytes(3000)), HELLO]))
    monkeypatch.setattr(link, "bytearray", scarce, raising=False)
    assert endpoint.receive()[0] == 1
    assert len(endpoint._frame) <= 1024


def test_the_buffer_shrinks_again_after_a_long_frame():
    endpoint = Link(MemoryStream([_frame(1, bytes(4000)), HELLO]))
    assert len(endpoint.receive()[1]) == 4000
    endpoint.receive()
    assert len(endpoint._frame) == 512


def test_ctrl_c_outside_a_frame_interrupts_and_leaves_what_follows():
    stream = MemoryStream([HELLO + b"\r\x03\r\x01"])
    endpoint = Link(stream)
    endpoint.receive()
    with pytest.raises(KeyboardInterrupt):
        endpoint.receive()
    assert stream.consumed == len(HELLO) + 2


def test_ctrl_c_inside_a_frame_is_data():
    frames, end = _receive_all([_frame(0x0300, b"\x03" * 300)])
    assert frames == [(0x0300, b"\x03" * 300)]
    assert end is EOFError


@pytest.mark.parametrize("begun", [b"\0\x03", b"\0\x05ab\x03", b"\0\x05ab\0\x03", HELLO[:-3] + b"\x03"])
def test_ctrl_c_in_a_frame_never_finished_interrupts_after_500_ms(begun):
    assert _receive_all([begun, 501]) == ([], KeyboardInterrupt)


@pytest.mark.parametrize("begun", [b"\0", b"\0\x05ab", HELLO[:-2]])
def test_a_frame_never_finished_is_dropped_after_500_ms(begun):
    # Outside a frame a Ctrl-C interrupts at once: the closing zero opens no frame that would swallow it.
    assert _receive_all([begun, 501, b"\x03"]) == ([], KeyboardInterrupt)
    frames, _ = _receive_all([begun, 501, HELLO])
    assert [number for number, _ in frames] == [1]


def test_a_frame_that_pauses_for_less_is_received():
    frames, _ = _receive_all([HELLO[:4], 499, HELLO[4:9], 499, HELLO[9:]])
    assert [number for number, _ in frames] == [1]


def test_a_closed_stream_ends_the_wait():
    with pytest.raises(EOFError):
        Link(MemoryStream([])).receive()


@given(st.lists(st.binary(max_size=80), max_size=6), st.integers(1, 70), st.data())
def test_noise_yields_no_frame_and_hides_no_later_one(noise, split, data):
    quiet = [part.replace(b"\x03", b"\x04") for part in noise]
    script = []
    for part in quiet:
        script.append(part)
        if data.draw(st.booleans()):
            script.append(data.draw(st.integers(1, 1500)))
    frames, end = _receive_all([*script, HELLO], split)
    assert frames == [(1, bytes.fromhex("826568656c6c6fa0"))]
    assert end is EOFError


@given(st.integers(0, 65535), st.binary(max_size=600), st.integers(0, 1 << 20), st.integers(1, 255))
def test_a_damaged_byte_never_yields_another_frame(number, body, place, flip):
    whole = bytearray(_frame(number, body))
    whole[1 + place % (len(whole) - 2)] ^= flip
    frames, _ = _receive_all([bytes(whole), 600, HELLO])
    assert all(frame == (1, bytes.fromhex("826568656c6c6fa0")) for frame in frames)


@given(st.integers(0, 65535), st.binary(max_size=1200))
def test_what_is_sent_can_be_received(number, body):
    frame = _send(number, body)
    assert _receive_all([frame])[0] == [(number, body)]
    assert frame.count(0) == 2


def test_crc_without_binascii_is_the_same(monkeypatch):
    monkeypatch.delattr(binascii, "crc32")
    spec = importlib.util.spec_from_file_location("hri_device.link_without_crc32", link.__file__)
    bare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bare)
    assert bare.crc32.__module__ == "hri_device.crc32"
    for data in (b"", b"123456789", bytes(range(256))):
        assert bare.crc32(data) == zlib.crc32(data)
