"""Type-check `firmware/` twice: against MicroPython's stubs and against CircuitPython's.

Both stub sets are installed into one site-packages, where their modules would shadow each other (and, for the
host, CPython's own), so each is first laid out in a folder of its own under `build/stubs/`, by the list of
files in its distribution's RECORD.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
STUBS = ROOT / "build" / "stubs"

# MicroPython's `time`, `sys` and the like differ from CPython's, so its stubs replace typeshed.
MICROPYTHON = ("micropython-stdlib-stubs", "micropython-rp2-rpi_pico-stubs")
# Its stubs import the types that Adafruit keeps in a package of their own.
CIRCUITPYTHON = ("circuitpython-stubs", "adafruit-circuitpython-typing")


def lay_out(name: str, distributions: tuple[str, ...]) -> Path:
    """Copy the stub files of `distributions` into a folder of their own and return it."""
    target = STUBS / name
    shutil.rmtree(target, ignore_errors=True)
    for distribution in distributions:
        for file in importlib.metadata.files(distribution) or ():
            top = file.parts[0]
            if top.endswith(".dist-info") or top == "..":
                continue
            # On a search path of mypy's a package is found by its own name, not by `name-stubs`.
            place = target.joinpath(top.removesuffix("-stubs"), *file.parts[1:])
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), place)
    return target


def check(name: str, search_path: Path, sources: list[Path], *options: str) -> bool:
    """Run mypy over `sources` with the stubs in `search_path`; say which platform failed."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file=",
        "--no-site-packages",
        "--check-untyped-defs",
        f"--cache-dir={ROOT / '.mypy_cache' / name}",
        *options,
        *map(str, sources),
    ]
    environment = os.environ | {"MYPYPATH": os.pathsep.join([str(search_path), str(FIRMWARE)])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    # Faults inside the stubs are their makers'.
    ours = [line for line in done.stdout.splitlines() if line.startswith("firmware/")]
    print("\n".join(ours))
    print(f"firmware against {name}: {f'{len(ours)} faults' if ours else 'no faults'}")
    if done.returncode > 1 or done.stderr.strip():
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        return False
    return not ours


def main() -> int:
    """Check both platforms; 0 when both pass."""
    package = sorted((FIRMWARE / "hri_device").rglob("*.py"))
    ports = FIRMWARE / "hri_device" / "ports"

    def of(entry: str, *own: str) -> list[Path]:
        others = {"micropython", "circuitpython", "adafruit", "cpython"} - set(own)
        return [p for p in package if not (p.parent == ports and p.stem in others)] + [FIRMWARE / entry]

    micropython = lay_out("micropython", MICROPYTHON)
    circuitpython = lay_out("circuitpython", CIRCUITPYTHON)
    passed = [
        check(
            "micropython",
            micropython,
            of("main.py", "micropython"),
            f"--custom-typeshed-dir={micropython}",
            "--disable-error-code=import-not-found",
        ),
        check("circuitpython", circuitpython, of("code.py", "circuitpython", "adafruit")),
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
