"""Waking, polling, faults on the wire, and the sleep that ends everything."""

import pytest
from hri_device.atecc.element import ATECC608
from hri_device.atecc.session import Session
from hri_device.errors import BusError, CommandError, PacketError
from unit.firmware_atecc.scripted_bus import (
    IDLE,
    OK,
    RESET,
    SLEEP,
    WAKE_REPLY,
    ScriptedBus,
    awake,
    busy,
    command,
    exchange,
    lose,
    pulse,
    read,
    reply,
    takes,
    write,
)

_DIGEST = bytes(range(32))
_SIGNATURE = bytes(range(64, 128))
_INFO = command(0x30, 0, 0)
_REVISION = bytes.fromhex("00006003")
_NONCE = command(0x16, 3, 0, _DIGEST)
_SIGN = command(0x41, 0x80, 0)
_GENKEY = command(0x40, 4, 0)


def damaged(data):
    return data[:-1] + bytes((data[-1] ^ 1,))


# Waking


def test_a_chip_that_takes_its_time_to_wake_is_waited_for():
    bus = ScriptedBus(pulse(), busy(2), read(WAKE_REPLY), exchange(_INFO, reply(_REVISION)), SLEEP)
    assert ATECC608(bus).revision() == _REVISION
    assert bus.left == []


def test_a_second_pulse_wakes_a_chip_that_missed_the_first():
    bus = ScriptedBus(pulse(), awake(), exchange(_INFO, reply(_REVISION)), SLEEP)
    assert ATECC608(bus).revision() == _REVISION
    assert bus.left == []


def test_where_no_chip_is_that_is_said_soon():
    bus = ScriptedBus()
    start = bus.now
    with pytest.raises(BusError, match="no chip at address 60") as refused:
        ATECC608(bus).revision()
    assert not refused.value.busy
    assert bus.now - start < 100


def test_a_chip_left_awake_is_put_to_sleep_and_woken_afresh():
    bus = ScriptedBus(
        pulse(), read(reply(_SIGNATURE)), SLEEP, awake(), exchange(_INFO, reply(_REVISION)), SLEEP
    )
    assert ATECC608(bus).revision() == _REVISION
    assert bus.left == []


def test_a_wake_reply_that_stays_wrong_is_a_fault():
    steps = []
    for _ in range(100):
        steps += [pulse(), read(b"\xff\xff\xff\xff"), write(b"\x01")]
    bus = ScriptedBus(*steps)
    with pytest.raises(PacketError, match="bad length"):
        ATECC608(bus).revision()


def test_a_chip_that_fails_its_self_test_on_waking_says_so():
    steps = []
    for _ in range(100):
        steps += [pulse(), read(reply(b"\x07")), write(b"\x01")]
    with pytest.raises(CommandError, match="self-test") as refused:
        ATECC608(ScriptedBus(*steps)).revision()
    assert refused.value.status == 0x07


def test_the_element_is_told_apart_by_its_address():
    bus = ScriptedBus(awake(), exchange(_INFO, reply(_REVISION)), SLEEP, address=0x35)
    assert ATECC608(bus, 0x35).revision() == _REVISION


@pytest.mark.parametrize("address", [0x60, 0x35, 0x36])
def test_without_an_address_the_chip_is_found_where_it_may_be(address):
    bus = ScriptedBus(
        awake(), exchange(_INFO, reply(_REVISION)), SLEEP,
        awake(), exchange(_INFO, reply(_REVISION)), SLEEP,
        address=address,
    )  # fmt: skip
    element = ATECC608(bus)
    assert element.revision() == _REVISION
    spent = bus.now
    assert element.revision() == _REVISION
    assert bus.left == []
    # The second time it is known where: the first look is at the right address.
    assert bus.now - spent <= 2


@pytest.mark.parametrize(("foreign", "chip"), [(0x60, 0x35), (0x60, 0x36), (0x35, 0x36), (0x36, 0x60)])
@pytest.mark.parametrize("late", [0, 2, 5])
def test_a_foreign_device_at_one_of_the_addresses_is_passed_over(foreign, chip, late):
    told = []

    class Shared(ScriptedBus):
        def write(self, address, buf):
            if address == foreign:
                told.append(bytes(buf))
            else:
                super().write(address, buf)

        def read_into(self, address, buf):
            if address == foreign:
                buf[:] = bytes(len(buf))
            else:
                super().read_into(address, buf)

        def wake(self):
            if self._next() == ("pulse",):
                super().wake()

    bus = Shared(
        pulse(),
        [busy(late)] if late else [],
        read(WAKE_REPLY),
        exchange(_INFO, reply(_REVISION)),
        SLEEP,
        address=chip,
    )
    assert ATECC608(bus).revision() == _REVISION
    assert bus.left == []
    # The word for sleep at most, which to a device with registers is the number of one.
    assert set(told) <= {b"\x01"}


