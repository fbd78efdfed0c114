"""CircuitPython's microcontroller: why it started, and its non-volatile bytes, kept in a file."""

import mmap
from pathlib import Path
from types import SimpleNamespace

_SIZE = 4096
_file = Path.cwd().parent / "nvm.bin"
if not _file.exists():
    _file.write_bytes(b"\xff" * _SIZE)

cpu = SimpleNamespace(reset_reason="microcontroller.ResetReason.POWER_ON")
with _file.open("r+b") as _open:
    nvm = mmap.mmap(_open.fileno(), _SIZE)
