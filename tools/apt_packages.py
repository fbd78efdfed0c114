"""Install what tests need of the system, where that is allowed; elsewhere their tests skip and say why."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_DEADLINE_S = 900
# A file or a command that says whether the package is there -> its Debian name.
_NEEDED = {
    "/usr/lib/postgresql/*/bin/initdb": "postgresql",
    "openssl": "openssl",
    "/usr/lib/*/softhsm/libsofthsm2.so": "softhsm2",
    "pkcs11-tool": "opensc",
}


def _there(what: str) -> bool:
    return any(Path("/").glob(what[1:])) if what.startswith("/") else shutil.which(what) is not None


def _missing() -> list[str]:
    return [package for what, package in _NEEDED.items() if not _there(what)]


def main() -> int:
    """Install what is missing; 0 whatever comes of it, because every test says what it lacks."""
    missing = _missing()
    if not missing:
        return 0
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"some tests will be skipped; for all of them: sudo {' '.join(command)}")
        return 0
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for attempt in (command, ["apt-get", "update"], command):
        try:
            subprocess.run(
                attempt,
                env=environment,
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_DEADLINE_S,
            )
        except subprocess.TimeoutExpired:
            break
        if not _missing():
            return 0
    print(f"could not install {' '.join(_missing())}; their tests will be skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
