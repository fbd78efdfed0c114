"""The device package as it goes onto a virtual board: compiled, with its entry point.

Only its files are handled here; the rig shares no code with it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hri.boards import firmware_folder
from hri.rig.runtimes import compile_package

_PACKAGE = "hri_device"
_ENTRY = "main.py"


def device_package(folder: Path | None = None) -> dict[str, bytes]:
    """Compile the device package; returns path on the board -> content.

    `folder` is another folder with `hri_device` and `main.py`. Raises FileNotFoundError,
    RuntimeUnavailableError, SyntaxError.
    """
    source = folder or firmware_folder()
    with tempfile.TemporaryDirectory(prefix="hri-device-") as scratch:
        out = Path(scratch)
        compile_package(source / _PACKAGE, out / _PACKAGE)
        package = {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.mpy"))}
    return package | {_ENTRY: (source / _ENTRY).read_bytes()}
