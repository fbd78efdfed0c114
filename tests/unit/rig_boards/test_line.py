"""The line of a board: the pty, its faults, the thread behind it and the clock."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import pytest
import serial
from hri.rig.boards import BoardClock, BoardError, Link, bit_flips
from hri.rig.boards.port import Port
from hri.rig.boards.worker import Worker


@pytest.fixture
def port() -> Iterator[Port]:
    link = Link(lambda: None, lambda: None, lambda: 0)
    opened = Port(link)
    yield opened
    opened.close()


def test_a_link_passes_bytes_unchanged() -> None:
    link = Link(lambda: None, lambda: None, lambda: 0)
    assert (link.outgoing(b"\x00\xff"), link.incoming(b"\x03")) == (b"\x00\xff", b"\x03")


def test_a_cut_link_loses_both_directions_until_restored() -> None:
    link = Link(lambda: None, lambda: None, lambda: 0)
    link.cut()
    assert (link.open, link.outgoing(b"a"), link.incoming(b"a")) == (False, b"", b"")
    link.restore()
    assert (link.open, link.outgoing(b"a"), link.incoming(b"a")) == (True, b"a", b"a")


def test_only_a_pulled_cable_hangs_up() -> None:
    calls: list[str] = []
    link = Link(lambda: calls.append("hang up"), lambda: calls.append("connect"), lambda: 0)
    link.cut()
    assert calls == []
    link.cut(hang_up=True)
    link.restore()
    assert calls == ["hang up", "connect"]


def test_corruption_is_for_one_direction() -> None:
    link = Link(lambda: None, lambda: None, lambda: 0)
    link.corrupt(to_board=lambda data: data[1:])
    assert (link.outgoing(b"ab"), link.incoming(b"ab")) == (b"ab", b"b")


def test_restore_ends_corruption() -> None:
    link = Link(lambda: None, lambda: None, lambda: 0)
    link.corrupt(to_host=lambda _: b"")
    link.restore()
    assert link.outgoing(b"ab") == b"ab"


def test_bit_flips_do_not_depend_on_how_the_stream_is_cut() -> None:
    data = bytes(range(256))
    whole, pieces = bit_flips(7, 10), bit_flips(7, 10)
    assert whole(data) == b"".join(pieces(data[at : at + 13]) for at in range(0, len(data), 13))


def test_bit_flips_hit_one_bit_of_some_bytes() -> None:
    data = bytes(1000)
    flipped = [byte for byte in bit_flips(1, 10)(data) if byte]
    assert 50 < len(flipped) < 200
    assert all(byte.bit_count() == 1 for byte in flipped)


def test_bit_flips_need_a_count() -> None:
    with pytest.raises(ValueError, match="one_in"):
        bit_flips(1, 0)


def test_a_port_is_binary_both_ways(port: Port) -> None:
    every = bytes(range(256))
    with serial.Serial(str(port.path), timeout=5) as client:
        client.write(every)
        assert port.read() == every
        port.write(every)
        assert client.read(256) == every


def test_a_closed_client_does_not_hang_up_the_port(port: Port) -> None:
    serial.Serial(str(port.path)).close()
    assert port.read() == b""
    with serial.Serial(str(port.path), timeout=5) as client:
        client.write(b"again")
        assert port.read() == b"again"


def test_a_host_that_does_not_read_loses_the_oldest_and_blocks_nobody(port: Port) -> None:
    for number in range(300):
        port.write(bytes([number & 0xFF]) * 1024)
    assert port.wants_write
    client = os.open(port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    got = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            got += os.read(client, 65536)
            port.flush()
    os.close(client)
    assert not port.wants_write
    assert len(got) < 100 * 1024
    assert got.endswith(bytes([299 & 0xFF]) * 1024)


def test_a_hung_up_port_is_gone_and_comes_back_under_its_path(port: Port) -> None:
    path = port.path
    port.hang_up()
    assert not path.exists()
    assert port.read() == b""
    port.write(b"lost")
    port.connect()
    assert path.exists()
    assert not port.wants_write


def test_a_worker_does_what_it_is_asked_between_turns() -> None:
    turned = threading.Event()
    worker = Worker("test", turned.set)
    worker.start()
    names: list[str] = []
    worker.call(lambda: names.append(threading.current_thread().name))
    worker.stop()
    assert names == ["test"]
    assert turned.is_set()


def test_a_worker_hands_an_error_to_who_asked_and_goes_on() -> None:
    worker = Worker("test", lambda: None)
    worker.start()
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0)
    worker.call(lambda: None)
    worker.stop()


def test_a_failed_worker_says_why_to_every_later_caller() -> None:
    worker = Worker("test", lambda: [][0])
    worker.start()
    worker._thread.join(5)
    with pytest.raises(BoardError, match="list index out of range"):
        worker.call(lambda: None)
    worker.stop()


def test_a_stopped_worker_refuses_at_once() -> None:
    worker = Worker("test", lambda: None)
    worker.start()
    worker.stop()
    with pytest.raises(BoardError, match="not running"):
        worker.call(lambda: None)


def test_a_clock_stands_still_until_a_board_takes_it_and_goes_on_from_there() -> None:
    now = [1_000_000]
    clock = BoardClock()
    assert clock.now_us() == 0
    clock.bind(lambda: now[0])
    now[0] += 5
    assert clock.now_us() == 5
    clock.bind(lambda: 17)
    assert clock.now_us() == 5