def test_a_given_address_is_the_only_one_looked_at():
    bus = ScriptedBus(*[pulse()] * 100, address=0x35)
    with pytest.raises(BusError, match="no chip at address 60"):
        ATECC608(bus, 0x60).revision()
    assert bus.reads == 0


# Polling


@pytest.mark.parametrize("milliseconds", [0, 1, 42, 650])
def test_a_busy_chip_is_polled_until_it_answers(milliseconds):
    bus = ScriptedBus(
        awake(), exchange(_NONCE, OK), write(_SIGN), busy(milliseconds), read(reply(_SIGNATURE)), SLEEP
    )
    start = bus.now
    assert ATECC608(bus).sign(0, _DIGEST) == _SIGNATURE
    assert bus.left == []
    # No fixed wait: what passes is the chip's time, a millisecond to notice and two for waking.
    assert bus.now - start <= milliseconds + 3


def test_an_answer_that_is_there_at_once_costs_no_wait():
    bus = ScriptedBus(awake(), exchange(_NONCE, OK), exchange(_SIGN, reply(_SIGNATURE)), SLEEP)
    ATECC608(bus).sign(0, _DIGEST)
    assert bus.reads == 3


def test_a_chip_that_never_answers_is_busy_not_absent():
    bus = ScriptedBus(awake(), exchange(_NONCE, OK), write(_SIGN), busy(10_000_000))
    start = bus.now
    with pytest.raises(BusError, match="command 41: no reply") as refused:
        ATECC608(bus).sign(0, _DIGEST)
    assert refused.value.busy
    assert 665 <= bus.now - start < 800


def test_after_an_abandoned_command_the_watchdog_is_waited_for():
    bus = ScriptedBus(awake(), write(_GENKEY), busy(1500), awake(), exchange(_INFO, reply(_REVISION)), SLEEP)
    element = ATECC608(bus)
    with pytest.raises(BusError):
        element.generate_key(0)
    assert element.revision() == _REVISION
    assert bus.left == []


def test_a_chip_that_vanished_during_a_command_is_reported_absent_in_the_end():
    bus = ScriptedBus(awake(), write(_GENKEY))
    element = ATECC608(bus)
    with pytest.raises(BusError) as first:
        element.generate_key(0)
    with pytest.raises(BusError, match="no chip") as second:
        element.revision()
    start = bus.now
    with pytest.raises(BusError, match="no chip"):
        element.revision()
    assert (first.value.busy, second.value.busy) == (True, False)
    assert bus.now - start < 100


# Damaged replies


def test_a_damaged_reply_is_read_again_not_asked_again():
    good = reply(_SIGNATURE)
    bus = ScriptedBus(
        awake(),
        exchange(_NONCE, OK),
        write(_SIGN),
        read(damaged(good)),
        RESET,
        read(good[:20]),
        RESET,
        read(good),
        SLEEP,
    )
    assert ATECC608(bus).sign(0, _DIGEST) == _SIGNATURE
    assert bus.left == []


def test_a_reply_that_stays_damaged_is_a_fault_and_the_chip_still_sleeps():
    bad = damaged(reply(_SIGNATURE))
    bus = ScriptedBus(
        awake(),
        exchange(_NONCE, OK),
        write(_SIGN),
        read(bad),
        RESET,
        read(bad),
        RESET,
        read(bad),
        SLEEP,
    )
    with pytest.raises(PacketError, match="wrong CRC"):
        ATECC608(bus).sign(0, _DIGEST)
    assert bus.left == []


def test_a_command_that_changes_the_chip_is_never_sent_twice_for_a_lost_reply():
    bad = damaged(reply(_SIGNATURE))
    bus = ScriptedBus(awake(), write(_GENKEY), read(bad), RESET, read(bad), RESET, read(bad), SLEEP)
    with pytest.raises(PacketError):
        ATECC608(bus).generate_key(0)
    assert bus.left == []


