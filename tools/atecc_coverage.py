"""Make `docs/atecc-coverage.md` of what the tests of a run covered, or check that it says the same.

`make test` writes the run's findings to `build/atecc-coverage.json` and checks; `make coverage` rewrites.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from atecc_coverage import known_modes

_DOCUMENT = Path(__file__).parents[1] / "docs" / "atecc-coverage.md"
_COLUMNS = (
    ("chip", "virtual chip, vectors from the documents"),
    ("driver", "driver, bytes from the documents"),
    ("both", "driver or another client on the chip"),
)
_HEAD = """# What of the ATECC608 is covered

Every command and mode that [the virtual chip](virtual-atecc.md) and the driver know, and from which sides a
test that ran and passed has covered it. `make coverage` makes this page of the tests that ran, and `make
test` fails where it no longer says what is true.

"""


def table(rows: list[dict]) -> str:
    """Return the document for what a run covered."""
    found = {(row["command"], row["mode"]): row for row in rows}
    lines = ["| command | mode | " + " | ".join(title for _, title in _COLUMNS) + " |"]
    lines.append("|---|---|" + ":-:|" * len(_COLUMNS))
    for command, mode in known_modes():
        row = found.get((command, mode), {})
        marks = ["✓" if row.get(side) else "" for side, _ in _COLUMNS]
        lines.append(f"| {command} | {mode} | {' | '.join(marks)} |")
    return _HEAD + "\n".join(lines) + "\n"


def uncovered(rows: list[dict]) -> list[str]:
    """Return every mode that some side has no passed test for."""
    found = {(row["command"], row["mode"]): row for row in rows}
    return [
        f"{command}, {mode}: {', '.join(missing)}"
        for command, mode in known_modes()
        if (missing := [s for s, _ in _COLUMNS if not found.get((command, mode), {}).get(s)])
    ]


def main() -> int:
    """Rewrite the document, or with --check compare it; 1 where it differs or a mode is not covered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("found", type=Path, help="what the run wrote (--atecc-coverage FILE)")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    rows = json.loads(options.found.read_text())
    gaps = uncovered(rows)
    for gap in gaps:
        print(f"not covered: {gap}", file=sys.stderr)
    document = table(rows)
    if not options.check:
        _DOCUMENT.write_text(document)
    elif _DOCUMENT.read_text() != document:
        print("docs/atecc-coverage.md is out of date: run `make coverage`", file=sys.stderr)
        return 1
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
