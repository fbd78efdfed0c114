"""The bus itself: counts, events, faults on its wires, and the same bus over TCP."""

import socket
import struct
import threading
import time

import pytest
from hri.rig.atecc import open_chip
from hri.rig.bus import ADDRESS_NACK, DATA_NACK, Bus, Event, ManualClock
from hri.rig.bus_client import RemoteBus
from hri.rig.bus_faults import Fault, FaultyTarget, Plan
from hri.rig.bus_server import BusServer

ADDRESS = 0x60
INFO = bytes.fromhex("03 07 30 00 00 00 03 5d")
REPLY = bytes.fromhex("07 00 00 60 03 83 bb")


class Memory:
    """A target with one register file, to see the bus without a chip."""

    def __init__(self, address=0x50, content=b""):
        self.address, self.content, self.written, self.stops = address, list(content), [], 0

    def wake_pulse(self, low_us):
        self.woken = low_us

    def start(self, address, read):  # noqa: ARG002
        return address == self.address

    def write_byte(self, value):
        self.written.append(value)
        return value != 0xEE

    def read_byte(self):
        return self.content.pop(0)

    def stop(self):
        self.stops += 1

    def power_cycle(self):
        self.written.clear()


def test_counters_are_exact(wire):
    wire.bus.counters.reset()
    wire.bus.write(ADDRESS, INFO)
    wire.bus.read(ADDRESS, 7)
    wire.bus.write(0x35, b"12")
    wire.bus.wake_pulse(80)
    wire.bus.wake_pulse(10)
    counters = wire.bus.counters
    assert (counters.transfers, counters.bytes, counters.wakes) == (3, (1 + 8) + (1 + 7) + 1, 1)
    assert wire.bus.commands() == [{0x30: 1}]


def test_a_target_that_does_not_count_has_no_commands():
    assert Bus([Memory()]).commands() == [{}]


def test_the_observer_sees_every_event_with_its_time():
    clock, target = ManualClock(5), Memory(content=b"\x42")
    bus = Bus([target], clock=clock)
    events = []
    bus.observer = events.append
    bus.write(0x50, b"\x01")
    clock.advance_us(10)
    bus.read(0x50, 1)
    bus.read(0x51, 1)
    bus.wake_pulse(80)
    bus.power_cycle()
    assert events == [
        Event(5, "start", 0xA0, True),
        Event(5, "write", 1, True),
        Event(5, "stop", 0, True),
        Event(15, "start", 0xA1, True),
        Event(15, "read", 0x42, True),
        Event(15, "stop", 0, True),
        Event(15, "start", 0xA3, False),
        Event(15, "stop", 0, True),
        Event(15, "wake", 80, True),
        Event(15, "power", 0, True),
    ]


def test_a_refused_byte_ends_the_write():
    target = Memory()
    assert Bus([target]).write(0x50, b"\x01\xee\x02") == DATA_NACK
    assert target.written == [0x01, 0xEE]
    assert target.stops == 1


def test_an_empty_write_probes_an_address():
    bus = Bus([Memory()])
    assert bus.write(0x50, b"") == 0
    assert bus.write(0x51, b"") == ADDRESS_NACK


def test_targets_pull_the_data_line_low_together():
    assert Bus([Memory(content=b"\xf0"), Memory(content=b"\x3c")]).read(0x50, 1) == (0, b"\x30")


def test_a_clock_does_not_go_back():
    with pytest.raises(ValueError, match="back"):
        ManualClock().advance_us(-1)


# Faults.


@pytest.fixture
def faulty():
    clock = ManualClock()
    target = FaultyTarget(open_chip(clock=clock), clock, seed=1)
    bus = Bus([target], clock=clock)
    bus.wake_pulse(80)
    return bus, target, clock


def exchange(bus):
    return bus.write(ADDRESS, INFO), *bus.read(ADDRESS, 7)


def test_without_a_plan_everything_passes(faulty):
    bus, target, _ = faulty
    assert exchange(bus) == (0, 0, REPLY)
    assert target.bytes_seen == 15
    assert bus.commands() == [{0x30: 1}]


