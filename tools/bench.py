"""Measure everything that has a number, and write `bench.json`."""

import argparse
import json
import logging
import sys
from pathlib import Path

import bench_boards
import bench_bus
import bench_commands
import bench_decisions
import bench_firmware
import bench_host
import bench_issue
import bench_rig
import bench_scale
import bench_server
import bench_standing
import structlog

_PARTS = {
    "boards": bench_boards.measure,
    "bus": bench_bus.measure,
    "commands": bench_commands.measure,
    "decisions": bench_decisions.measure,
    "firmware": bench_firmware.measure,
    "host": bench_host.measure,
    "issue": bench_issue.measure,
    "rig": bench_rig.measure,
    "scale": bench_scale.measure,
    "server": bench_server.measure,
    "standing": bench_standing.measure,
}


def main() -> int:
    """Run the parts asked for; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="all, if none is named")
    options = parser.parse_args()
    # A service logs to a file; here the words would only be in the way.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    entries = {}
    for part in options.parts or _PARTS:
        entries |= _PARTS[part]()
    for name, entry in entries.items():
        ratio = "" if entry.ratio is None else f" ({entry.ratio} of {entry.limit:g})"
        held = "ok" if entry.holds else "NO"
        print(f"{held:3} {name:34} {entry.value:>10g} {entry.unit}{ratio}; {entry.goal}")
    options.output.write_text(json.dumps({n: e.as_dict() for n, e in entries.items()}, indent=2) + "\n")
    return 0 if all(entry.holds for entry in entries.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
