"""Many sequences, numbered so that any can be run again; failures shrunk to the steps that matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from conformance.access_rules.plans import draw_sequence
from conformance.access_rules.policy import policy_of
from conformance.access_rules.scenarios import Scenario, make_scenario
from conformance.access_rules.session import Failure, Rig, Session, Tally
from conformance.access_rules.steps import Planner, Step
from conformance.access_rules.table import the_table

SEQUENCES_A_CHIP = 4
"""Sequences that start from the same configuration: making one costs as much as running a sequence."""


@dataclass(slots=True)
class Finding:
    """The first sequence that shows one disagreement, and how many did."""

    failure: Failure
    seed: int
    index: int
    kept: tuple[int, ...]
    times: int = 1

    def report(self) -> str:
        """Return it as words, with what runs it again."""
        kept = ",".join(map(str, self.kept))
        return "\n".join(
            [
                f"{self.failure.command}: {self.failure.kind}: {self.failure.detail} ({self.times} times)",
                f"  again: tools/fuzz_chip.py --seed {self.seed} --only {self.index} --keep {kept}",
                *(f"  sent {wire}" for wire in self.failure.sent),
            ]
        )


@dataclass(slots=True)
class Result:
    """What a run of sequences found."""

    tally: Tally
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    sequences: int = 0


class Campaign:
    """The sequences of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rig = Rig()
        table = the_table()
        self.names = {opcode: command.name for opcode, command in table.commands.items()}
        self.opens = frozenset(row.number for row in table.rows if row.kind == "open")
        self._scenario: tuple[int, Scenario] = (-1, make_scenario(Random(0)))  # noqa: S311 - a repeatable test

    def scenario(self, index: int) -> Scenario:
        """Return the chip of sequence ``index``."""
        number = index // SEQUENCES_A_CHIP
        if self._scenario[0] != number:
            self._scenario = number, make_scenario(Random(f"{self.seed} chip {number}"))  # noqa: S311
        return self._scenario[1]

    def steps(self, index: int) -> list[Step]:
        """Return the steps of sequence ``index``."""
        rng = Random(f"{self.seed} steps {index}")  # noqa: S311 - a repeatable test
        return draw_sequence(Planner(rng, policy_of(self.scenario(index).config)))

    def run_one(self, index: int, steps: Sequence[Step], tally: Tally | None = None) -> Failure | None:
        """Run ``steps`` on the chip of sequence ``index``."""
        session = Session(self.rig, self.scenario(index), index)
        return session.run(steps, tally, self.names, self.opens)

    def run(self, start: int, count: int, *, tick: Callable[[int], Any] | None = None) -> Result:
        """Run sequences ``start`` to ``start + count - 1``."""
        rows = len(the_table().rows)
        result = Result(Tally(fired=[0] * rows, decided=[0] * rows))
        for index in range(start, start + count):
            steps = self.steps(index)
            failure = self.run_one(index, steps, result.tally)
            result.sequences += 1
            if failure is not None:
                self._found(result, index, steps, failure)
            if tick is not None and result.sequences % 1000 == 0:
                tick(result.sequences)
        return result

    def _found(self, result: Result, index: int, steps: list[Step], failure: Failure) -> None:
        known = result.findings.get(failure.sort)
        if known is not None:
            known.times += 1
            return
        kept, smallest = self.shrink(index, steps, failure)
        result.findings[failure.sort] = Finding(smallest, self.seed, index, kept)

    def shrink(self, index: int, steps: list[Step], failure: Failure) -> tuple[tuple[int, ...], Failure]:
        """Drop steps one by one while the same failure stays; return the steps kept and the failure."""
        kept = list(range(failure.step + 1))
        for step in range(failure.step):
            fewer = [number for number in kept if number != step]
            again = self.run_one(index, [steps[number] for number in fewer])
            if again is not None and again.sort == failure.sort:
                kept, failure = fewer, again
        return tuple(kept), failure


def coverage(tallies: Sequence[Tally]) -> dict[str, int]:
    """Return how often each row of the table spoke."""
    return {row.name: sum(tally.fired[row.number] for tally in tallies) for row in the_table().rows}
