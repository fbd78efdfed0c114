"""What of a trace a driver must repeat, what is left to it, and where it is said to have left the trace."""

import pytest
from hri.rig.bus import ACK, ADDRESS_NACK, DATA_NACK, Bus, ManualClock
from hri.rig.trace import Power, TraceError, Transfer, Wake
from hri.rig.trace.replay import ReplayTarget
from hri.rig.trace.script import Pulse, Read, Write, script_of
from unit.rig_trace.conftest import ADDRESS, INFO

WOKEN = bytes.fromhex("04113343")
REVISION = bytes.fromhex("07 00 00 60 03 83 bb")


def write(data, **options):
    return Transfer(0, 0, ADDRESS, False, True, data, **options)


def read(data):
    return Transfer(0, 0, ADDRESS, True, True, data)


REFUSED_READ, REFUSED_WRITE = Transfer(0, 0, ADDRESS, True, False), Transfer(0, 0, ADDRESS, False, False)
CONVERSATION = [
    Wake(0, 80),
    REFUSED_READ,
    read(WOKEN),
    write(INFO),
    REFUSED_READ,
    read(REVISION),
    write(b"\x01"),
]


@pytest.fixture
def replay():
    def make(transactions=CONVERSATION):
        target = ReplayTarget(script_of(transactions))
        return target, Bus([target], clock=ManualClock())

    return make


def wake(bus):
    bus.wake_pulse(80)
    assert bus.read(ADDRESS, 4) == (ACK, WOKEN)


class TestScript:
    def test_chance_is_left_out(self):
        noisy = [
            *(Wake(0, 80), Wake(1, 80), Transfer(1, 1, 0x35, True, False), *CONVERSATION[1:5]),
            *(Transfer(2, 2, 0x50, False, True, b"\x01"), REFUSED_READ, Power(3)),
            *(read(REVISION[:1]), read(REVISION[1:]), CONVERSATION[-1], Wake(9, 80)),
        ]
        assert script_of(noisy).items == script_of(CONVERSATION).items
        assert script_of(CONVERSATION).items == [
            *(Pulse(), Read(WOKEN), Write(INFO), Read(REVISION), Write(b"\x01"))
        ]

    def test_another_controllers_bytes_and_pulses_that_wake_nobody_are_left_out(self):
        other = Transfer(0, 0, ADDRESS, True, True, b"\x01\x02", other=True)
        weak, held = Wake(0, 20), Wake(0, 80, held="no supply")
        assert (
            script_of([weak, held, *CONVERSATION[:5], other, *CONVERSATION[5:]]).items
            == script_of(CONVERSATION).items
        )

    def test_a_pulse_that_an_analyser_passed_over_is_put_back(self):
        assert script_of(CONVERSATION[2:]).items == script_of(CONVERSATION).items

    def test_the_chip_is_the_one_that_most_was_said_to(self):
        other = [Transfer(0, 0, 0x35, False, True, INFO)]
        assert script_of([*other, *CONVERSATION]).address == ADDRESS
        assert script_of([*other, *CONVERSATION], 0x35).items == [Write(INFO)]

    @pytest.mark.parametrize("address", [None, 0x35])
    def test_a_trace_without_a_chip_is_none(self, address):
        with pytest.raises(TraceError, match=r"no conversation|nothing was said"):
            script_of([Wake(0, 80), Transfer(0, 0, 0x50, True, True, b"\x01")], address)


def test_the_recorded_conversation_is_followed_to_its_end(replay):
    target, bus = replay()
    wake(bus)
    assert bus.write(ADDRESS, INFO) == ACK
    assert bus.read(ADDRESS, 7) == (ACK, REVISION)
    assert not target.over.is_set()
    assert bus.write(ADDRESS, b"\x01") == ACK
    assert (target.finished, target.followed, target.over.is_set()) == (True, 1, True)


