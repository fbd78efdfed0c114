"""The control socket: what it does, what it refuses, and how long it waits."""

import json
import socket
import threading

import pytest
from hri.rig import bus_control
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, MonotonicClock
from hri.rig.bus_client import RemoteBus
from hri.rig.bus_control import BusControl
from hri.rig.bus_control_client import RemoteControl
from hri.rig.bus_faults import FaultyTarget
from hri.rig.bus_server import BusServer
from unit.rig_faults.conftest import ADDRESS, INFO, REVISION


@pytest.fixture
def served(rig):
    """The rig's bus over TCP, and its control beside it."""
    with (
        BusServer(rig.bus) as server,
        BusControl(rig.bus, rig.wires) as control,
        RemoteBus(*server.address) as bus,
        RemoteControl(*control.address) as remote,
    ):
        yield rig, bus, remote, control


def info(bus):
    return bus.write(ADDRESS, INFO), *bus.read(ADDRESS, 7)


def raw(control, data, timeout=10):
    with socket.create_connection(control.address, timeout=timeout) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_faults_are_armed_counted_and_cleared_while_a_bus_is_served(served):
    _, bus, remote, _ = served
    assert remote.arm("flip@10:bit0", "device:0x50", seed=3) == ["flip@10:bit0", "device:0x50"]
    assert info(bus) == (0, 0, REVISION[:1] + b"\x01" + REVISION[2:])
    assert bus.write(0x50, b"\x00") == 0
    counters = remote.counters()
    assert (counters["bytes_seen"], counters["transfers_seen"], counters["struck"]) == (15, 2, 1)
    assert (counters["commands"], counters["seed"]) == ({"30": 1}, 3)
    (hit,) = remote.hits()
    assert (hit["transfer"], hit["byte"], hit["fault"]) == (2, 2, "flip@10:bit0")
    remote.clear()
    assert info(bus) == (0, 0, REVISION)
    assert bus.write(0x50, b"\x00") == 1
    assert remote.hits() == []


def test_the_supply_is_taken_and_given_back(served):
    _, bus, remote, _ = served
    remote.power_off()
    bus.wake()
    assert info(bus) == (1, 1, b"")
    assert remote.counters()["powered"] is False
    remote.power_on()
    bus.wake()
    assert info(bus) == (0, 0, REVISION)


def test_a_stuck_bus_is_told_and_cleared_by_clock_pulses(served):
    _, bus, remote, _ = served
    remote.arm("stuck@1.0:100clk")
    assert bus.write(ADDRESS, INFO) == 1
    assert remote.counters()["stuck"] == "stuck@1.0:100clk"
    remote.clock(100)
    assert remote.counters()["stuck"] is None
    assert info(bus) == (0, 0, REVISION)


def test_clear_lets_go_of_a_stuck_line(served):
    _, bus, remote, _ = served
    remote.arm("stuck@1.0")
    assert bus.write(ADDRESS, INFO) == 1
    remote.clear()
    assert info(bus) == (0, 0, REVISION)


def test_more_hits_than_one_reply_holds_come_in_order(served, monkeypatch):
    monkeypatch.setattr(bus_control, "_MAX_HITS", 4)
    _, bus, remote, _ = served
    remote.arm("flip@1x15")
    bus.read(ADDRESS, 15)
    assert [hit["byte"] for hit in remote.hits()] == list(range(1, 16))


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"do": "arm", "faults": ["flip@2", "flop@3"]}, "is no fault"),
        ({"do": "arm", "faults": ["slow:0"]}, "1 to 10000"),
        ({"do": "arm", "faults": "flip@2"}, "a list"),
        ({"do": "arm", "faults": [2]}, "a list"),
        ({"do": "arm", "faults": [], "seed": -1}, "whole number"),
        ({"do": "arm", "faults": [], "seed": True}, "whole number"),
        ({"do": "power", "on": 1}, "true or false"),
        ({"do": "clock", "pulses": 10**9}, "whole number"),
        ({"do": "hits", "from": "x"}, "whole number"),
        ({"do": "reboot"}, "arm, clear"),
        ({"do": ["arm"]}, "arm, clear"),
        ({}, "arm, clear"),
        ([], "arm, clear"),
        ("arm", "arm, clear"),
    ],
)
def test_a_bad_request_is_told_why_and_changes_nothing(served, request_, why):
    rig, _, remote, control = served
    remote.arm("flip@2:bit0", seed=9)
    reply = control.answer(json.dumps(request_).encode())
    assert reply["ok"] is False
    assert why in reply["error"]
    assert [fault.at for fault in rig.wires.faults] == [2]
    assert rig.wires.seed == 9


