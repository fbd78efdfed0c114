"""`hri rig trace`: what it prints of a file, follows, writes and refuses."""

import json
import threading
import time

import pytest
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri.rig.bus_control import BusControl
from hri.rig.bus_faults import FaultyTarget
from hri.rig.trace import Header, Power, Transfer, Wake, recording
from hri.rig.trace.file import header_line, line

ADDRESS = 0x60
INFO = bytes.fromhex("03 07 30 00 00 00 03 5d")
DEADLINE_S = 30


def converse(bus, clock):
    bus.wake_pulse(80)
    clock.advance_us(1500)
    bus.read(ADDRESS, 4)
    bus.write(ADDRESS, INFO)
    clock.advance_us(1000)
    bus.read(ADDRESS, 7)
    bus.write(ADDRESS, b"\x01")


@pytest.fixture
def rig():
    clock = ManualClock()
    wires = FaultyTarget(open_chip("atecc608b", clock=clock, timing="typical"), clock)
    return Bus([wires], clock=clock), clock, wires


@pytest.fixture
def file(rig, tmp_path):
    bus, clock, _ = rig
    with recording(bus, tmp_path / "trace", Header("atecc608b")):
        converse(bus, clock)
    return tmp_path / "trace"


def test_a_trace_is_a_table(hri, file):
    ran = hri("rig", "trace", str(file))
    assert ran.status == 0
    table, totals = ran.out.split("\n\n", 1)
    headings, waking, info, sleep = table.splitlines()
    assert headings.split() == ["ms", "command", "bytes", "execution", "reply", "data", "notes"]
    assert waking.split() == ["0.000", "wake,", "80", "µs", "5", "woken"]
    assert info.split() == ["1.500", "Info", "revision", "17", "1.0", "ms", "ATECC608B", "00006003"]
    assert sleep.split() == ["2.500", "sleep", "2"]
    assert "2.5 ms, 24 bytes on the bus, 1 wake pulse," in totals


def test_a_trace_is_one_document(hri, file):
    document = hri("--json", "rig", "trace", str(file)).json
    assert document["trace"]["chip"] == "atecc608b"
    assert [step["kind"] for step in document["steps"]] == ["wake", "command", "word"]
    command = document["steps"][1]
    assert (command["command"], command["mode"], command["busy_us"]) == ("Info", "revision", 1000)
    assert command["reply"] == {"words": "ATECC608B", "status": None, "data": "00006003", "good": True}
    assert document["summary"]["rows"]["Info"]["count"] == 1
    assert document["torn_lines"] == 0


def test_the_summary_alone(hri, file):
    assert "revision" not in hri("rig", "trace", str(file), "--summary").out
    assert "steps" not in hri("--json", "rig", "trace", str(file), "--summary").json


def test_bytes_are_shortened_unless_asked_for_in_full(hri, tmp_path):
    read = bytes.fromhex("03 07 02 80 00 00 09 ad")
    reply = bytes.fromhex("230123a1b200006003c0ffee42ee00000000000000000000000000000000000000c988")
    path = tmp_path / "t"
    transfers = [Transfer(0, 1, ADDRESS, False, True, read), Transfer(2, 3, ADDRESS, True, True, reply)]
    path.write_text(header_line(Header()) + "".join(map(line, transfers)))
    assert "0123a1b2…00000000" in hri("rig", "trace", str(path)).out
    assert reply[1:-2].hex() in hri("rig", "trace", str(path), "--full").out


def test_a_wave_and_a_picture_are_written(hri, file, tmp_path):
    ran = hri("rig", "trace", str(file), "--vcd", str(tmp_path / "w"), "--svg", str(tmp_path / "p"))
    assert (ran.status, ran.out) == (0, "")
    assert "$enddefinitions" in (tmp_path / "w").read_text()
    assert (tmp_path / "p").read_text().startswith("<svg")


def test_a_torn_line_is_told(hri, file):
    file.write_text(file.read_text() + '{"t": 5, "wa')
    ran = hri("rig", "trace", str(file))
    assert ran.status == 0
    assert "no transaction: 1" in ran.err
    assert hri("--json", "rig", "trace", str(file)).json["torn_lines"] == 1


