"""Build the release files from which `circup` installs `hri_device` on a CircuitPython board.

The layout is that of a circup bundle: `NAME-py-TAG.zip` with `lib/`, `examples/` and `requirements/` below a
folder of the zip's own name. A release of the project's repository that carries it makes it installable with
`circup bundle-add OWNER/REPOSITORY` and `circup install hri_device`.

Sources only: compiled files would need CircuitPython's own mpy-cross of each major version.
"""

import argparse
import re
import sys
import zipfile
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"
# Of the ports a CircuitPython board needs its own, and what that imports.
_OTHER_PORTS = frozenset({"micropython.py", "cpython.py", "console.py"})
# A zip file knows no time before this one; the same sources then give the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def version() -> str:
    """Return the version that the device package states."""
    found = re.search(r'^__version__ = "([^"]+)"', (FIRMWARE / "hri_device/__init__.py").read_text(), re.M)
    if found is None:
        raise SystemExit("firmware/hri_device/__init__.py states no __version__")
    return found[1]


def library() -> dict[str, bytes]:
    """Return the files of `lib/hri_device` by their path inside `lib/`."""
    files = sorted((FIRMWARE / "hri_device").rglob("*.py"))
    return {
        file.relative_to(FIRMWARE).as_posix(): file.read_bytes()
        for file in files
        if not (file.parent.name == "ports" and file.name in _OTHER_PORTS)
    }


def bundle(name: str, tag: str) -> dict[str, bytes]:
    """Return every file of the bundle by its path in the zip."""
    top = f"{name}-py-{tag}"
    files = {f"{top}/lib/{path}": data for path, data in library().items()}
    files[f"{top}/examples/hri_device/code.py"] = (FIRMWARE / "code.py").read_bytes()
    files[f"{top}/examples/hri_device/boot.py"] = (FIRMWARE / "boot.py").read_bytes()
    # Nothing beyond what CircuitPython has built in.
    files[f"{top}/requirements/hri_device/requirements.txt"] = b""
    return files


def write(folder: Path, name: str, tag: str) -> Path:
    """Write `NAME-py-TAG.zip` into `folder`, whole or not at all, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}-py-{tag}.zip"
    unfinished = target.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(bundle(name, tag).items()):
            archive.writestr(zipfile.ZipInfo(path, _NO_TIME), data)
    return unfinished.replace(target)


def main() -> int:
    """Write the zip and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="hri", help="the repository's name, in lower case with hyphens")
    parser.add_argument("--tag", default=version(), help="the release's tag")
    options = parser.parse_args()
    print(write(options.folder, options.name, options.tag))
    return 0


if __name__ == "__main__":
    sys.exit(main())
