"""Source packages from the machine's own Debian mirror, into a private apt state.

The system's own lists and packages stay untouched. Every file is checked twice: by apt, against the Release
file signed with the archive keyring on this machine, and against the hash pinned in `versions`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from hri.rig.runtimes.cache import RuntimeUnavailableError, publish
from hri.rig.runtimes.versions import KEYRING, PACKAGES, SUITE, Package

Progress = Callable[[str], None]

_UPDATE_DEADLINE_S = 120
_DOWNLOAD_DEADLINE_S = 300


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _missing(package: Package, downloads: Path) -> list[str]:
    return [
        name
        for name, sha256 in package.files
        if not (downloads / name).is_file() or _sha256(downloads / name) != sha256
    ]


def mirrors() -> list[str]:
    """Return the archive addresses in the machine's apt sources, security archives last."""
    if shutil.which("apt-get") is None:
        raise RuntimeUnavailableError(
            "the runtimes are built from debian source packages and there is no apt-get here; "
            "name an image with HRI_RUNTIME_RPI_PICO or HRI_RUNTIME_UNIX instead"
        )
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    found = dict.fromkeys(line.strip() for line in listing.stdout.splitlines() if line.strip())
    return sorted(found, key=lambda uri: "security" in uri)


class _PrivateApt:
    """An apt state of its own below ``folder``, with one suite of one mirror in it."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        for part in ("lists/partial", "cache/archives/partial", "files"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        self.files = folder / "files"

    def _run(self, command: list[str], deadline_s: float) -> bool:
        environment = os.environ | {"APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C"}
        with self._log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            try:
                done = subprocess.run(
                    command,
                    cwd=self.files,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=deadline_s,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return False
        return done.returncode == 0

    def use(self, mirror: str) -> bool:
        """Point at ``mirror`` and fetch its signed index; False where it has no such suite."""
        sources = self._folder / "sources.list"
        sources.write_text(
            "".join(f"{kind} [signed-by={KEYRING}] {mirror} {SUITE} main\n" for kind in ("deb", "deb-src"))
        )
        (self._folder / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{sources}";\n'
            'Dir::Etc::sourceparts "-";\n'
            f'Dir::State::lists "{self._folder / "lists"}";\n'
            f'Dir::Cache "{self._folder / "cache"}";\n'
            'Acquire::http::Timeout "3";\nAcquire::https::Timeout "3";\nAcquire::Retries "0";\n'
            # apt would otherwise call a mirror that did not answer a success with old lists.
            'APT::Update::Error-Mode "any";\n'
        )
        return self._run(["apt-get", "update"], _UPDATE_DEADLINE_S)

    def download(self, package: Package) -> bool:
        pinned = f"{package.name}={package.version}"
        verb = ["source", "--download-only", "--only-source"] if package.source else ["download"]
        return self._run(["apt-get", *verb, pinned], _DOWNLOAD_DEADLINE_S)


def fetch(downloads: Path, scratch: Path, log: Path, progress: Progress) -> None:
    """Make sure that every pinned file is in ``downloads`` and has its pinned hash.

    Raises RuntimeUnavailableError where no mirror has them or a file differs from its pin.
    """
    wanted = [package for package in PACKAGES if _missing(package, downloads)]
    if not wanted:
        return
    apt = _PrivateApt(scratch / "apt", log)
    for mirror in mirrors():
        progress("reading the index of the machine's debian mirror")
        if not apt.use(mirror):
            continue
        for package in wanted:
            progress(f"fetching {package.name} {package.version}")
            if not apt.download(package):
                raise RuntimeUnavailableError(
                    f"the debian mirror does not have {package.name} {package.version}; see {log}, or name "
                    "an image with HRI_RUNTIME_RPI_PICO or HRI_RUNTIME_UNIX"
                )
        _keep(wanted, apt.files, downloads)
        return
    raise RuntimeUnavailableError(
        f"no archive in the machine's apt sources offers the suite {SUITE}; see {log}, or name an image "
        "with HRI_RUNTIME_RPI_PICO or HRI_RUNTIME_UNIX"
    )


def _keep(packages: Iterable[Package], fetched: Path, downloads: Path) -> None:
    for package in packages:
        for name, sha256 in package.files:
            path = fetched / name
            if not path.is_file() or _sha256(path) != sha256:
                raise RuntimeUnavailableError(f"{name} from the debian mirror does not have its pinned hash")
            publish(path, downloads / name)


def unpack_tree(downloads: Path, target: Path) -> None:
    """Unpack MicroPython to ``target`` with its libraries from the other packages under ``lib/``."""
    files = {name: downloads / name for package in PACKAGES for name, _ in package.files}
    tarballs = [path for name, path in files.items() if ".orig.tar." in name]
    debs = [path for name, path in files.items() if name.endswith(".deb")]
    parts = target.with_name(target.name + ".parts")
    for tarball in tarballs:
        with tarfile.open(tarball) as archive:
            # Their content is pinned by hash; the filter, where this Python has it, is a second fence.
            if hasattr(tarfile, "data_filter"):
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(parts)  # noqa: S202
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", deb, parts], check=True, timeout=120)
    next(parts.glob("micropython-*")).rename(target)
    moves = {
        next(parts.glob("mbedtls-*")): "mbedtls",
        parts / "usr/src/pico-sdk": "pico-sdk",
        parts / "usr/src/tinyusb": "tinyusb",
    }
    for source, name in moves.items():
        # Debian strips these, and leaves the empty folders of the submodules behind.
        shutil.rmtree(target / "lib" / name, ignore_errors=True)
        source.rename(target / "lib" / name)
    # The makefiles take this file as the sign that the submodules are there.
    (target / "lib/micropython-lib").mkdir(exist_ok=True)
    (target / "lib/micropython-lib/README.md").touch()
    shutil.rmtree(parts)
