"""Drive random command sequences through the virtual ATECC608, every answer held against the table of rules.

Run it as ``PYTHONPATH=host python tools/fuzz_chip.py --sequences 100000 --seed 1 --jobs 2``; a failure
prints the line that runs it again. Exit status: 0 the chip agrees with the table, 1 it does not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "tests")]

from conformance.access_rules.campaign import Campaign, Result, coverage  # noqa: E402 - the path comes first
from conformance.access_rules.table import the_table  # noqa: E402

CHUNK = 5000
"""Sequences a worker runs between two reports."""

_campaigns: dict[int, Campaign] = {}


def work(seed: int, start: int, count: int) -> Result:
    """Run one chunk, on this process's own chip."""
    campaign = _campaigns.setdefault(seed, Campaign(seed))
    return campaign.run(start, count)


def run_all(seed: int, sequences: int, jobs: int) -> list[Result]:
    """Run ``sequences``, with a line of progress on standard error each minute."""
    chunks = [(start, min(CHUNK, sequences - start)) for start in range(0, sequences, CHUNK)]
    results: list[Result] = []
    began = said = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        # Submitted a few at a time, so that an interrupt is not kept waiting by a long queue.
        waiting = {pool.submit(work, seed, *chunk) for chunk in chunks[: 2 * jobs]}
        rest = iter(chunks[2 * jobs :])
        while waiting:
            done = next(as_completed(waiting))
            waiting.remove(done)
            results.append(done.result())
            following = next(rest, None)
            if following is not None:
                waiting.add(pool.submit(work, seed, *following))
            now = time.monotonic()
            if now - said >= 60:
                said = now
                ran = sum(result.sequences for result in results)
                kinds = len({sort for result in results for sort in result.findings})
                rate = ran / (now - began)
                print(
                    f"{ran} of {sequences} sequences, {rate:.0f} a second, {kinds} kinds of failure",
                    file=sys.stderr,
                )
    return results


def summary(seed: int, results: Sequence[Result], seconds: float) -> dict[str, Any]:
    """Return what the run showed, ready for JSON."""
    rows = the_table().rows
    commands: dict[str, dict[str, int]] = {}
    opened: dict[str, dict[str, int]] = {}
    for result in results:
        for name, counts in result.tally.commands.items():
            total = commands.setdefault(name, {"allowed": 0, "refused": 0})
            for key, count in counts.items():
                total[key] += count
        for number, (allowed, refused) in result.tally.opened.items():
            total = opened.setdefault(rows[number].name, {"allowed": 0, "refused": 0})
            total["allowed"] += allowed
            total["refused"] += refused
    spoke = coverage([result.tally for result in results])
    alone = [sum(result.tally.decided[row.number] for result in results) for row in rows]
    return {
        "seed": seed,
        "sequences": sum(result.sequences for result in results),
        "seconds": round(seconds, 1),
        "commands": dict(sorted(commands.items())),
        "rows": len(rows),
        "rows_never_hit": [name for name, count in spoke.items() if not count],
        "refusals_never_alone": [row.name for row in rows if row.kind == "refuse" and not alone[row.number]],
        "left_open": dict(sorted(opened.items())),
        "failures": [
            {"kind": kind, "command": command, "detail": detail, "times": times}
            for (kind, command, detail), times in _times(results).items()
        ],
    }


def _times(results: Sequence[Result]) -> dict[tuple[str, str, str], int]:
    times: dict[tuple[str, str, str], int] = {}
    for result in results:
        for sort, finding in result.findings.items():
            times[sort] = times.get(sort, 0) + finding.times
    return dict(sorted(times.items(), key=lambda item: -item[1]))


def rerun(seed: int, index: int, kept: Sequence[int] | None) -> int:
    """Run one sequence again, or some of its steps, and say what it shows."""
    campaign = Campaign(seed)
    steps = campaign.steps(index)
    chosen = range(len(steps)) if kept is None else kept
    scenario = campaign.scenario(index)
    print(f"config {scenario.config.hex()}\notp    {scenario.otp.hex()}")
    for number, content in enumerate(scenario.slots):
        print(f"slot {number:2} {content.hex()}")
    failure = campaign.run_one(index, [steps[number] for number in chosen])
    if failure is None:
        print("agrees with the table")
        return 0
    for wire in failure.sent:
        print(f"sent   {wire}")
    print(f"{failure.command}: {failure.kind}: {failure.detail}")
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description="hold the virtual ATECC608 against the table of access rules"
    )
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, help="write the JSON summary here, not to standard output")
    parser.add_argument("--only", type=int, metavar="INDEX", help="run this sequence alone, and say more")
    parser.add_argument("--keep", metavar="STEPS", help="with --only: the steps to keep, such as 0,2")
    options = parser.parse_args()
    if options.only is not None:
        kept = None if options.keep is None else [int(step) for step in options.keep.split(",")]
        return rerun(options.seed, options.only, kept)
    began = time.monotonic()
    results = run_all(options.seed, options.sequences, options.jobs)
    document = json.dumps(summary(options.seed, results, time.monotonic() - began), indent=2)
    if options.output is None:
        print(document)
    else:
        options.output.write_text(document + "\n", encoding="utf-8")
    shown: set[tuple[str, str, str]] = set()
    for result in results:
        for sort, finding in result.findings.items():
            if sort not in shown:
                shown.add(sort)
                print(finding.report(), file=sys.stderr)
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main())
