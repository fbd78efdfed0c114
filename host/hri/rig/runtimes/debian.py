"""Pinned packages from the machine's own Debian mirror, into a private apt state.

The system's own lists and packages stay untouched, and the suite may be another one than the system's. Every
file is checked twice: by apt, against the Release file signed with the archive keyring on this machine, and
against its pinned hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hri.rig.runtimes.cache import RuntimeUnavailableError, publish

Progress = Callable[[str], None]

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_UPDATE_DEADLINE_S = 120
_DOWNLOAD_DEADLINE_S = 300


@dataclass(frozen=True, slots=True)
class Package:
    """One Debian package, source or binary, and the files of it that are read.

    ``files`` maps a file name, as apt writes it, to the SHA-256 of its content in hex.
    """

    name: str
    version: str
    source: bool
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pinned:
    """Packages of one suite; ``instead`` says in errors what helps where they cannot be had."""

    suite: str
    packages: tuple[Package, ...]
    instead: str


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

    def __init__(self, folder: Path, suite: str, log: Path) -> None:
        self._folder = folder
        self._suite = suite
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
            "".join(
                f"{kind} [signed-by={_KEYRING}] {mirror} {self._suite} main\n" for kind in ("deb", "deb-src")
            )
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


def fetch(pinned: Pinned, downloads: Path, scratch: Path, log: Path, progress: Progress) -> None:
    """Make sure that every pinned file is in ``downloads`` and has its pinned hash.

    Raises RuntimeUnavailableError where no mirror has them or a file differs from its pin.
    """
    wanted = [package for package in pinned.packages if _missing(package, downloads)]
    if not wanted:
        return
    if shutil.which("apt-get") is None:
        names = " and ".join(package.name for package in wanted)
        raise RuntimeUnavailableError(
            f"{names} come from a debian mirror and there is no apt-get here; {pinned.instead}"
        )
    apt = _PrivateApt(scratch / "apt", pinned.suite, log)
    for mirror in mirrors():
        progress("reading the index of the machine's debian mirror")
        if not apt.use(mirror):
            continue
        for package in wanted:
            progress(f"fetching {package.name} {package.version}")
            if not apt.download(package):
                raise RuntimeUnavailableError(
                    f"the debian mirror does not have {package.name} {package.version}; see {log}, or "
                    f"{pinned.instead}"
                )
        _keep(wanted, apt.files, downloads)
        return
    raise RuntimeUnavailableError(
        f"no archive in the machine's apt sources offers the suite {pinned.suite}; see {log}, or "
        f"{pinned.instead}"
    )


def _keep(packages: Iterable[Package], fetched: Path, downloads: Path) -> None:
    for package in packages:
        for name, sha256 in package.files:
            path = fetched / name
            if not path.is_file() or _sha256(path) != sha256:
                raise RuntimeUnavailableError(f"{name} from the debian mirror does not have its pinned hash")
            publish(path, downloads / name)
