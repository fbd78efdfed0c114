"""Faults as text: every form, there and back, and what a wrong one is told."""

import pytest
from hri.rig.fault_script import FORMS, parse, parse_all, render
from hri.rig.faults import (
    CAMPAIGN_KINDS,
    EVERY,
    Campaign,
    Device,
    Fault,
    Health,
    Line,
    Plan,
    SelfTest,
    Slow,
    Stuck,
    TornWrite,
    Traffic,
)
from hypothesis import given
from hypothesis import strategies as st

numbers = st.integers(1, 10**9)
transfers = st.one_of(st.none(), st.integers(0, 10**6))
places = st.tuples(numbers, transfers)
addresses = st.integers(1, 0x7F)


@st.composite
def plans(draw):
    fault = draw(st.sampled_from(list(Fault)))
    at, transfer = draw(places)
    count = draw(numbers) if fault in (Fault.DROP, Fault.FLIP, Fault.NACK) else 1
    least = {Fault.DELAY: 1, Fault.POWER_CUT: 0}.get(fault)
    delay_us = 0 if least is None else draw(st.integers(least, 10**9))
    bit = draw(st.one_of(st.none(), st.integers(0, 7))) if fault is Fault.FLIP else None
    return Plan(fault, at, count, delay_us, transfer, bit)


@st.composite
def traffic(draw):
    transfer = draw(transfers)
    payload, read = draw(st.binary(max_size=8)), draw(st.integers(0, 9))
    if not payload and not read:
        payload = b"\x01"
    at = draw(numbers) if transfer is None else 0
    return Traffic(at, transfer, draw(numbers), draw(addresses), payload, read, draw(st.booleans()))


@st.composite
def placed_or_not(draw, make):
    at, transfer = draw(st.one_of(st.just((None, None)), places))
    return make(draw, at, transfer)


faults = st.one_of(
    plans(),
    traffic(),
    st.builds(
        lambda place, for_us, clocks, line: Stuck(*place, for_us, clocks, line),
        places,
        st.one_of(st.none(), numbers),
        st.one_of(st.none(), numbers),
        st.sampled_from(Line),
    ),
    placed_or_not(
        lambda draw, at, transfer: TornWrite(
            draw(st.integers(0, 200)), at, transfer, draw(st.one_of(st.none(), st.integers(0, 2**40)))
        )
    ),
    placed_or_not(
        lambda draw, at, transfer: Health(
            draw(st.lists(st.sampled_from(list(SelfTest)), min_size=1).map(lambda tests: _union(tests))),
            at,
            transfer,
        )
    ),
    st.builds(Device, addresses),
    st.builds(Slow, st.floats(1, 10_000)),
    st.builds(
        Campaign,
        st.floats(1e-9, 1),
        st.lists(st.sampled_from(CAMPAIGN_KINDS), min_size=1, unique=True).map(tuple),
    ),
)


def _union(tests):
    union = SelfTest(0)
    for test in tests:
        union |= test
    return union


@given(faults)
def test_what_is_rendered_is_read_as_the_same_fault(fault):
    assert parse(render(fault)) == fault


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz-@x.:*+0123456789", max_size=30))
def test_any_text_is_a_fault_or_a_value_error(text):
    try:
        fault = parse(text)
    except ValueError as error:
        assert "write" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert parse(render(fault)) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("flip@17", Plan(Fault.FLIP, 17)),
        ("drop@5x3", Plan(Fault.DROP, 5, count=3)),
        ("power@40", Plan(Fault.POWER_CUT, 40)),
        ("torn-write@3", TornWrite(3)),
        ("stuck@100:20ms", Stuck(100, for_us=20_000)),
        ("slow:4", Slow(4)),
        ("health:rng", Health(SelfTest.RNG)),
        ("random:0.001", Campaign(0.001)),
        ("nack@*.0", Plan(Fault.NACK, 0, transfer=EVERY)),
        ("delay@8:1.5ms", Plan(Fault.DELAY, 8, delay_us=1500)),
    ],
)
def test_the_forms_of_the_brief(text, fault):
    assert parse(text) == fault


@pytest.mark.parametrize("text", ["", "flop@17", "@17", "17", "Flip@17", "flip_@3", "ﬂip@3"])
def test_an_unknown_word_is_told_every_form(text):
    with pytest.raises(ValueError, match="is no fault") as told:
        parse(text)
    assert all(form in str(told.value) for form in FORMS.values())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("flip", "needs a position"),
        ("flip@", "another shape"),
        ("flip@0", "byte 1 or later"),
        ("flip@3.0", "refused but not dropped, flipped"),
        ("flip@0.3", "transfers count from 1"),
        ("flip@1.2.3", "a position is"),
        ("flip@١", "another shape"),
        ("flip@1:bit9", "from 0 to 7"),
        ("flip@1:bit1:bit2", "'bit2' says nothing here"),
        ("flip@" + "9" * 40, "too large"),
        ("drop@4:3ms", "'3ms' says nothing here"),
        ("power@4x2", "has no count"),
        ("delay@4", "needs a time"),
        ("stuck@4:0ms", "at least a microsecond"),
        ("traffic@3.1", "between transfers"),
        ("traffic@3.0:0x80", "0x01 to 0x7f"),
        ("torn-write", "needs a position"),
        ("torn-write@1.2", "are a number"),
        ("health:rgn", "says nothing|at least one"),
        ("health", "at least one"),
        ("slow", "a number is missing"),
        ("slow@3:4", "has no position"),
        ("slow:0.5", "1 to 10000"),
        ("slow:1e999", "1 to 10000"),
        ("random:0", "from 1e-9"),
        ("random:1.1", "from 1e-9"),
        ("random:0.1:slow", "says nothing here"),
        ("device", "needs an address"),
        ("flip@1" + ":x" * 5000, "another shape"),
    ],
)
def test_a_wrong_text_is_told_what_is_wrong_and_its_form(text, why):
    with pytest.raises(ValueError, match=why) as told:
        parse(text)
    assert f"write {FORMS[text.split('@')[0].split(':')[0]]}" in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Plan(Fault.TRUNCATE, 1, count=2),
        lambda: Plan(Fault.DELAY, 1),
        lambda: Plan(Fault.FLIP, 1, delay_us=5),
        lambda: Plan(Fault.DROP, 1, bit=2),
        lambda: Plan(Fault.FLIP, 0, transfer=1),
        lambda: Stuck(1, for_us=0),
        lambda: Traffic(1, payload=b""),
        lambda: TornWrite(-1),
        lambda: Slow(float("nan")),
        lambda: Health(SelfTest(0)),
        lambda: Device(0),
        lambda: Campaign(0.1, ()),
        lambda: Campaign(float("nan")),
    ],
)
def test_a_value_that_has_no_text_cannot_be_made(wrong):
    with pytest.raises(ValueError, match=" "):
        wrong()


def test_all_or_none():
    assert parse_all(["flip@1", "slow:2"]) == (Plan(Fault.FLIP, 1), Slow(2))
    with pytest.raises(ValueError, match="flop"):
        parse_all(["flip@1", "flop@2"])