def test_a_flip_in_the_answer_is_one_bit(faulty):
    bus, target, _ = faulty
    target.arm([Plan(Fault.FLIP, 10)])
    received = exchange(bus)[2]
    differing = [(i, a ^ b) for i, (a, b) in enumerate(zip(received, REPLY, strict=True)) if a != b]
    assert [(i, bits.bit_count()) for i, bits in differing] == [(1, 1)]
    assert target.hits == [Plan(Fault.FLIP, 10)]


def test_the_same_seed_flips_the_same_bit():
    def run(seed):
        clock = ManualClock()
        bus = Bus([FaultyTarget(open_chip(clock=clock), clock, [Plan(Fault.FLIP, 9, 7)], seed=seed)])
        bus.wake_pulse(80)
        return exchange(bus)

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_a_flip_in_the_command_is_answered_with_ff(faulty):
    bus, target, _ = faulty
    target.arm([Plan(Fault.FLIP, 5)])
    assert exchange(bus)[2][:2] == b"\x04\xff"
    assert bus.commands() == [{}]


def test_a_dropped_byte_of_a_command_leaves_the_chip_waiting(faulty):
    bus, target, _ = faulty
    target.arm([Plan(Fault.DROP, 4)])
    assert exchange(bus) == (0, ADDRESS_NACK, b"")


def test_a_dropped_byte_of_an_answer_moves_the_rest_up(faulty):
    bus, target, _ = faulty
    target.arm([Plan(Fault.DROP, 9)])
    assert exchange(bus)[2] == REPLY[1:] + b"\xff"


def test_truncation_loses_the_rest_of_the_transaction_only(faulty):
    bus, target, _ = faulty
    target.arm([Plan(Fault.TRUNCATE, 11)])
    assert exchange(bus)[2] == REPLY[:2] + b"\xff" * 5
    bus.write(ADDRESS, b"\0")
    assert bus.read(ADDRESS, 7) == (0, REPLY)


def test_a_nack_refuses_a_byte_or_an_address(faulty):
    bus, target, _ = faulty
    target.arm([Plan(Fault.NACK, 3)])
    assert bus.write(ADDRESS, INFO) == DATA_NACK
    bus.write(ADDRESS, b"\0")
    target.arm([Plan(Fault.NACK, 1)])
    assert bus.write(ADDRESS, INFO) == ADDRESS_NACK
    assert exchange(bus) == (0, 0, REPLY)


def test_a_delay_holds_the_answer_back(faulty):
    bus, target, clock = faulty
    target.arm([Plan(Fault.DELAY, 8, delay_us=500)])
    assert exchange(bus)[1] == ADDRESS_NACK
    clock.advance_us(500)
    assert bus.read(ADDRESS, 7) == (0, REPLY)


def test_a_power_cut_puts_the_chip_to_sleep_before_that_byte(faulty):
    bus, target, _ = faulty
    target.arm([Plan(Fault.POWER_CUT, 8)])
    assert exchange(bus) == (0, ADDRESS_NACK, b"")
    assert bus.commands() == [{}]
    bus.wake_pulse(80)
    assert exchange(bus) == (0, 0, REPLY)


@pytest.mark.parametrize("wrong", [{"at": 0}, {"at": 1, "count": 0}, {"at": 1, "delay_us": -1}])
def test_a_plan_is_checked(wrong):
    with pytest.raises(ValueError, match="fault"):
        Plan(Fault.DROP, **wrong)


# TCP.


@pytest.fixture
def server():
    clock = ManualClock()
    with BusServer(Bus([open_chip(clock=clock)], clock=clock)) as running:
        yield running


def raw(server, *requests, expect):
    """Send requests byte for byte, return what comes back until ``expect`` bytes or the end."""
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(b"".join(requests))
        received = b""
        while len(received) < expect and (chunk := client.recv(4096)):
            received += chunk
        return received


def request(op, address, length, payload=b""):
    return struct.pack(">cBH", op, address, length) + payload


