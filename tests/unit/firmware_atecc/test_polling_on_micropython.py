"""Waiting for the chip leaves nothing on a board's heap, so no collection comes in between."""

import subprocess
from pathlib import Path

from hri.rig.runtimes import find_runtime

_ROOT = Path(__file__).parents[3]
_DEADLINE_S = 60


def test_a_poll_allocates_nothing_of_its_own():
    done = subprocess.run(
        [find_runtime("unix"), Path(__file__).parent / "polling_on_micropython.py", _ROOT / "firmware"],
        capture_output=True,
        text=True,
        check=True,
        timeout=_DEADLINE_S,
    )
    # An exception costs what it costs the bus; the rest is the driver's.
    bare, running, waking = map(int, done.stdout.split())
    assert (running, waking) == (bare, bare)
