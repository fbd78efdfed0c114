"""Events of a bus become transactions, in memory and in a file that is whole at every moment."""

import io
import json

import pytest
from hri.rig.bus import Bus, Event, ManualClock
from hri.rig.bus_line import BusLine
from hri.rig.register_file import RegisterFile
from hri.rig.trace import Header, Power, TraceError, Transfer, Wake, load, recording
from hri.rig.trace.file import MAX_LINE, TraceReader, as_dict, from_dict, header_line, line
from hri.rig.trace.grouping import MAX_BYTES, Grouping
from hri.rig.trace.recorder import FileRecorder, LiveTrace

ADDRESS = 0x60
INFO = bytes.fromhex("03 07 30 00 00 00 03 5d")
EVERY_KIND = (
    Wake(1.5, 80, ("nack@1.0",), "no supply"),
    Power(2, ("power@1",)),
    Transfer(3, 4, 0x60, False, True, b"\x03\x07", (1,), 0, 400_000),
    Transfer(3, 4.25, 0x7F, True, False, repeated=True, stopped=False, other=True, held="stuck@1.0"),
    Transfer(3, 4, 0x50, True, True, b"\xff", more=9, faults=("drop@1", "flip@2:bit0")),
)


def read(text: str) -> TraceReader:
    return TraceReader(io.StringIO(text, newline="\n"))


def test_a_write_a_refused_read_a_pulse_and_a_power_cycle(rig):
    rig.wake()
    rig.bus.write(ADDRESS, INFO)
    rig.bus.read(ADDRESS, 7)
    rig.bus.power_cycle()
    assert rig.trace().transactions == (
        Wake(0, 80),
        Transfer(1500, 1500, ADDRESS, True, True, bytes.fromhex("04113343")),
        Transfer(1500, 1500, ADDRESS, False, True, INFO),
        Transfer(1500, 1500, ADDRESS, True, False),
        Power(1500),
    )


def test_a_byte_that_is_refused_is_marked(rig):
    rig.wake()
    rig.bus.write(ADDRESS, INFO + b"\x00")
    assert rig.trace().transactions[-1].data == INFO + b"\x00"
    assert rig.trace().transactions[-1].nacked == (8,)


def test_a_repeated_start_makes_two_transfers():
    bus, seen = Bus([RegisterFile(0x50)], clock=ManualClock()), []
    bus.observe(Grouping(bus, seen.append))
    bus.start(0x50, False)
    bus.write_byte(7)
    bus.start(0x50, True)
    bus.read_byte()
    bus.stop()
    assert [(found.repeated, found.stopped) for found in seen] == [(False, False), (True, True)]


def test_a_wake_by_address_zero_is_a_pulse_and_the_transfer_that_made_it(rig):
    rig.bus.write(0, b"\x00")
    assert rig.trace().transactions == (Wake(0, 80), Transfer(0, 0, 0, False, False))


def test_where_bits_take_time_a_transfer_is_dated_from_its_start():
    clock = ManualClock(1000)
    bus, seen = Bus([RegisterFile(0x50)], clock=clock), []
    bus.scl_hz = 400_000
    bus.observe(Grouping(bus, seen.append, timed=True))
    bus.start(0x50, False)
    clock.advance_us(23)
    bus.write_byte(0)
    bus.stop()
    assert (seen[0].time_us, seen[0].end_us, seen[0].scl_hz) == (975, 1023, 400_000)


def test_faults_that_struck_are_on_the_transfer_they_struck(record):
    rig = record("flip@2:bit0", "nack@3.0", "drop@5")
    rig.wake()
    rig.bus.write(ADDRESS, INFO)
    rig.bus.write(ADDRESS, INFO)
    assert [found.faults for found in rig.trace().transactions] == [
        (),
        ("flip@2:bit0",),
        ("drop@5",),
        ("nack@3.0",),
    ]