def test_the_wire_format_is_that_of_the_design(server):
    received = raw(
        server,
        request(b"K", 0, 0),
        request(b"R", ADDRESS, 4),
        request(b"W", ADDRESS, 8, INFO),
        request(b"R", ADDRESS, 7),
        request(b"P", 0, 0),
        request(b"R", ADDRESS, 4),
        expect=29,
    )
    assert received == bytes.fromhex("000000  000004 04113343  000000  000007 070000600383bb  000000  010000")


def test_an_address_0_write_wakes_and_is_not_acknowledged(server):
    received = raw(server, request(b"W", 0, 1, b"\0"), request(b"R", ADDRESS, 4), expect=10)
    assert received == bytes.fromhex("010000 000004 04113343")


def test_a_refused_data_byte_is_status_2(server):
    received = raw(server, request(b"K", 0, 0), request(b"W", ADDRESS, 1, b"\x77"), expect=6)
    assert received == bytes.fromhex("000000 020000")


@pytest.mark.parametrize("malformed", [b"Z\x60\0\0", b"W\x80\0\1\0", b"R\xff\0\4", b"GET / HTTP/1.1\r\n\r\n"])
def test_malformed_input_closes_that_client_only(server, malformed):
    with RemoteBus(*server.address) as other:
        other.wake()
        assert raw(server, malformed, expect=1) == b""
        assert other.read(ADDRESS, 4)[0] == 0


def test_a_request_may_come_byte_by_byte(server):
    with socket.create_connection(server.address, timeout=10) as client:
        for byte in request(b"K", 0, 0) + request(b"R", ADDRESS, 4):
            client.sendall(bytes((byte,)))
        received = b""
        while len(received) < 10:
            received += client.recv(64)
    assert received == bytes.fromhex("000000 000004 04113343")


def test_a_reply_may_come_byte_by_byte():
    reply = bytes.fromhex("000004 04113343")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def dribble():
            client, _ = listener.accept()
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.recv(64)
                for byte in reply:
                    client.sendall(bytes((byte,)))
                    time.sleep(0.002)

        thread = threading.Thread(target=dribble)
        thread.start()
        with RemoteBus(*listener.getsockname()) as bus:
            assert bus.read(ADDRESS, 4) == (0, reply[3:])
        thread.join(timeout=10)


def test_a_hang_up_amid_a_request_changes_nothing(server):
    assert raw(server, b"", expect=0) == b""
    with socket.create_connection(server.address, timeout=10) as client:
        client.sendall(request(b"W", ADDRESS, 8, INFO[:3]))
    with RemoteBus(*server.address) as bus:
        bus.wake()
        assert bus.read(ADDRESS, 4) == (0, bytes.fromhex("04113343"))


def test_several_clients_take_turns_by_whole_transactions(server):
    failures = []

    def client():
        with RemoteBus(*server.address) as bus:
            bus.wake()
            for _ in range(50):
                if bus.write(ADDRESS, INFO) != 0:
                    failures.append("write")

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert not failures


def test_power_can_be_cycled_over_tcp(server):
    with RemoteBus(*server.address) as bus:
        bus.wake()
        assert bus.read(ADDRESS, 1)[0] == 0
        bus.power_cycle()
        assert bus.read(ADDRESS, 1)[0] == ADDRESS_NACK


def test_stopping_disconnects_and_frees_the_port(server):
    with RemoteBus(*server.address) as bus:
        bus.wake()
        server.stop()
        with pytest.raises(OSError, match=r"closed|reset|pipe"):
            bus.wake()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=5)


def test_a_target_that_breaks_costs_its_client_only():
    class Broken(Memory):
        def read_byte(self):
            raise RuntimeError("broken")

    with BusServer(Bus([Broken()])) as running:
        with RemoteBus(*running.address) as bus, pytest.raises(OSError, match=r"closed|reset"):
            bus.read(0x50, 1)
        with RemoteBus(*running.address) as bus:
            assert bus.write(0x50, b"\x01") == 0
        assert str(running.failure) == "broken"
