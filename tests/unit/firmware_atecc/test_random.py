"""Random: its modes, and numbers in a range, each as likely as the others."""

from collections import Counter

import pytest
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri_device.atecc import random
from hri_device.atecc.element import ATECC608
from hri_device.errors import CommandError, LockedError, PacketError
from unit.firmware_atecc.rig_bus import RigBus
from unit.firmware_atecc.scripted_bus import SLEEP, ScriptedBus, awake, command, exchange, lose, reply

BLOCK = bytes(range(32))


def session(*blocks, mode=0):
    """One waking, in which Random answers with these blocks."""
    return [*awake(), *(step for block in blocks for step in asked(block, mode)), SLEEP]


def asked(block, mode=0):
    return exchange(command(0x1B, mode, 0), reply(block))


def drawn(low, high, *blocks):
    """What randint makes of `blocks`, all of which it must have asked for."""
    bus = ScriptedBus(*session(*blocks))
    number = random.randint(ATECC608(bus, 0x60), low, high)
    assert bus.left == []
    return number


@pytest.fixture
def on_chip():
    clock = ManualClock()
    with open_chip("atecc608b", clock=clock) as chip:
        yield ATECC608(RigBus(Bus([chip], clock=clock), clock))


@pytest.fixture
def locked(on_chip):
    on_chip.lock_config(on_chip.config_crc())
    return on_chip


@pytest.mark.covers("Random", "seed update")
def test_bytes_come_from_as_many_blocks_as_it_takes():
    bus = ScriptedBus(*session(BLOCK, BLOCK[::-1]))
    assert random.randbytes(ATECC608(bus, 0x60), 40) == BLOCK + BLOCK[:23:-1]
    assert bus.left == []


@pytest.mark.covers("Random", "no seed update")
def test_bytes_without_a_new_seed():
    bus = ScriptedBus(*session(BLOCK, mode=1))
    assert random.randbytes(ATECC608(bus, 0x60), 5, update_seed=False) == BLOCK[:5]
    assert bus.left == []


@pytest.mark.parametrize("span", [1, 2, 5, 9, 99, 127, 128, 200, 254, 255])
def test_every_number_of_a_range_is_as_likely_as_the_others(span):
    """Over all the bytes that may come first, each number comes equally often; the rest is drawn again."""
    rejected = span + 1
    seen = Counter()
    for first in range(256):
        # A second byte of 0 is the low end, so a byte that was left out shows there: count it apart.
        low = drawn(1000, 1000 + span, bytes((first, 0)) + bytes(30)) - 1000
        other = drawn(1000, 1000 + span, bytes((first, span)) + bytes((span,)) * 30) - 1000
        seen[low if low == other else rejected] += 1
    left_out = seen.pop(rejected, 0)
    assert set(seen) == set(range(span + 1))
    assert len(set(seen.values())) == 1
    assert left_out < 128


@pytest.mark.parametrize(
    ("low", "high", "start", "expected"),
    [
        (0, 0xFFFF, "1234", 0x1234),
        (-5, -5 + 0x100, "81fe0100", -5 + 0x100),  # 01FE is beyond; the next two bytes are its upper end
        (1, 1 << 24, "000000", 1),
        (0, (1 << 256) - 1, "ff" * 32, (1 << 256) - 1),
    ],
)
def test_wide_ranges_take_as_many_bytes_as_they_need(low, high, start, expected):
    block = bytes.fromhex(start)
    assert drawn(low, high, block + bytes(32 - len(block))) == expected


def test_a_range_of_one_number_is_that_number():
    assert drawn(7, 7, BLOCK) == 7


def test_a_block_with_no_number_in_the_range_is_followed_by_another():
    assert drawn(0, 0x80, b"\xff" * 32, b"\x80" + bytes(31)) == 0x80


def test_a_generator_that_is_stuck_ends_in_an_error():
    bus = ScriptedBus(*session(*[b"\xff" * 32] * 128))
    with pytest.raises(PacketError, match="not random"):
        random.randint(ATECC608(bus, 0x60), 0, 0x80)
    assert bus.left == []


@pytest.mark.parametrize(("low", "high"), [(2, 1), (0, 1 << 256), (-1, (1 << 256) - 1)])
def test_an_impossible_range_is_refused_before_the_chip_is_woken(low, high):
    bus = ScriptedBus(*awake())
    with pytest.raises(ValueError, match="range"):
        random.randint(ATECC608(bus, 0x60), low, high)
    assert bus.left == awake()


def test_a_negative_number_of_bytes_is_refused_before_the_chip_is_woken():
    bus = ScriptedBus(*awake())
    with pytest.raises(ValueError, match="-1"):
        random.randbytes(ATECC608(bus, 0x60), -1)
    assert bus.left == awake()


def test_a_failed_health_test_is_told_as_that():
    bus = ScriptedBus(*awake(), *exchange(command(0x1B, 0, 0), reply(b"\x08")), SLEEP)
    with pytest.raises(CommandError, match="health test"):
        random.randint(ATECC608(bus, 0x60), 1, 6)


def test_a_lost_answer_is_asked_for_again():
    asking = command(0x1B, 0, 0)
    bus = ScriptedBus(*awake(), lose(asking), *awake(), *exchange(asking, reply(BLOCK)), SLEEP)
    assert random.randbytes(ATECC608(bus, 0x60), 32) == BLOCK


def test_the_pattern_of_an_open_chip_is_no_random_number(on_chip):
    for draw in (lambda: random.randint(on_chip, 1, 6), lambda: random.randbytes(on_chip, 8)):
        with pytest.raises(LockedError, match="config zone") as refused:
            draw()
        assert refused.value.state == "config unlocked"


def test_a_locked_chip_throws_every_side_of_a_die(locked):
    assert {random.randint(locked, 1, 6) for _ in range(400)} == {1, 2, 3, 4, 5, 6}


def test_a_locked_chip_answers_in_both_modes(locked):
    drawn = {random.randbytes(locked, 32, update_seed) for update_seed in (True, False) for _ in range(4)}
    assert len(drawn) == 8
