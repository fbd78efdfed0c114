"""Transactions become commands: every kind of conversation with a chip, and what is none."""

import random

import pytest
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri.rig.trace import (
    Elsewhere,
    Exchange,
    Header,
    Power,
    PowerLoss,
    Stray,
    Transfer,
    Unanswered,
    Wake,
    Waking,
    Word,
    collecting,
    decode,
)
from hri.rig.trace.packets import field_of, reply_words
from hri.rig.trace.summary import BETWEEN, summarise
from hri.rig.trace.telling import as_dict, row
from unit.rig_trace.conftest import ADDRESS, INFO, packet

GENKEY = packet(0x40, 0x04, 0)
NONCE = packet(0x16, 0x03, 0, bytes(32))


def kinds(steps):
    return [type(step) for step in steps]


def test_a_waking_is_its_pulse_and_the_answer(rig):
    rig.wake()
    (waking,) = rig.steps
    assert (waking.pulses, waking.low_us, waking.address, waking.reply.status) == (1, 80, ADDRESS, 0x11)
    assert row(waking).what == "wake, 80 µs"
    assert row(waking).reply == "woken"


def test_polls_of_a_chip_that_wakes_are_folded(rig):
    rig.bus.wake_pulse(80)
    for address in (ADDRESS, 0x35, 0x36, 0x50):
        rig.bus.read(address, 4)
    rig.clock.advance_us(1500)
    rig.bus.read(ADDRESS, 4)
    (waking,) = rig.steps
    assert (waking.polls, waking.nacks, waking.bus_bytes) == (4, 4, 9)


def test_a_pulse_by_address_zero_is_one_waking(rig):
    rig.bus.write(0, b"\x00")
    rig.clock.advance_us(1500)
    rig.bus.read(ADDRESS, 4)
    (waking,) = rig.steps
    assert (waking.pulses, waking.bus_bytes, waking.nacks) == (1, 6, 0)


def test_a_pulse_at_400_khz_is_said_to_be_too_short(rig):
    rig.bus.scl_hz = 400_000
    rig.bus.write(0, b"\x00")
    rig.bus.write(ADDRESS, INFO)
    assert row(rig.steps[0]).what == "pulse of 20 µs, too short to wake"
    assert kinds(rig.steps) == [Waking, Unanswered]


def test_a_command_its_execution_time_its_polls_and_its_reply(rig):
    rig.wake()
    rig.command(INFO, 7)
    rig.command(GENKEY, 67)
    info, genkey = rig.steps[1:]
    assert (info.command.words, reply_words(info.reply, info.command)) == ("Info revision", "ATECC608B")
    assert (info.polls, info.busy_us, info.succeeded) == (1, 1000, True)
    # Refused before the configuration is locked.
    assert (genkey.command.words, genkey.reply.status, genkey.succeeded) == (
        "GenKey create, slot 0",
        0x0F,
        False,
    )
    assert row(genkey).reply == "execution error"


def test_the_busy_time_is_to_the_first_acknowledged_read(rig):
    rig.wake()
    rig.command(packet(0x1B), 35, poll_us=300)
    random_number = rig.steps[-1]
    # Random takes 1 ms: polls at 0, 300, 600 and 900 us find the chip busy.
    assert (random_number.polls, random_number.busy_us) == (4, 1200)
    assert row(random_number).busy == "busy: 4 polls, 1.2 ms"


def test_a_reply_read_in_parts_is_one(rig):
    rig.wake()
    rig.bus.write(ADDRESS, INFO)
    rig.clock.advance_us(1000)
    rig.bus.read(ADDRESS, 1)
    rig.bus.read(ADDRESS, 6)
    (info,) = rig.steps[1:]
    assert info.reply.payload == bytes.fromhex("00006003")
    assert info.bus_bytes == 1 + 8 + 1 + 1 + 1 + 6


def test_padding_behind_a_short_reply_is_left_out(rig):
    rig.wake()
    rig.command(GENKEY, 67)
    assert rig.steps[1].reply.raw == bytes.fromhex("040f") + rig.steps[1].reply.raw[2:]
    assert len(rig.steps[1].reply.raw) == 4