@pytest.mark.parametrize("line", [b"", b"{", b"\xff\xfe", b"nonsense", b"[" * 60_000, b"9" * 60_000])
def test_a_line_that_is_no_json_is_answered_and_the_connection_goes_on(served, line):
    control = served[3]
    replies = raw(control, line + b'\n{"do": "clear"}\n').splitlines()
    assert [json.loads(reply)["ok"] for reply in replies] == [False, True]


def test_the_client_raises_what_the_server_refuses(served):
    remote = served[2]
    with pytest.raises(ValueError, match="is no fault"):
        remote.arm("flop@3")
    assert remote.arm("flip@3") == ["flip@3"]


def test_requests_may_come_byte_by_byte_or_many_at_once(served):
    control = served[3]
    request = b'{"do": "clear"}\n'
    with socket.create_connection(control.address, timeout=10) as client:
        for byte in request:
            client.sendall(bytes((byte,)))
        assert client.recv(4096) == b'{"ok": true}\n'
    assert raw(control, request * 5) == b'{"ok": true}\n' * 5


def test_a_line_without_an_end_is_hung_up_on(served, monkeypatch):
    monkeypatch.setattr(bus_control, "_LINE_DEADLINE_S", 3600)
    control = served[3]
    with (
        socket.create_connection(control.address, timeout=10) as client,
        pytest.raises(OSError, match=r"reset|pipe"),
    ):
        client.sendall(b"x" * (1 << 26))
    assert raw(control, b'{"do": "clear"}\n') == b'{"ok": true}\n'


@pytest.mark.parametrize(("deadline", "sent"), [("_LINE_DEADLINE_S", b'{"do"'), ("_IDLE_DEADLINE_S", b"")])
def test_a_client_that_falls_silent_is_hung_up_on(served, monkeypatch, deadline, sent):
    monkeypatch.setattr(bus_control, deadline, 0.05)
    with socket.create_connection(served[3].address, timeout=10) as client:
        client.sendall(sent)
        assert client.recv(1) == b""


def test_a_bus_that_stays_busy_is_told(served, monkeypatch):
    monkeypatch.setattr(bus_control, "_BUSY_DEADLINE_S", 0.05)
    rig, _, remote, _ = served
    held, done = threading.Event(), threading.Event()

    def hold():
        with rig.bus.exclusive:
            held.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        with pytest.raises(ValueError, match="busy"):
            remote.counters()
    finally:
        done.set()
        holder.join(10)
    assert remote.counters()["powered"]


def test_one_client_too_many_is_turned_away(served):
    control = served[3]
    others = [socket.create_connection(control.address, timeout=10) for _ in range(7)]
    try:
        for other in others:
            other.sendall(b'{"do": "clear"}\n')
            assert other.recv(64) == b'{"ok": true}\n'
        with socket.create_connection(control.address, timeout=10) as extra:
            assert extra.recv(1) == b""
    finally:
        for other in others:
            other.close()


def test_arming_under_full_traffic_is_never_half_done():
    """Arming and cutting race with a client; what it reads is right, has one flipped bit, or is a refusal."""
    clock = MonotonicClock()
    wires = FaultyTarget(open_chip(clock=clock), clock)
    bus = Bus([wires], clock=clock)
    wrong = []
    stop = threading.Event()

    def client(address):
        with RemoteBus(*address) as remote:
            while not stop.is_set():
                remote.wake()
                if remote.write(ADDRESS, INFO) == 0:
                    status, answer = remote.read(ADDRESS, 7)
                    flipped = int.from_bytes(answer, "big") ^ int.from_bytes(REVISION, "big")
                    if status == 0 and flipped.bit_count() > 1 and answer[1] != 0xFF:
                        wrong.append(answer)
                remote.write(ADDRESS, b"\x01")

    with BusServer(bus) as server, BusControl(bus, wires) as control:
        worker = threading.Thread(target=client, args=(server.address,))
        worker.start()
        with RemoteControl(*control.address) as remote:
            for _ in range(200):
                remote.arm("flip@10:bit0")
                remote.arm("flip@2.2:bit0")
                remote.power_off()
                remote.power_on()
            remote.clear()
        stop.set()
        worker.join(20)
        assert not worker.is_alive()
        assert server.failure is None
        with RemoteBus(*server.address) as remote_bus:
            remote_bus.wake()
            assert info(remote_bus) == (0, 0, REVISION)
    assert not wrong
