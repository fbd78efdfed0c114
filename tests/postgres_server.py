"""A PostgreSQL server of the tests' own, on a Unix socket in a folder that goes with it."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

_START_DEADLINE_S = 60
_STOP_DEADLINE_S = 30
_USER = "hri"
# Where Debian and the makers of PostgreSQL put what is not on PATH.
_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")


def find(program: str) -> Path | None:
    """Return a program of PostgreSQL's newest version on this machine, None where there is none."""
    found = [path for pattern in _FOLDERS for path in Path("/").glob(f"{pattern[1:]}/{program}")]
    named = shutil.which(program)
    newest = sorted(found, key=lambda path: [int(part) for part in path.parts if part.isdigit()])
    return newest[-1] if newest else Path(named) if named else None


class PostgresServer:
    """A cluster from `initdb` to its end; `url` makes an empty database in it."""

    def __init__(self, *, durable: bool = False) -> None:
        """Take whether commits wait for the disk, which tests need not do."""
        self._settings = [] if durable else ["-c", "fsync=off"]
        self._folder = Path(tempfile.mkdtemp(prefix="hri-postgres-"))
        self._names = (f"hri_{number}" for number in itertools.count(1))
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}

    def start(self) -> None:
        """Make the cluster and wait until it answers; raises RuntimeError with its own words."""
        data = self._folder / "data"
        self._run("initdb", "-D", str(data), "-U", _USER, "-A", "trust", "--no-sync")
        log = (self._folder / "log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [
                    str(find("postgres")), "-D", str(data), "-k", str(self._folder),
                    "-c", "listen_addresses=", "-c", "max_connections=200", *self._settings,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                **self._as,
            )  # fmt: skip
        end = time.monotonic() + _START_DEADLINE_S
        while self._ready().returncode:
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text(errors="replace"))
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server and remove the cluster; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            # At once and without a checkpoint: nobody wants the data any more.
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(_STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self) -> str:
        """Return the URL of a new, empty database."""
        name = next(self._names)
        self._run("createdb", "-h", str(self._folder), "-U", _USER, "-T", "template0", "-E", "UTF8", name)
        return f"postgresql://{_USER}@/{name}?host={self._folder}"

    def _ready(self) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(find("pg_isready")), "-q", "-h", str(self._folder)], timeout=_START_DEADLINE_S, check=False
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(find(program)), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=self._folder,
            timeout=_START_DEADLINE_S,
            check=False,
            **self._as,
        )
        if done.returncode:
            raise RuntimeError((done.stdout + done.stderr).decode(errors="replace"))