@pytest.mark.parametrize(("word", "name"), [(0, "reset"), (1, "sleep"), (2, "idle")])
def test_word_addresses_alone(rig, word, name):
    rig.wake()
    rig.bus.write(ADDRESS, bytes((word,)))
    assert rig.steps[1].word == name


def test_the_watchdog_counts_from_the_pulse_and_begins_anew_after_idle(rig):
    rig.wake()
    rig.clock.advance_us(1_100_000)
    rig.command(INFO, 7)
    rig.bus.write(ADDRESS, b"\x02")
    rig.wake()
    rig.command(INFO, 7)
    first, second = (step for step in rig.steps if isinstance(step, Exchange))
    assert (first.awake_us, second.awake_us) == (1_102_500, 2_500)
    assert row(first).notes == "awake 1.10 of 1.3 s"


def test_a_pulse_between_command_and_reply_disturbs_neither(rig):
    rig.wake()
    rig.bus.write(ADDRESS, INFO)
    rig.clock.advance_us(1000)
    rig.bus.wake_pulse(80)
    rig.bus.read(ADDRESS, 7)
    (info,) = rig.steps[1:]
    assert (info.pulses, info.succeeded) == (1, True)


def test_a_pulse_by_address_zero_between_command_and_reply_is_no_other_traffic(rig):
    rig.wake()
    rig.bus.write(ADDRESS, INFO)
    rig.clock.advance_us(1000)
    rig.bus.write(0, b"\x00")
    rig.bus.read(ADDRESS, 7)
    (info,) = rig.steps[1:]
    assert (info.pulses, info.bus_bytes, info.nacks) == (1, 18, 0)


def test_the_time_between_is_what_no_step_covers():
    """Steps of two chips overlap, and end in another order than they begin."""
    transactions = [
        Transfer(0, 100, 0x60, False, True, INFO),
        Transfer(200, 300, 0x35, False, True, INFO),
        Transfer(400, 500, 0x35, True, True, bytes.fromhex("0700006003") + b"\x83\xbb"),
        Transfer(600, 700, 0x60, True, True, bytes.fromhex("0700006003") + b"\x83\xbb"),
        Transfer(1000, 1300, 0x60, False, True, b"\x01"),
    ]
    summary = summarise(decode(transactions))
    assert (summary.span_us, summary.between_us) == (1300, 300)


def test_a_chip_that_fell_asleep_over_a_command_is_a_command_without_reply_and_a_waking(rig):
    rig.wake()
    rig.bus.write(ADDRESS, INFO)
    rig.clock.advance_us(1_400_000)
    rig.bus.read(ADDRESS, 7)
    rig.wake()
    _, info, again = rig.steps
    assert kinds(rig.steps) == [Waking, Exchange, Waking]
    assert (info.reply, info.polls, again.reply.status) == (None, 1, 0x11)
    assert row(info).notes == "no reply read, awake 1.40 of 1.3 s"


def test_a_damaged_reply_read_again_is_one_command(record):
    rig = record("flip@15:bit0")
    rig.wake()
    rig.command(INFO, 7)
    rig.bus.write(ADDRESS, b"\x00")
    rig.bus.read(ADDRESS, 7)
    (info,) = rig.steps[1:]
    assert (info.rewinds, info.succeeded, info.faults) == (1, True, ("flip@15:bit0",))
    assert row(info).notes == "reply read again 1 time, fault flip@15:bit0"
    assert row(info).bad


def test_a_damaged_reply_is_shown_as_the_bytes_it_is(record):
    rig = record("flip@15:bit0")
    rig.wake()
    rig.command(INFO, 7)
    assert row(rig.steps[1]).reply == "CRC wrong"
    assert row(rig.steps[1]).data == "00016003"


