"""The picture: everything at its place, nothing over anything else, nothing that breaks XML."""

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hri.rig.trace import Exchange, Header, Transfer, Wake, Word, decode
from hri.rig.trace.layout import PX_A_MS, WIDTH, Mark, place, text_width
from hri.rig.trace.picture import MOST_STEPS, draw
from unit.rig_trace.conftest import ADDRESS, INFO, packet

HEADER = Header("atecc608b", "rpi_pico", "board")
SIZES = {"t": 16, "s": 12, "h": 11.5, "l": 9.5, "g": 9}


def elements(svg, tag):
    return list(ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}"))  # noqa: S314 - ours


def boxes(svg):
    """Where each text is, by its anchor and the width of its characters."""
    for text in elements(svg, "text"):
        words = "".join(text.itertext())
        size = SIZES[text.get("class").split()[0]]
        width = text_width(words, size)
        x, y = float(text.get("x")), float(text.get("y"))
        left = x - {"middle": width / 2, "end": width}.get(text.get("text-anchor"), 0)
        yield words, left, left + width, y - size * 0.7, y


def overlapping(svg):
    return [
        (one[0], other[0])
        for one, other in combinations(boxes(svg), 2)
        if one[1] < other[2] and other[1] < one[2] and one[3] < other[4] and other[3] < one[4]
    ]


@pytest.fixture
def busy(record):
    """A long session: wakings, quiet times, every colour, a refusal, a fault."""
    rig = record("flip@200:bit0")
    for number in range(60):
        rig.wake()
        for _ in range(number % 5):
            rig.command(INFO, 7, most=20)
        rig.command(packet(0x1B), 35, most=20)
        rig.command(packet(0x12, 0x00, 4, bytes(4)), 4, most=20)
        if number % 7 == 0:
            rig.command(packet(0x16, 3, 0, bytes(32)), 4, most=20)
            rig.command(packet(0x41, 0x80, 0), 67, most=60)
        rig.bus.write(ADDRESS, b"\x02" if number % 9 == 0 else b"\x01")
        rig.clock.advance_us((0, 3000, 20_000, 1_500_000)[number % 4])
    return rig


def test_no_text_is_over_another_and_none_leaves_the_picture(busy):
    marks = [
        Mark(step.start_us, f"step-{number}") for number, step in enumerate(busy.steps) if number % 31 == 0
    ]
    svg = draw(HEADER, busy.steps, marks=marks)
    assert len(elements(svg, "text")) > 100
    assert overlapping(svg) == []
    _, _, width, height = map(float, ElementTree.fromstring(svg).get("viewBox").split())  # noqa: S314 - ours
    assert all(left >= 0 and right <= width and bottom <= height for _, left, right, _, bottom in boxes(svg))


def test_bars_stand_side_by_side_in_the_order_of_time_and_within_their_row(busy):
    lines = place(busy.steps, (), heading_size=11.5)
    assert len(lines) > 3
    for line in lines:
        for left, right in zip(line.bars, line.bars[1:], strict=False):
            assert left.x + left.width <= right.x + 1e-6
            assert left.step.start_us <= right.step.start_us
        assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH + 1e-6 for bar in line.bars)
    assert [bar.step for line in lines for bar in line.bars] == busy.steps


def test_a_bar_is_as_wide_as_its_time(rig):
    rig.wake()
    rig.command(packet(0x40, 4, 0), 67)
    rig.command(packet(0x1B), 35)
    (line,) = place(rig.steps, (), heading_size=11.5)
    commands = [bar for bar in line.bars if isinstance(bar.step, Exchange)]
    assert [bar.width for bar in commands] == [
        max(2.0, bar.step.duration_us / 1000 * PX_A_MS) for bar in commands
    ]


def test_the_chip_is_awake_from_its_waking_to_its_sleep(rig):
    rig.wake()
    rig.command(INFO, 7)
    rig.bus.write(ADDRESS, b"\x01")
    rig.clock.advance_us(30_000)
    rig.wake()
    rig.bus.write(ADDRESS, b"\x02")
    (line,) = place(rig.steps, (), heading_size=11.5)
    asleep = next(bar for bar in line.bars if isinstance(bar.step, Word))
    assert [state.idle for state in line.states] == [False, False, True]
    assert line.states[0].x == line.bars[0].x
    assert line.states[0].x + line.states[0].width == asleep.x + asleep.width
    assert line.states[1].x == line.bars[3].x


def test_a_heading_has_the_time_and_the_bytes_of_its_part(rig):
    rig.wake()
    rig.command(INFO, 7)
    svg = draw(HEADER, rig.steps, marks=[Mark(0, "first"), Mark(1, "second")])
    heading = next("".join(text.itertext()) for text in elements(svg, "text") if text.get("class") == "h")
    assert heading.startswith("first")
    assert re.search(r"\d+ ms, \d+ B", heading)


def test_a_refusal_and_a_fault_catch_the_eye(record):
    rig = record("flip@2:bit0")
    rig.wake()
    rig.wake()
    svg = draw(HEADER, rig.steps)
    assert 'class="fault"' in svg
    assert "fault flip@2:bit0" in elements(svg, "title")[0].text


def test_an_endless_trace_is_drawn_in_part_and_says_so():
    transactions = (
        item
        for number in range(MOST_STEPS)
        for item in (
            Wake(10_000 * number, 80),
            Transfer(10_000 * number + 1, 10_000 * number + 2, ADDRESS, False, True, b"\x01"),
        )
    )
    svg = draw(HEADER, decode(transactions))
    assert f"and {MOST_STEPS:,} more steps that are not drawn" in svg


def test_no_name_breaks_the_picture():
    header = Header("<script>&\x00\x1b[31m", board='"]]>')
    wild = Transfer(0, 1, ADDRESS, False, True, INFO, faults=("</svg>\x07",))
    svg = draw(header, decode([wild]), marks=[Mark(0, "<b>\x00")], title="\ud800<&")
    assert elements(svg, "script") == []
    assert "\x00" not in svg


def test_nothing_is_a_picture_too():
    assert elements(draw(HEADER, ()), "rect")
