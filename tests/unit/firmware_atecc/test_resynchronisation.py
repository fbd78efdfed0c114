"""Every fault at every byte: the right result or a SecureElementError, and the next operation works."""

import contextlib
import hashlib

import pytest
from hri.rig.fault_script import parse_all
from hri_device.errors import BusError, CommandError, PacketError, SecureElementError
from unit.firmware_atecc.chip_bench import CONTENTS, Bench
from unit.firmware_atecc.test_on_virtual_chip import verify

_DIGEST = hashlib.sha256(b"challenge").digest()
_KINDS = ["drop", "flip", "truncate", "nack", "power", "delay:300us", "delay:30ms", "stuck:5ms"]
_COUNTER = 0x24
_COUNTER_MS = 25


def placed(kind, at):
    name, _, time = kind.partition(":")
    return parse_all([f"{name}@{at}" + (f":{time}" if time else "")])


def sign(bench):
    verify(bench.key, _DIGEST, bench.element.sign(2, _DIGEST))


def generate(bench):
    bench.key = bench.element.generate_key(2)
    bench.wires.arm(())
    assert bench.element.public_key(2) == bench.key


def read(bench):
    assert bench.element.read_slot(5, 36) == CONTENTS[5]


def write(bench):
    content = hashlib.shake_256(bench.wires.seed.to_bytes(4, "big")).digest(64)
    bench.element.write_slot(8, content, 64)
    bench.wires.arm(())
    assert bench.element.read_slot(8, 64, 64) == content


def random(bench):
    first = bench.element.random(32)
    assert len(first) == 32
    assert first != bench.element.random(32)


def count(bench):
    with bench.element.session as session:
        return int.from_bytes(session.execute(_COUNTER, 1, 1, b"", 4, _COUNTER_MS), "little")


def counted(bench):
    with bench.element.session as session:
        return int.from_bytes(session.execute(_COUNTER, 0, 1, b"", 4, _COUNTER_MS), "little")


@pytest.fixture(scope="module")
def bench():
    made = Bench().configured().personalised()
    made.key = made.element.generate_key(2)
    return made


def length_of(bench, operation):
    bench.wires.arm(())
    operation(bench)
    return bench.wires.bytes_seen


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("operation", [sign, generate, read, write, random])
def test_one_fault_anywhere_is_got_over_or_told_and_the_bus_is_in_step_again(bench, operation, kind):
    told = 0
    for at in range(1, length_of(bench, operation) + 1):
        bench.wires.arm(placed(kind, at), seed=at)
        try:
            operation(bench)
        except (BusError, PacketError, CommandError):
            told += 1
        bench.wires.arm(())
        # The same driver, at once.
        assert bench.element.revision() == bytes.fromhex("00006003")
        if operation is generate:
            bench.key = bench.element.public_key(2)
    if operation in (read, random) and kind != "stuck:5ms":
        assert told == 0


@pytest.mark.parametrize("kind", _KINDS)
def test_an_increment_is_never_counted_twice(bench, kind):
    before = counted(bench)
    for at in range(1, length_of(bench, count) + 1):
        before = counted(bench)
        bench.wires.arm(placed(kind, at), seed=at)
        try:
            told = count(bench)
        except SecureElementError:
            told = None
        bench.wires.arm(())
        after = counted(bench)
        assert after in ([before, before + 1] if told is None else [told])
        assert after - before <= 1


@pytest.mark.parametrize("transfer", range(1, 9))
def test_another_controller_that_reads_our_reply_away_is_got_over(bench, transfer):
    bench.wires.arm(parse_all([f"traffic@{transfer}.0:0x60:r2"]))
    sign(bench)


@pytest.mark.parametrize("operation", [sign, read, write, random])
@pytest.mark.parametrize("probability", ["0.003", "0.02", "0.1"])
def test_any_number_of_faults_never_makes_a_wrong_result(bench, operation, probability):
    for seed in range(100):
        bench.wires.arm(parse_all([f"random:{probability}"]), seed=seed)
        with contextlib.suppress(BusError, PacketError, CommandError):
            operation(bench)
        bench.wires.arm(())
        assert bench.element.revision() == bytes.fromhex("00006003")


@pytest.mark.parametrize("probability", ["0.003", "0.02", "0.1"])
def test_any_number_of_faults_never_counts_twice(bench, probability):
    for seed in range(300):
        before = counted(bench)
        bench.wires.arm(parse_all([f"random:{probability}"]), seed=seed)
        told = None
        with contextlib.suppress(SecureElementError):
            told = count(bench)
        bench.wires.arm(())
        after = counted(bench)
        assert after in ([before, before + 1] if told is None else [told])
        assert after - before <= 1
