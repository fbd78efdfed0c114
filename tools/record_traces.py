"""Record tests/vectors/bus_traces: what drivers say to the virtual chip in a few operations.

Run it when a driver is meant to say something else; the difference in the files is what changed.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "tests"), str(ROOT / "firmware")]

from conformance.bus_traces import ADAFRUIT, FOLDER, OURS, run  # noqa: E402 - the path comes first
from hri.rig.atecc import open_chip  # noqa: E402 - the path comes first
from hri.rig.bus import Bus, ManualClock  # noqa: E402 - the path comes first
from hri.rig.trace import Header, recording  # noqa: E402 - the path comes first

_CHIP, _ADDRESS = "atecc608b-tngtls", 0x35


def record(name: str) -> None:
    """Record one operation, and keep beside the trace what the driver made of it."""
    clock = ManualClock()
    chip = open_chip(_CHIP, clock=clock, timing="typical", seed=name.encode())
    bus = Bus([chip], clock=clock)
    client = "adafruit-circuitpython-atecc 1.3.2" if name in ADAFRUIT else "hri_device on CPython"
    # A bus on a clock that a test moves is neither timed by bits nor by the wall.
    header = Header(_CHIP, None, "host", "virtual chip", f"{name}, by {client}")
    with recording(bus, FOLDER / f"{name}.jsonl", header):
        result = run(bus, clock, name, _ADDRESS)
    (FOLDER / f"{name}.result.json").write_text(json.dumps(plain(result)) + "\n")


def plain(result: object) -> object:
    """Return a result as JSON can say it: bytes in hexadecimal."""
    if isinstance(result, bytes | bytearray):
        return bytes(result).hex()
    if isinstance(result, list | tuple):
        return [plain(item) for item in result]
    return result


def main() -> int:
    """Record every operation."""
    FOLDER.mkdir(exist_ok=True)
    for name in (*OURS, *ADAFRUIT):
        record(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
