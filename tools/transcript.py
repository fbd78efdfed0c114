"""Put what `hri demo` prints into the README, or check that the README still shows it.

What differs from run to run (serial numbers, times, dates) is compared by shape only.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
TIMING = ROOT / "docs" / "timing.md"
_PER_COMMAND = "command."
_PER_FEATURE = "firmware.feature."
_DEADLINE_S = 300
_VARYING = (
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<hex>"),
    (re.compile(r" *[\d,]+ ms\b"), " <ms>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "<date>"),
)


def demo() -> str:
    """Run the demo and return what it prints. Raises CalledProcessError."""
    done = subprocess.run(
        [sys.executable, "-m", "hri.cli", "demo"],
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def shape(text: str) -> str:
    """Return the text with everything that differs from run to run replaced by what kind of thing it is."""
    for pattern, kind in _VARYING:
        text = pattern.sub(kind, text)
    return text


def _found(readme: str, name: str) -> re.Match[str]:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", readme, re.S)
    if found is None:
        raise ValueError(f"there is no section {name}")
    return found


def section(readme: str, name: str) -> str:
    """Return what stands in the README between the marks of the section `name`."""
    return _found(readme, name)[1]


def with_section(readme: str, name: str, content: str) -> str:
    """Return the README with another content in the section `name`."""
    found = _found(readme, name)
    return readme[: found.start(1)] + content + readme[found.end(1) :]


def bench_table(entries: dict[str, dict[str, object]]) -> str:
    """Return bench.json as the README's table."""
    lines = ["| measure | value | goal | ratio |", "|---|---:|---|---:|"]
    for name, entry in entries.items():
        if name.startswith((_PER_COMMAND, _PER_FEATURE)):
            continue
        goal = "" if str(entry["goal"]).startswith("none") else entry["goal"]
        ratio = "" if entry["ratio"] is None else entry["ratio"]
        lines.append(f"| {name} | {entry['value']:,} {entry['unit']} | {goal} | {ratio} |")
    return "\n".join(lines) + "\n"


def commands_table(entries: dict[str, dict[str, object]]) -> str:
    """Return bench.json's measures of single commands as the table of docs/timing.md."""
    speeds = list(dict.fromkeys(name.split(".")[2] for name in entries if name.startswith(_PER_COMMAND)))
    commands = dict.fromkeys(name.split(".")[1] for name in entries if name.startswith(_PER_COMMAND))
    lines = ["| command | bytes | " + " | ".join(f"{speed}Hz, ms | of the limit" for speed in speeds) + " |"]
    lines.append("|---|---:|" + "---:|---:|" * len(speeds))
    for command in commands:
        found = [entries[f"{_PER_COMMAND}{command}.{speed}"] for speed in speeds]
        size = re.search(r"\d+", str(found[0]["goal"]))
        times = " | ".join(f"{entry['value']} | {entry['ratio']}" for entry in found)
        lines.append(f"| {command} | {size[0] if size else ''} | {times} |")
    return "\n".join(lines) + "\n"


def features_table(entries: dict[str, dict[str, object]]) -> str:
    """Return bench.json's measures of the files that a board may leave out as a table of docs/timing.md."""
    features = dict.fromkeys(name.split(".")[2] for name in entries if name.startswith(_PER_FEATURE))
    lines = ["| file | .mpy, bytes | RAM when imported, bytes |", "|---|---:|---:|"]
    for feature in features:
        mpy, ram = (entries[f"{_PER_FEATURE}{feature}.{what}"]["value"] for what in ("mpy", "ram"))
        lines.append(f"| {feature} | {mpy:,} | {ram:,} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Update README and docs/timing.md from a demo's output and from bench.json, where there is one."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    readme = with_section(README.read_text(), "transcript", f"```\n{demo()}\n```\n")
    measured = ROOT / "bench.json"
    if measured.exists():
        entries = json.loads(measured.read_text())
        readme = with_section(readme, "bench", bench_table(entries))
        timing = with_section(TIMING.read_text(), "commands", commands_table(entries))
        TIMING.write_text(with_section(timing, "features", features_table(entries)))
    README.write_text(readme)
    return 0


if __name__ == "__main__":
    sys.exit(main())