def test_arming_anew_begins_a_new_log(record):
    rig = record("flip@1:bit0")
    rig.wake()
    rig.wires.arm(rig.wires.faults)
    rig.wake()
    struck = [found.faults for found in rig.trace().transactions if isinstance(found, Transfer)]
    assert struck == [("flip@1:bit0",)] * 2


def test_a_held_bus_and_a_missing_supply_are_named(record):
    rig = record("stuck@1.0:20ms")
    rig.wake()
    rig.bus.read(ADDRESS, 4)
    BusLine.of(rig.bus).power_off()
    rig.bus.wake_pulse(80)
    held = [getattr(found, "held", None) for found in rig.trace().transactions]
    assert held == [None, "stuck@1.0:20ms", "stuck@1.0:20ms", None, "no supply"]


def test_another_controllers_transfer_is_marked(record):
    rig = record("traffic@1.0:0x50:w0102")
    rig.wake()
    assert [(found.address, found.other) for found in rig.trace().transactions[1:]] == [
        (0x50, True),
        (ADDRESS, False),
    ]


def test_several_look_at_one_bus_and_leave_it_as_they_please(rig):
    first, second = [], []
    end_first, end_second = rig.bus.observe(first.append), rig.bus.observe(second.append)
    rig.bus.wake_pulse(80)
    end_first()
    rig.bus.wake_pulse(90)
    end_second()
    rig.bus.wake_pulse(100)
    assert [event.value for event in first] == [80]
    assert [event.value for event in second] == [80, 90]


def test_a_bus_that_nobody_watches_has_no_observer():
    bus = Bus()
    bus.observe(print)()
    assert bus.observer is None


def test_bytes_beyond_the_limit_are_counted():
    bus, seen = Bus([RegisterFile(0x50)]), []
    grouping = Grouping(bus, seen.append)
    grouping(Event(0, "start", 0xA1, True))
    for _ in range(MAX_BYTES + 3):
        grouping(Event(0, "read", 0, True))
    grouping.finish()
    assert (len(seen[0].data), seen[0].more, seen[0].stopped) == (MAX_BYTES, 3, False)
    assert len(line(seen[0])) < MAX_LINE


def test_whoever_begins_to_look_within_a_transfer_sees_the_next_one():
    bus, seen = Bus([RegisterFile(0x50)]), []
    bus.start(0x50, False)
    bus.observe(Grouping(bus, seen.append))
    bus.write_byte(0)
    bus.stop()
    bus.write(0x50, b"\x01")
    assert [found.data for found in seen] == [b"\x01"]


@pytest.mark.parametrize("transaction", EVERY_KIND)
def test_a_line_is_the_transaction(transaction):
    text = line(transaction)
    assert text.endswith("}\n")
    assert from_dict(json.loads(text)) == transaction


def test_a_file_is_what_was_recorded(rig, tmp_path):
    header = Header("atecc608b", "unix", "host", note="a note")
    with recording(rig.bus, tmp_path / "t", header, wires=rig.wires) as recorder:
        rig.wake()
        rig.bus.start(ADDRESS, False)
    assert recorder.count == 3
    found = load(tmp_path / "t")
    assert found.header == header
    assert found.transactions[:2] == rig.trace().transactions
    assert not found.transactions[2].stopped


def test_every_line_is_in_the_file_when_its_transfer_is_over(rig, tmp_path):
    with recording(rig.bus, tmp_path / "t", Header()):
        for count in range(1, 5):
            rig.bus.wake_pulse(80)
            assert len((tmp_path / "t").read_text().splitlines()) == 1 + count


def test_a_full_disk_ends_the_recording_and_not_the_bus(rig):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "no space left on device")

    recorder = FileRecorder(Full(), Header())
    rig.bus.observe(Grouping(rig.bus, recorder))
    rig.bus.wake_pulse(80)
    assert recorder.failure.errno == 28


