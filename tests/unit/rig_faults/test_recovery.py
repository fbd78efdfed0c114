"""Whatever faults meet, the rig neither breaks nor hangs, repeats itself, and works once they are cleared."""

import random

import pytest
from hri.rig.bus_line import BusLine
from hri.rig.fault_script import parse_all
from unit.rig_faults.conftest import ADDRESS, INFO, REVISION

PLACES = ("{n}", "{t}.{b}", "{t}.0", "*.{b}", "*.0")
SHAPES = (
    "drop@{byte}x{c}",
    "flip@{byte}x{c}",
    "truncate@{byte}",
    "nack@{any}x{c}",
    "delay@{any}:{ms}ms",
    "power@{any}:{ms}ms",
    "stuck@{any}:{ms}ms:{line}",
    "stuck@{any}:{clk}clk",
    "traffic@{start}x{c}:0x60:r{c}",
    "traffic@{start}x{c}:0x60:w03{c:02x}",
    "arbitration@{start}x{c}:0x50:w0011",
    "device:0x{device:02x}",
    "slow:{c}",
    "random:0.0{c}:drop+flip+stuck+power+nack",
)


def script(dice: random.Random) -> list[str]:
    def place(*shapes: str) -> str:
        return dice.choice(shapes).format(n=dice.randint(1, 200), t=dice.randint(1, 30), b=dice.randint(1, 9))

    return [
        dice.choice(SHAPES).format(
            byte=place(PLACES[0], PLACES[1], PLACES[3]),
            any=place(*PLACES),
            start=place(PLACES[0], PLACES[2], PLACES[4]),
            c=dice.randint(1, 9),
            ms=dice.randint(1, 30),
            clk=dice.randint(1, 99),
            line=dice.choice(("nack", "zeros", "ones")),
            device=dice.choice((0x50, 0x51, 0x60)),
        )
        for _ in range(dice.randint(1, 6))
    ]


def work(rig) -> list:
    seen = []
    for _ in range(25):
        rig.clock.advance_us(1500)
        rig.wake()
        rig.clock.advance_us(1000)
        seen.append((rig.bus.write(ADDRESS, INFO), rig.bus.write(0x50, b"\x01\x02")))
        rig.clock.advance_us(500)
        seen.append((rig.bus.read(ADDRESS, 7), rig.bus.read(0x50, 2), rig.bus.write(ADDRESS, b"\x01")))
    return seen


@pytest.mark.parametrize("seed", range(0, 400, 40))
def test_any_faults_repeat_themselves_and_leave_a_rig_that_works(make_rig, seed):
    for number in range(seed, seed + 40):
        texts = script(random.Random(number))  # noqa: S311
        rig, again = (make_rig(*texts, timing="typical", seed=number) for _ in range(2))
        seen = work(rig)
        assert seen == work(again), texts
        rig.wires.arm(parse_all([]))
        BusLine.of(rig.bus).release()
        rig.bus.power_cycle()
        rig.wake()
        rig.clock.advance_us(1000)
        assert rig.bus.write(ADDRESS, INFO) == 0, texts
        rig.clock.advance_us(100)
        assert rig.bus.read(ADDRESS, 7) == (0, REVISION), texts