def test_the_same_packet_again_is_a_second_attempt(record):
    rig = record("flip@6:bit0")
    rig.wake()
    rig.command(INFO, 4)
    rig.command(INFO, 7)
    rig.command(INFO, 7)
    first, second, third = rig.steps[1:]
    assert [step.attempt for step in (first, second, third)] == [1, 2, 1]
    assert row(first).reply == "CRC or communication error"
    assert row(second).notes == "attempt 2"


def test_a_torn_command_is_an_attempt(record):
    rig = record("nack@9")
    rig.wake()
    rig.bus.write(ADDRESS, INFO)
    rig.clock.advance_us(2_000_000)
    rig.wake()
    rig.command(INFO, 7)
    torn, whole = (step for step in rig.steps if isinstance(step, Exchange))
    assert (torn.command.raw, torn.attempt, whole.attempt) == (INFO[1:4], 1, 2)
    assert row(torn).notes.startswith("command torn: 3 of 7 bytes, no reply read")
    assert row(torn).what == "Info torn: 073000"


def test_a_command_with_a_wrong_crc_says_so(rig):
    rig.wake()
    rig.bus.write(ADDRESS, INFO[:-1] + b"\0")
    assert row(rig.steps[1]).notes == "command CRC wrong, no reply read"


def test_a_power_loss_ends_what_was_under_way(rig):
    rig.wake()
    rig.bus.write(ADDRESS, NONCE)
    rig.bus.power_cycle()
    rig.bus.read(ADDRESS, 4)
    assert kinds(rig.steps) == [Waking, Exchange, PowerLoss, Unanswered]


def test_transfers_that_nobody_answers_are_folded(rig):
    for _ in range(5):
        rig.bus.write(ADDRESS, b"\x01")
    for _ in range(3):
        rig.bus.read(ADDRESS, 4)
    writes, reads = rig.steps
    assert (writes.read, writes.count, reads.read, reads.count) == (False, 5, True, 3)
    assert row(writes).what == "write not acknowledged ×5"


def test_bytes_that_are_no_command(rig):
    rig.wake()
    rig.bus.write(ADDRESS, b"\x07\x01")
    rig.bus.write(ADDRESS, b"")
    rig.bus.read(ADDRESS, 3)
    assert kinds(rig.steps) == [Waking, Stray, Stray, Stray]
    assert [row(step).what for step in rig.steps[1:]] == [
        "bytes of no command, 1",
        "address acknowledged, no byte",
        "read that nothing asked for, 3",
    ]


def test_another_device_and_another_controller_are_no_chip(record):
    rig = record("device:0x50", "traffic@1.0:0x60:r2")
    rig.wake()
    rig.bus.write(0x50, b"\x01\x02")
    rig.bus.read(0x50, 3)
    assert kinds(rig.steps) == [Elsewhere, Waking, Elsewhere]
    assert row(rig.steps[0]).what == "another controller with 0x60: 1 transfer, 2 read"
    assert row(rig.steps[2]).what == "0x50: 2 transfers, 2 written, 3 read"


def test_a_scan_is_one_line(rig):
    for address in range(0x08, 0x30):
        rig.bus.write(address, b"")
    assert row(rig.steps[0]).what == "several addresses: 40 transfers, not acknowledged"


def test_two_chips_on_one_bus_each_have_their_conversation():
    clock = ManualClock()
    first, second = open_chip("atecc608b", clock=clock), open_chip("atecc608b-tngtls", clock=clock)
    bus = Bus([first, second], clock=clock)
    with collecting(bus, Header()) as trace:
        bus.wake_pulse(80)
        clock.advance_us(1500)
        bus.read(0x60, 4)
        bus.read(0x35, 4)
        bus.write(0x60, INFO)
        bus.write(0x35, INFO)
        bus.read(0x35, 7)
        bus.read(0x60, 7)
        bus.write(0x35, b"\x01")
    steps = list(decode(trace().transactions))
    assert [(type(step), step.address) for step in steps] == [
        (Waking, 0x60),
        (Waking, 0x35),
        (Exchange, 0x35),
        (Exchange, 0x60),
        (Word, 0x35),
    ]
    assert all(step.succeeded for step in steps if isinstance(step, Exchange))