def test_what_a_trace_says_cannot_command_the_terminal(hri, tmp_path):
    path = tmp_path / "t"
    transfer = Transfer(0, 1, 0x50, False, True, b"\x01", faults=("\x1b[2J",), held="\x07\u202e")
    path.write_text(header_line(Header("\x1b]0;x\x07")) + line(transfer) + line(Power(5, ("\x9b",))))
    out = hri("rig", "trace", str(path)).out
    assert not set(out) & set("\x1b\x07\x9b\u202e")
    assert "\\x1b[2J" in out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the file is empty"),
        ("hello\n", "no header"),
        (header_line(Header()).replace('"version": 1', '"version": 9'), "version 9"),
        ("name,type,start_time,address\n", "no column"),
        ("1-2 i2c-1: Start\n", "--sample-rate"),
    ],
)
def test_what_is_no_trace_is_refused(hri, tmp_path, text, why):
    (tmp_path / "t").write_text(text)
    ran = hri("--json", "rig", "trace", str(tmp_path / "t"))
    assert (ran.status, ran.error["code"]) == (2, "no-trace")
    assert why in ran.error["message"]


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        ((), 2, "name a FILE or a --control address"),
        (("a", "--control", "127.0.0.1:1"), 2, "name a FILE or a --control address"),
        (("--control", "127.0.0.1:1", "--svg", "p"), 2, "a picture is made of what is over"),
        (("a", "--chip-address", "zz"), 2, "hexadecimal"),
        (("a", "--chip-address", "80"), 2, "from 01 to 7f"),
        (("missing",), 3, "no such file"),
        (("missing", "--follow"), 3, "no such file"),
        (("--control", "127.0.0.1:1", "--for", "1"), 3, "refused"),
    ],
)
def test_wrong_usage_and_what_cannot_be_reached(hri, tmp_path, monkeypatch, arguments, status, why):
    monkeypatch.chdir(tmp_path)
    ran = hri("--json", "rig", "trace", *arguments)
    assert ran.status == status
    assert why in ran.error["message"]


def test_a_second_chip_is_told_from_the_first(hri, tmp_path):
    path = tmp_path / "t"
    sleeps = [Transfer(0, 1, address, False, True, b"\x01") for address in (0x60, 0x35, 0x60)]
    path.write_text(header_line(Header()) + "".join(map(line, sleeps)))
    rows = hri("rig", "trace", str(path)).out.splitlines()[1:4]
    assert [row.split()[1:-1] for row in rows] == [["sleep"], ["0x35:", "sleep"], ["sleep"]]


def test_it_says_where_a_trace_comes_from(hri, file):
    assert "atecc608b, virtual chip; times are the host's" in hri("rig", "trace", str(file)).err


def test_an_address_can_be_declared_a_chips(hri, tmp_path):
    path = tmp_path / "t"
    path.write_text(header_line(Header()) + line(Transfer(0, 1, 0x42, False, True, b"\x01")))
    assert "0x42: 1 transfer" in hri("rig", "trace", str(path)).out
    assert "sleep" in hri("rig", "trace", str(path), "--chip-address", "42").out


def test_a_file_is_followed_while_it_is_written(hri, file):
    """Ends by itself, at the latest after the time given."""

    def append():
        time.sleep(0.3)
        with file.open("a") as writer:
            writer.write(line(Wake(5000, 70)))

    writer = threading.Thread(target=append)
    writer.start()
    ran = hri("--json", "rig", "trace", str(file), "--follow", "--for", "2")
    writer.join(DEADLINE_S)
    documents = [json.loads(text) for text in ran.out.splitlines()]
    assert [document.get("low_us") for document in documents if document.get("kind") == "wake"] == [80, 70]
    assert documents[-1]["summary"]["wake_pulses"] == 2


def test_a_served_bus_is_looked_at(hri, rig):
    bus, clock, wires = rig
    with BusControl(bus, wires) as control:

        def talk():
            deadline = time.monotonic() + DEADLINE_S
            # Nobody observes a bus that nobody looks at.
            while bus.observer is None and time.monotonic() < deadline:
                time.sleep(0.01)
            converse(bus, clock)

        talker = threading.Thread(target=talk)
        talker.start()
        where = f"{control.address[0]}:{control.address[1]}"
        ran = hri("rig", "trace", "--control", where, "--for", "2")
        talker.join(DEADLINE_S)
    assert "Info revision" in ran.out
    assert "24 bytes on the bus" in ran.out
