"""Random campaigns: the dice, and how a run with them is repeated."""

import pytest
from hri.rig.fault_campaign import CampaignRun
from hri.rig.fault_script import parse, render
from hri.rig.faults import Campaign
from unit.rig_faults.conftest import ADDRESS

ALL = "random:0.03:drop+delay+flip+truncate+nack+power+stuck"


def work(rig):
    """A client that does a bit of everything, and what it saw."""
    seen = []
    for _ in range(60):
        rig.clock.advance_us(5000)
        rig.wake()
        seen.append((rig.info(), rig.bus.write(ADDRESS, b"\x00"), rig.bus.read(ADDRESS, 4)))
        rig.bus.write(ADDRESS, b"\x01")
    return seen


def test_the_same_seed_makes_the_same_run(make_rig):
    first, second, other = (work(make_rig(ALL, seed=seed)) for seed in (5, 5, 6))
    assert first == second
    assert first != other


@pytest.mark.parametrize("seed", range(8))
def test_the_faults_that_struck_repeat_the_run_without_the_dice(make_rig, seed):
    rolled = make_rig(ALL, seed=seed)
    seen = work(rolled)
    assert rolled.wires.struck > 10
    replay = make_rig(*(render(hit.fault) for hit in rolled.wires.log), seed=99)
    assert work(replay) == seen


def test_every_kind_comes_about_equally_often():
    run = CampaignRun(Campaign(0.5), seed=1)
    kinds = {}
    for _ in range(6000):
        kinds[run.fault.fault] = kinds.get(run.fault.fault, 0) + 1
        run.advance()
    assert len(kinds) == 6
    assert all(850 < count < 1150 for count in kinds.values())


@pytest.mark.parametrize("probability", [1.0, 0.5, 0.01, 0.0001])
def test_each_byte_is_hit_with_the_probability(probability):
    run = CampaignRun(Campaign(probability, ("drop",)), seed=1)
    hits = 4000
    for _ in range(hits - 1):
        run.advance()
    assert 0.93 < run.at * probability / hits < 1.07


def test_at_probability_one_every_byte_is_hit(rig):
    rig.arm("random:1:flip")
    rig.bus.read(ADDRESS, 8)
    assert [hit.byte for hit in rig.wires.log] == list(range(1, 9))


def test_only_the_kinds_asked_for_come(rig):
    rig.arm("random:0.5:flip+drop", seed=3)
    for _ in range(50):
        rig.wake()
        rig.info()
    kinds = {hit.fault.fault.value for hit in rig.wires.log}
    assert kinds == {"flip", "drop"}
    assert {hit.armed for hit in rig.wires.log} == {parse("random:0.5:flip+drop")}
