"""Device packages, compiled to .mpy by the mpy-cross that matches the images."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from hri.rig.runtimes.find import find_runtime

_COMPILE_DEADLINE_S = 60
# Level 3 drops asserts and line numbers, a tenth of a board's package. A traceback then names file and
# function alone; compile with optimization=2 to have its lines too.
DEFAULT_OPTIMIZATION = 3


def compile_package(
    source_dir: Path,
    out_dir: Path,
    *,
    mpy_cross: Path | None = None,
    optimization: int = DEFAULT_OPTIMIZATION,
) -> list[Path]:
    """Compile every .py file below ``source_dir`` to a .mpy file at the same place below ``out_dir``.

    The same sources give the same bytes wherever they lie: a file carries its name relative to
    ``source_dir``, as tracebacks show it. A .mpy file in ``out_dir`` that has no source any more is removed.
    ``optimization`` is mpy-cross's -O; 2 keeps line numbers. Returns the files written, in order.

    Raises RuntimeUnavailableError without an mpy-cross, SyntaxError with the compiler's words for a source it
    refuses, and ValueError for a folder with no sources.
    """
    compiler = mpy_cross or find_runtime("mpy-cross")
    sources = sorted(source_dir.rglob("*.py"))
    if not sources:
        raise ValueError(f"{source_dir} holds no python source")
    written = []
    for source in sources:
        relative = source.relative_to(source_dir)
        target = out_dir / relative.with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        _compile(compiler, source, target, relative.as_posix(), optimization)
        written.append(target)
    for stale in set(out_dir.rglob("*.mpy")) - set(written):
        stale.unlink()
    return written


def _compile(compiler: Path, source: Path, target: Path, shown: str, optimization: int) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        done = subprocess.run(
            [compiler, f"-O{optimization}", "-s", shown, "-o", temporary, source],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMPILE_DEADLINE_S,
        )
        if done.returncode != 0:
            raise SyntaxError(f"mpy-cross refuses {source}: {done.stderr.strip() or done.stdout.strip()}")
        temporary.chmod(0o644)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
