"""Frames survive whatever a serial line does to them (docs/protocol.md "Frames")."""

import random

import pytest
from hri.link.frames import Frame, FrameReader, FrameTooLong, encode_frame
from hypothesis import given
from hypothesis import strategies as st
from unit.link import fake_device


@given(st.integers(0, 0xFFFF), st.binary(max_size=700))
def test_a_frame_comes_out_as_it_went_in_however_it_is_split(request_id, body):
    line = encode_frame(request_id, body)
    reader = FrameReader()

    frames = [frame for byte in line for frame in reader.feed(bytes((byte,)))]

    assert frames == [Frame(1, request_id, body)]


@given(st.integers(0, 0xFFFF), st.integers(0, 2**64 - 1))
def test_an_independent_encoder_writes_the_same_bytes(request_id, value):
    import cbor2

    assert encode_frame(request_id, cbor2.dumps(value)) == fake_device.frame(request_id, value)


def test_the_longest_body_fits_and_one_more_byte_does_not():
    body = bytes(range(256)) * 16

    frames = list(FrameReader().feed(encode_frame(1, body[: 4096 - 7])))

    assert frames == [Frame(1, 1, body[: 4096 - 7])]
    with pytest.raises(FrameTooLong):
        encode_frame(1, body[: 4096 - 6])


def test_text_around_frames_is_noise_and_is_kept():
    reader = FrameReader()

    frames = list(reader.feed(b"MicroPython v1.25\r\n" + encode_frame(7, b"\xa0") + b"Traceback"))

    assert frames == [Frame(1, 7, b"\xa0")]
    assert reader.noise() == b"MicroPython v1.25\r\nTraceback"


def test_noise_is_kept_to_four_kilobytes():
    reader = FrameReader()

    for _ in range(100):
        list(reader.feed(b"x" * 100 + b"\x00"))
    list(reader.feed(b"y" * 20000 + b"end"))

    assert len(reader.noise()) == 4096
    assert reader.noise().endswith(b"yyyend")


def test_an_overlong_frame_is_dropped_and_the_next_one_read():
    reader = FrameReader()
    list(reader.feed(b"\x00" + b"\x7f" * 9000))

    frames = list(reader.feed(b"\x00" + encode_frame(9, b"ok")))

    assert frames == [Frame(1, 9, b"ok")]


@pytest.mark.parametrize("seed", range(40))
def test_one_flipped_bit_never_gives_a_frame_and_never_costs_the_next(seed):
    chance = random.Random(seed)  # noqa: S311
    line = bytearray(encode_frame(seed, chance.randbytes(60)))
    line[chance.randrange(len(line))] ^= 1 << chance.randrange(8)
    reader = FrameReader()

    frames = list(reader.feed(bytes(line) + encode_frame(2, b"next")))

    assert frames[-1] == Frame(1, 2, b"next")
    assert all(frame.body == b"next" or frame.request_id == seed for frame in frames)
    assert len(frames) == 1 or line[0] != 0 or line[-1] != 0


def test_noise_since_a_mark_is_only_what_came_later():
    reader = FrameReader()
    list(reader.feed(b"before"))
    mark = reader.noise_position

    list(reader.feed(b"after"))

    assert reader.noise_since(mark) == b"after"