def test_a_line_that_was_cut_or_garbled_is_left_out_and_counted():
    good = line(Wake(1, 80))
    reader = read(
        header_line(Header()) + good + good[:9] + "\n" + "[1]\n\x00\n" + '{"t": "x"}\n' + good + good[:9]
    )
    assert list(reader.all()) == [Wake(1, 80)] * 2
    assert reader.torn == 5


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"t": 1},
        {"t": True, "wake": 80},
        {"t": 1, "wake": "long"},
        {"t": 1e300, "wake": 80},
        {"t": float("nan"), "wake": 80},
        as_dict(EVERY_KIND[2]) | {"write": "80"},
        as_dict(EVERY_KIND[2]) | {"write": 96},
        as_dict(EVERY_KIND[2]) | {"data": "0g"},
        as_dict(EVERY_KIND[2]) | {"nacked": [2]},
        as_dict(EVERY_KIND[2]) | {"nacked": 3},
        as_dict(EVERY_KIND[2]) | {"hz": 0},
        as_dict(EVERY_KIND[2]) | {"hz": float("inf")},
        as_dict(EVERY_KIND[2]) | {"faults": "flip@1"},
        as_dict(EVERY_KIND[2]) | {"held": 3},
    ],
)
def test_what_is_no_transaction_is_said_to_be_none(document):
    with pytest.raises(TraceError, match="no transaction"):
        from_dict(document)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ('{"format": "hri-bus', "not whole"),
        ("a,b\n", "no header"),
        ("[]\n", "no header"),
        ('{"format": "other"}\n', "no header"),
        ('{"format": "hri-bus-trace", "version": 2}\n', "version 2; this hri reads 1"),
        ('{"format": "hri-bus-trace", "version": 1, "clock": "sun"}\n', "clock"),
        ('{"format": "hri-bus-trace", "version": 1, "clock": 1}\n', "text"),
        ("[" * 100_000 + "\n", "no header"),
    ],
)
def test_a_file_that_is_no_trace_is_refused_with_the_reason(text, why):
    with pytest.raises(TraceError, match=why):
        read(text)


def test_a_growing_file_is_read_on_from_where_it_ended(tmp_path):
    path, good = tmp_path / "t", line(Wake(1, 80))
    with path.open("w") as writer, path.open(newline="\n") as file:
        writer.write(header_line(Header()))
        writer.flush()
        reader = TraceReader(file)
        assert list(reader.new()) == []
        writer.write(good + good[:7])
        writer.flush()
        assert list(reader.new()) == [Wake(1, 80)]
        assert list(reader.new()) == []
        writer.write(good[7:])
        writer.flush()
        assert list(reader.new()) == [Wake(1, 80)]
        assert reader.torn == 0


def test_an_endless_line_is_not_kept_in_memory():
    reader = read(header_line(Header()) + "x" * (4 * MAX_LINE) + "\n" + line(Wake(1, 80)))
    assert list(reader.all()) == [Wake(1, 80)]
    assert reader.torn == 1


class TestLive:
    def test_it_tells_what_came_since_and_how_much_is_lost(self, rig):
        live = LiveTrace(rig.bus, window=3)
        assert live.since(None, 10) == ([], 0, 0)
        for low_us in (60, 61, 62, 63, 64):
            rig.bus.wake_pulse(low_us)
        assert live.since(0, 2) == ([Wake(0, 62), Wake(0, 63)], 4, 2)
        assert live.since(4, 2) == ([Wake(0, 64)], 5, 0)
        assert live.since(None, 2) == ([], 5, 0)

    def test_a_number_from_another_life_begins_at_what_there_is(self, rig):
        live = LiveTrace(rig.bus)
        assert live.since(1000, 10) == ([], 0, 0)

    def test_it_stops_looking_when_nobody_asks_any_more(self, rig):
        now = [0.0]
        others = rig.bus.observer
        live = LiveTrace(rig.bus, now_s=lambda: now[0])
        live.since(None, 10)
        now[0] = 61
        rig.bus.write(ADDRESS, b"")
        assert vars(rig.bus.observer) == vars(others)
        live.since(0, 10)
        rig.bus.wake_pulse(80)
        assert Wake(0, 80) in live.since(0, 10)[0]
