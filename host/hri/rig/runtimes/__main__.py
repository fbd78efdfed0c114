"""``python -m hri.rig.runtimes``: have every runtime in the cache; prints where each one is."""

from __future__ import annotations

import sys

from hri.rig.runtimes import RuntimeUnavailableError, build_runtimes, emulator


def _tell(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def main() -> int:
    """Build what is missing and return the exit status: 0, or 3 with one line on what to do."""
    try:
        for name, path in build_runtimes(progress=_tell).items():
            sys.stdout.write(f"{name}\t{path}\n")
    except RuntimeUnavailableError as error:
        _tell(str(error))
        return 3
    if not emulator.build(_tell):
        _tell("no compiler or python headers: the emulator runs on its slower core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
