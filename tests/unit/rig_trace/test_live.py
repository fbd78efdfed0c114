"""A bus that is served tells those who look on what goes over it, and a file those who follow it."""

import pytest
from hri.rig.bus_control import BusControl
from hri.rig.bus_control_client import RemoteControl
from hri.rig.trace import Header, TraceError, Wake
from hri.rig.trace.file import TraceReader, header_line, line, open_text
from hri.rig.trace.sources import following, header_of, watching


@pytest.fixture
def control(rig):
    with BusControl(rig.bus, rig.wires, header=Header("atecc608a", "rpi_pico", "host")) as served:
        yield served


@pytest.fixture
def remote(control):
    with RemoteControl(*control.address) as client:
        yield client


def batches_of(source, *acts):
    """What comes for each act, done between two looks."""
    left = list(acts)

    def wait(seconds):
        if left:
            left.pop(0)()
            return False
        return seconds > 0

    return list(source(wait))


def test_who_looks_on_sees_what_comes_from_then_on(rig, remote):
    rig.bus.wake_pulse(60)
    batches = batches_of(
        lambda wait: watching(remote, wait), lambda: rig.bus.wake_pulse(70), lambda: rig.bus.wake_pulse(80)
    )
    assert [item for batch in batches for item in batch.transactions] == [Wake(0, 70), Wake(0, 80)]
    assert not any(batch.lost for batch in batches)


def test_more_than_a_reply_holds_comes_in_several(rig, remote):
    batches = batches_of(
        lambda wait: watching(remote, wait), lambda: [rig.bus.wake_pulse(60 + n) for n in range(1200)]
    )
    assert [item.low_us for batch in batches for item in batch.transactions] == list(range(60, 1260))


def test_who_is_too_slow_is_told_how_much_is_lost(rig, remote):
    batches = batches_of(
        lambda wait: watching(remote, wait), lambda: [rig.bus.wake_pulse(60) for _ in range(5_300)]
    )
    assert sum(batch.lost for batch in batches) == 300
    assert sum(len(batch.transactions) for batch in batches) == 5_000


def test_the_bus_says_what_it_is(remote):
    assert header_of(remote) == Header("atecc608a", "rpi_pico", "host")


@pytest.mark.parametrize("first", [-1, "0", True, 1.5])
def test_a_number_that_is_none_is_refused(remote, first):
    with pytest.raises(ValueError, match="from"):
        remote.trace(first)


def test_a_file_is_followed_and_not_beyond_its_beginning_anew(tmp_path):
    path, pulse = tmp_path / "t", line(Wake(1, 80))
    path.write_text(header_line(Header()) + pulse)

    def append():
        with path.open("a") as writer:
            writer.write(pulse)

    with open_text(path) as file:
        reader = TraceReader(file)
        batches = batches_of(lambda wait: following(path, file, reader, wait), append)
        assert sum(len(batch.transactions) for batch in batches) == 2
        with pytest.raises(TraceError, match="anew"):
            batches_of(
                lambda wait: following(path, file, reader, wait),
                lambda: path.write_text(header_line(Header())),
            )