def test_a_chip_at_an_address_of_its_own_is_found_by_how_it_speaks():
    steps = decode(
        [
            Transfer(0, 1, 0x42, False, True, INFO),
            Transfer(1, 2, 0x42, True, True, bytes.fromhex("0700006003") + b"\x83\xbb"),
            Transfer(2, 3, 0x43, False, True, b"\x03" + bytes(7)),
        ]
    )
    assert kinds(steps) == [Exchange, Elsewhere]


def test_faults_and_a_held_bus_are_told(record):
    rig = record("stuck@1.0:20ms")
    rig.bus.wake_pulse(80)
    rig.clock.advance_us(1500)
    rig.bus.read(ADDRESS, 4)
    assert row(rig.steps[0]).notes == "no answer read, fault stuck@1.0:20ms, bus held: stuck@1.0:20ms"


def test_every_byte_of_the_bus_is_in_some_step(record):
    rig = record("random:0.03:flip+drop+nack+truncate+power", "device:0x50", seed=5)
    for number in range(60):
        rig.wake()
        rig.command(packet(0x1B) if number % 3 else INFO, 35, most=9)
        rig.bus.write(0x50, b"\x01\x02")
        rig.bus.write(ADDRESS, b"\x01")
        rig.clock.advance_us(50_000)
    summary = summarise(rig.steps)
    assert summary.bus_bytes == rig.bus.counters.bytes
    assert summary.wakes == rig.bus.counters.wakes
    assert sum(summary.faults.values()) == rig.wires.struck > 20


def test_the_summary_adds_up(rig):
    rig.wake()
    rig.command(INFO, 7)
    rig.clock.advance_us(7000)
    rig.command(GENKEY, 67)
    rig.bus.write(ADDRESS, b"\x01")
    summary = summarise(rig.steps)
    assert {name: totals.count for name, totals in summary.rows.items()} == {
        "wake": 1,
        "Info": 1,
        "GenKey": 1,
        "sleep": 1,
    }
    assert summary.rows["GenKey"].failed == 1
    assert (summary.span_us, summary.between_us) == (10_500, 7000)
    shares = [summary.share(name) for name in (*summary.rows, BETWEEN)]
    assert sum(shares) == pytest.approx(1)
    assert summary.polls == summary.nacks == 2


def test_no_transactions_raise_and_every_step_can_be_told():
    """Seeded noise: bytes, addresses, acknowledges and order as they come."""
    dice = random.Random(608)  # noqa: S311 - seeded noise
    openings = [b"", b"\x00", b"\x01", b"\x02", b"\x03", INFO, NONCE, GENKEY, b"\x04\x11\x33\x43"]

    def draw(time_us):
        kind = dice.randrange(10)
        if kind == 0:
            return Wake(time_us, dice.choice((20, 80)))
        if kind == 1:
            return Power(time_us)
        data = dice.choice(openings) + dice.randbytes(dice.choice((0, 0, 3, 70)))
        nacked = (dice.randrange(len(data)),) if data and dice.random() < 0.1 else ()
        return Transfer(
            time_us,
            time_us + dice.choice((0, 500)),
            dice.choice((0, 0x60, 0x60, 0x60, 0x35, 0x50)),
            dice.random() < 0.5,
            dice.random() < 0.7,
            data,
            nacked,
            other=dice.random() < 0.05,
        )

    transactions = [draw(1000 * number) for number in range(20_000)]
    steps = list(decode(transactions))
    assert sum(step.bus_bytes for step in steps) == sum(
        item.bus_bytes for item in transactions if isinstance(item, Transfer)
    )
    for step in steps:
        assert row(step).what.isprintable()
        assert as_dict(step)["words"]


def test_a_field_of_a_command_has_a_name():
    assert [field_of(index, 10) for index in range(10)] == [
        "word address",
        "count",
        "opcode",
        "Param1",
        "Param2",
        "Param2",
        "data byte 0",
        "data byte 1",
        "CRC",
        "CRC",
    ]
