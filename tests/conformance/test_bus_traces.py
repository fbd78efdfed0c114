"""Recorded traces replayed: drivers write what they wrote then, and one that does not is told where."""

import json

import pytest
from conformance.bus_traces import (
    ADAFRUIT,
    DIGEST,
    FOLDER,
    NUM_IN,
    OURS,
    adafruit,
    attest_config,
    run,
    run_ours,
)
from hri.rig.bus import Bus, ManualClock
from hri.rig.trace import decode, load
from hri.rig.trace.replay import ReplayTarget
from hri.rig.trace.script import script_of
from hri.rig.trace.steps import Exchange
from hri_device.atecc.commands import CONFIG, Commands
from hri_device.errors import BusError, SecureElementError
from record_traces import plain

TRACES = sorted(FOLDER.glob("*.jsonl"))
OPERATIONS = {**OURS, **ADAFRUIT}


def operation_of(path):
    """Which operation a trace is of: the longest that its name begins with (`sign-silicon` is `sign`)."""
    return max((name for name in OPERATIONS if path.stem.startswith(name)), key=len)


class Replay:
    def __init__(self, name):
        self.trace = load(FOLDER / f"{name}.jsonl")
        self.target = ReplayTarget(script_of(self.trace.transactions))
        self.clock = ManualClock()
        self.bus = Bus([self.target], clock=self.clock)

    @property
    def divergence(self):
        return self.target.divergence

    def ours(self, operation):
        """Run what our driver does instead; it fails, for the chip falls silent."""
        with pytest.raises(SecureElementError):
            run_ours(self.bus, self.clock, "", operation)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_the_driver_of_today_follows_the_trace_and_makes_the_same_of_it(path):
    replay = Replay(path.stem)
    result = run(replay.bus, replay.clock, operation_of(path), replay.target.script.address)
    assert replay.divergence is None
    assert replay.target.finished
    kept = path.with_suffix(".result.json")
    # A trace of silicon may come without what was made of it.
    assert not kept.exists() or plain(result) == json.loads(kept.read_text())


def test_there_is_a_trace_of_every_operation():
    assert {operation_of(path) for path in TRACES} == set(OPERATIONS)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_every_exchange_of_a_trace_is_understood(path):
    exchanges = [step for step in decode(load(path).transactions) if isinstance(step, Exchange)]
    assert exchanges
    assert all(step.command.crc_good and step.reply.crc_good for step in exchanges)


def test_one_byte_changed_is_named():
    replay = Replay("sign")
    replay.ours(lambda element: element.sign(0, DIGEST[:9] + b"\xff" + DIGEST[10:]))
    found = replay.divergence
    assert (found.command, found.byte, found.field) == (1, 15, "data byte 9")
    assert (found.expected_byte, found.got_byte) == (9, 0xFF)
    assert found.words == (
        "command 1: expected Nonce fixed, 32 bytes to TempKey, got Nonce fixed, 32 bytes to TempKey; "
        "byte 15 (data byte 9): expected 09, got ff; the last that agreed was nothing"
    )


def test_another_mode_is_named():
    replay = Replay("generate")
    replay.ours(lambda element: element.public_key(2))
    assert replay.divergence.words == (
        "command 1: expected GenKey create, slot 2, got GenKey public key, slot 2; "
        "byte 3 (Param1): expected 04, got 00; the last that agreed was nothing"
    )


def test_a_wake_that_was_left_out_is_named():
    replay = Replay("identify")

    def without_its_second_wake(element):
        element.revision()
        bus = element.session._bus
        element.session._wake = lambda *_: None
        bus.wake = lambda: None
        element.read_config()

    replay.ours(without_its_second_wake)
    assert replay.divergence.words == (
        "command 2: expected a wake pulse, got Read config block 0, 32 bytes; the last that agreed was sleep"
    )


def test_a_sleep_between_nonce_and_sign_is_named():
    replay = Replay("attest-config")

    def sleeps(element):
        with element.session as session:
            Commands(session).nonce(0, NUM_IN)
        with element.session as session:
            Commands(session).sign(0x40, 1)

    replay.ours(sleeps)
    assert replay.divergence.words == (
        "command 2: expected GenDig config block 0, got sleep; the last that agreed was Nonce random"
    )


def test_a_command_left_out_is_named():
    replay = Replay("attest-config")

    def without_gendig(element):
        with element.session as session:
            commands = Commands(session)
            commands.nonce(0, NUM_IN)
            commands.sign(0x40, 1)

    replay.ours(without_gendig)
    found = replay.divergence
    assert (found.expected, found.got) == ("GenDig config block 0", "Sign internal slot 1, full serial")


def test_a_command_too_many_is_named():
    replay = Replay("refused")

    def goes_on(element):
        OURS["refused"](element)
        element.revision()

    replay.ours(goes_on)
    assert replay.divergence.words.startswith("command 3: expected the end of the trace, got a wake pulse")


def test_a_driver_that_stops_early_has_not_followed():
    replay = Replay("identify")
    run_ours(replay.bus, replay.clock, "", lambda element: element.revision())
    assert replay.divergence is None
    assert not replay.target.finished
    assert (replay.target.followed, replay.target.due) == (1, "a wake pulse")


def test_a_renewal_of_the_watchdog_is_no_divergence():
    replay = Replay("attest-config")

    def is_slow(element):
        with element.session as session:
            commands = Commands(session)
            commands.nonce(0, NUM_IN)
            replay.clock.advance_us(600_000)
            commands.gendig(CONFIG, 0)
            replay.clock.advance_us(600_000)
            return commands.sign(0x40, 1)

    signature = run_ours(replay.bus, replay.clock, "", is_slow)
    assert replay.target.finished
    assert signature == run_ours(*_fresh("attest-config"), "attest-config")


def _fresh(name):
    replay = Replay(name)
    return replay.bus, replay.clock


def test_a_recorded_renewal_may_be_left_out():
    slow = Replay("attest-config")

    def renews(element):
        with element.session as session:
            commands = Commands(session)
            commands.nonce(0, NUM_IN)
            slow.clock.advance_us(600_000)
            commands.gendig(CONFIG, 0)
            return commands.sign(0x40, 1)

    recorded = _recorded_over(slow, renews)
    target = ReplayTarget(script_of(recorded))
    clock = ManualClock()
    run_ours(Bus([target], clock=clock), clock, "", attest_config)
    assert target.finished


def _recorded_over(replay, operation):
    from hri.rig.trace import collecting

    with collecting(replay.bus, replay.trace.header) as trace:
        run_ours(replay.bus, replay.clock, "", operation)
    assert any(getattr(item, "data", b"") == b"\x02" for item in trace().transactions)
    return trace().transactions


def test_the_independent_client_with_another_digest_is_named():
    replay = Replay("adafruit-sign")
    with (
        pytest.raises((OSError, RuntimeError, AssertionError)),
        adafruit(replay.bus, replay.clock, 0x35) as atecc,
    ):
        atecc.ecdsa_sign(0, bytearray(DIGEST[::-1]))
    assert (replay.divergence.command, replay.divergence.field) == (2, "data byte 0")


def test_a_silent_chip_stays_silent():
    replay = Replay("sign")
    replay.ours(lambda element: element.revision())
    told = replay.divergence
    with pytest.raises(BusError):
        run_ours(replay.bus, replay.clock, "sign")
    assert replay.divergence is told