def test_a_reading_is_asked_again_after_a_fresh_start():
    bad = damaged(reply(_REVISION))
    bus = ScriptedBus(
        awake(),
        write(_INFO),
        read(bad),
        RESET,
        read(bad),
        RESET,
        read(bad),
        SLEEP,
        awake(),
        exchange(_INFO, reply(_REVISION)),
        SLEEP,
    )
    assert ATECC608(bus).revision() == _REVISION
    assert bus.left == []


def test_the_reply_to_an_older_command_is_never_taken_for_the_one_that_is_due():
    # The command was lost on its way, so what a rewind brings up is the success of the one before.
    element = bytes(range(64))
    first = command(0x12, 0x82, 0x0048, element[:32])
    second = command(0x12, 0x82, 0x0148, element[32:])
    bus = ScriptedBus(awake(), exchange(first, OK), write(second), read(b""), RESET, read(OK), SLEEP)
    with pytest.raises(PacketError, match="old reply"):
        ATECC608(bus).write_slot(9, element)
    assert bus.left == []


def test_a_reply_that_was_read_away_is_taken_where_it_cannot_be_the_older_one():
    bus = ScriptedBus(
        awake(),
        exchange(_NONCE, OK),
        write(_SIGN),
        read(b""),
        RESET,
        read(reply(_SIGNATURE)),
        SLEEP,
    )
    assert ATECC608(bus).sign(0, _DIGEST) == _SIGNATURE
    assert bus.left == []


def test_a_chip_that_still_says_that_it_woke_has_not_had_the_command():
    woken = [read(b""), RESET, read(WAKE_REPLY)]
    bus = ScriptedBus(awake(), write(_GENKEY), woken, exchange(_GENKEY, reply(_SIGNATURE)), SLEEP)
    assert ATECC608(bus).generate_key(0) == _SIGNATURE
    assert bus.left == []


# Damaged commands


def test_a_command_that_the_chip_received_damaged_is_sent_again():
    bus = ScriptedBus(
        awake(),
        exchange(_NONCE, OK),
        exchange(_SIGN, reply(b"\xff")),
        exchange(_SIGN, reply(_SIGNATURE)),
        SLEEP,
    )
    assert ATECC608(bus).sign(0, _DIGEST) == _SIGNATURE
    assert bus.left == []


def test_a_command_that_the_chip_keeps_receiving_damaged_is_given_up():
    bus = ScriptedBus(awake(), *[exchange(_GENKEY, reply(b"\xff"))] * 3, SLEEP)
    with pytest.raises(CommandError, match="damaged") as refused:
        ATECC608(bus).generate_key(0)
    assert refused.value.status == 0xFF
    assert bus.left == []


def test_an_undelivered_command_is_delivered_after_another_pulse():
    bus = ScriptedBus(awake(), lose(_GENKEY), awake(), exchange(_GENKEY, reply(_SIGNATURE)), SLEEP)
    assert ATECC608(bus).generate_key(0) == _SIGNATURE
    assert bus.left == []


@pytest.mark.parametrize("answer", [reply(_SIGNATURE), OK, reply(b"\x05")])
def test_a_command_whose_acknowledge_was_lost_is_not_sent_again_where_the_chip_has_answered_it(answer):
    bus = ScriptedBus(awake(), lose(_GENKEY), pulse(), read(answer), SLEEP)
    with pytest.raises((PacketError, CommandError)):
        ATECC608(bus).generate_key(0)
    assert bus.left == []


def test_a_command_whose_acknowledge_was_lost_is_not_sent_again_while_it_runs():
    bus = ScriptedBus(awake(), lose(_GENKEY), pulse(), busy(400), read(reply(_SIGNATURE)), SLEEP)
    with pytest.raises(PacketError):
        ATECC608(bus).generate_key(0)
    assert bus.left == []


def test_a_command_that_may_run_after_two_lost_acknowledges_is_waited_for_by_the_next_session():
    bus = ScriptedBus(
        awake(),
        lose(_GENKEY),
        awake(),
        lose(_GENKEY),
        SLEEP,
        busy(600),
        awake(),
        exchange(_INFO, reply(_REVISION)),
        SLEEP,
    )
    element = ATECC608(bus)
    with pytest.raises(BusError, match="not taken"):
        element.generate_key(0)
    assert element.revision() == _REVISION
    assert bus.left == []