def test_polls_pulses_and_parts_of_reads_are_the_drivers_own(replay):
    target, bus = replay()
    assert bus.read(ADDRESS, 4) == (ADDRESS_NACK, b"")
    bus.wake_pulse(80)
    bus.wake_pulse(80)
    bus.wake_pulse(10)
    wake(bus)
    bus.write(ADDRESS, INFO)
    assert bus.read(ADDRESS, 1) == (ACK, REVISION[:1])
    assert bus.read(ADDRESS, 9) == (ACK, REVISION[1:] + b"\xff\xff\xff")
    bus.write(0x50, b"\x01")
    bus.write(ADDRESS, b"")
    bus.write(ADDRESS, b"\x01")
    assert target.finished


def test_a_trace_that_ends_with_a_reply_is_over_when_it_is_read(replay):
    target, bus = replay(CONVERSATION[:-1])
    wake(bus)
    bus.write(ADDRESS, INFO)
    bus.read(ADDRESS, 3)
    assert not target.over.is_set()
    bus.read(ADDRESS, 4)
    assert target.finished


def test_a_byte_that_the_chip_refused_is_refused_again(replay):
    torn = write(INFO[:4], nacked=(3,))
    target, bus = replay([*CONVERSATION[:3], torn, *CONVERSATION[3:]])
    wake(bus)
    assert bus.write(ADDRESS, INFO) == DATA_NACK
    assert bus.write(ADDRESS, INFO) == ACK
    assert target.divergence is None


def test_a_write_that_was_refused_asleep_is_refused_again(replay):
    target, bus = replay([REFUSED_WRITE, *CONVERSATION])
    assert bus.write(ADDRESS, INFO) == ADDRESS_NACK
    wake(bus)
    assert bus.write(ADDRESS, INFO) == ACK
    assert target.divergence is None


@pytest.mark.parametrize(
    ("sent", "index", "field"),
    [
        (b"\x03\x08" + INFO[2:], 1, "count"),
        (b"\x03\x07\x1b" + INFO[3:], 2, "opcode"),
        (b"\x03\x07\x30\x01" + INFO[4:], 3, "Param1"),
        (b"\x03\x07\x30\x00\x00\x01" + INFO[6:], 5, "Param2"),
        (INFO[:-1] + b"\x00", 7, "CRC"),
        (INFO[:-1], 7, "CRC"),
        (INFO + b"\x00", 8, "CRC"),
    ],
)
def test_the_first_byte_that_differs_is_named(replay, sent, index, field):
    target, bus = replay()
    wake(bus)
    bus.write(ADDRESS, sent)
    assert (target.divergence.byte, target.divergence.field) == (index, field)
    assert target.divergence.expected == "Info revision"
    assert target.over.is_set()
    assert bus.read(ADDRESS, 7) == (ADDRESS_NACK, b"")
    assert bus.write(ADDRESS, INFO) == ADDRESS_NACK


@pytest.mark.parametrize(
    ("acts", "expected", "got"),
    [
        ((INFO,), "a wake pulse", "Info revision"),
        (("wake", b"\x01"), "Info revision", "sleep"),
        (("wake", INFO, b"\x01"), "a read of the reply", "sleep"),
        (("wake", INFO, "pulse"), "a read of the reply", "a wake pulse"),
        (("pulse", INFO), "a read of the wake reply", "Info revision"),
        (("wake", b"\x09\x08"), "Info revision", "bytes 0908"),
        (("wake", b"\x02", INFO, "pulse"), "a read of the reply", "a wake pulse"),
        (("wake", INFO, "read", b"\x01", "pulse"), "the end of the trace", "a wake pulse"),
    ],
)
def test_another_act_is_named(replay, acts, expected, got):
    target, bus = replay()
    for act in acts:
        if act == "wake":
            wake(bus)
        elif act == "pulse":
            bus.wake_pulse(80)
        elif act == "read":
            bus.read(ADDRESS, 7)
        else:
            bus.write(ADDRESS, act)
    assert (target.divergence.expected, target.divergence.got) == (expected, got)


def test_a_write_that_a_repeated_start_ends_counts(replay):
    target, bus = replay()
    wake(bus)
    bus.start(ADDRESS, False)
    for value in INFO:
        bus.write_byte(value)
    assert bus.start(ADDRESS, True)
    assert bus.read_byte() == REVISION[0]
    bus.stop()
    assert target.divergence is None