def test_an_undelivered_command_is_delivered_where_an_awake_chip_has_nothing_to_say():
    bus = ScriptedBus(
        awake(),
        lose(_GENKEY),
        pulse(),
        read(b"\xff" * 4),
        SLEEP,
        awake(),
        exchange(_GENKEY, reply(_SIGNATURE)),
        SLEEP,
    )
    assert ATECC608(bus).generate_key(0) == _SIGNATURE
    assert bus.left == []


def test_a_reading_is_sent_again_whatever_became_of_the_first():
    bus = ScriptedBus(
        awake(),
        lose(_INFO),
        pulse(),
        read(reply(_REVISION)),
        SLEEP,
        awake(),
        exchange(_INFO, reply(_REVISION)),
        SLEEP,
    )
    assert ATECC608(bus).revision() == _REVISION
    assert bus.left == []


def test_nothing_is_woken_again_between_nonce_and_sign():
    bus = ScriptedBus(awake(), exchange(_NONCE, OK), lose(_SIGN), SLEEP)
    with pytest.raises(BusError, match="what it held is lost"):
        ATECC608(bus).sign(0, _DIGEST)
    assert bus.left == []


# The watchdog


def test_a_watchdog_about_to_expire_is_restarted_by_idling_which_keeps_tempkey():
    bus = ScriptedBus(
        awake(),
        exchange(_NONCE, OK),
        exchange(_SIGN, reply(b"\xee")),
        IDLE,
        awake(),
        exchange(_SIGN, reply(_SIGNATURE)),
        SLEEP,
    )
    assert ATECC608(bus).sign(0, _DIGEST) == _SIGNATURE
    assert bus.left == []


def test_a_long_session_idles_before_the_watchdog_can_strike():
    bus = ScriptedBus(
        awake(),
        exchange(_NONCE, OK),
        takes(500),
        IDLE,
        awake(),
        exchange(_SIGN, reply(_SIGNATURE)),
        SLEEP,
    )
    assert ATECC608(bus).sign(0, _DIGEST) == _SIGNATURE
    assert bus.left == []


def test_a_chip_that_slept_before_it_could_idle_has_lost_tempkey():
    bus = ScriptedBus(awake(), exchange(_NONCE, OK), exchange(_SIGN, reply(b"\xee")), lose(b"\x02"), SLEEP)
    with pytest.raises(BusError, match="what it held is lost"):
        ATECC608(bus).sign(0, _DIGEST)
    assert bus.left == []


def test_a_chip_that_woke_anew_while_it_held_tempkey_is_not_trusted_to_hold_it():
    bus = ScriptedBus(
        awake(),
        exchange(_NONCE, OK),
        exchange(_SIGN, reply(b"\xee")),
        IDLE,
        pulse(),
        read(reply(b"\x00")),
        SLEEP,
    )
    with pytest.raises(PacketError, match="wake reply"):
        ATECC608(bus).sign(0, _DIGEST)
    assert bus.left == []


# The end of a session


def test_the_chip_sleeps_after_a_refusal():
    bus = ScriptedBus(awake(), exchange(_NONCE, OK), exchange(_SIGN, reply(b"\x05")), SLEEP)
    with pytest.raises(CommandError, match="ECC"):
        ATECC608(bus).sign(0, _DIGEST)
    assert bus.left == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_the_chip_sleeps_whatever_leaves_the_block(error):
    bus = ScriptedBus(awake(), SLEEP)
    with pytest.raises(error), Session(bus, 0x60):
        raise error
    assert bus.left == []


def test_an_interrupt_while_waking_still_sends_the_chip_to_sleep():
    class Interrupted(ScriptedBus):
        def sleep_us(self, _n):
            raise KeyboardInterrupt

    bus = Interrupted(pulse(), SLEEP)
    with pytest.raises(KeyboardInterrupt), Session(bus, 0x60):
        pass
    assert bus.left == []


def test_a_sleep_that_was_not_heard_is_said_once_more():
    bus = ScriptedBus(awake(), exchange(_INFO, reply(_REVISION)), lose(b"\x01"), SLEEP)
    assert ATECC608(bus).revision() == _REVISION
    assert bus.left == []


def test_an_element_serves_many_operations():
    one = [*awake(), *exchange(_NONCE, OK), *exchange(_SIGN, reply(_SIGNATURE)), SLEEP]
    bus = ScriptedBus(one * 50)
    element = ATECC608(bus)
    assert [element.sign(0, _DIGEST) for _ in range(50)] == [_SIGNATURE] * 50
    assert bus.left == []
