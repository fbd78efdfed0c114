"""Killed processes, rivals, full and read-only disks: nothing is released that the registry does not know."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hri.audit.entry import Act
from hri.audit.recorder import Recorder
from hri.ca.authority import Authority
from hri.ca.ceremony import root_key_name
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.errors import HriError, StorageError
from hri.registry import Device, Recorded, Registry

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROFILE = Profile.checked("default", validity=timedelta(days=365))
DEADLINE = 120
NOBODY = 65534


def csr(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(autouse=True)
def plain_log() -> None:
    """Log as if nobody had configured it: a command line tested before left a stream that is closed now."""
    structlog.reset_defaults()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Authority.create(tmp_path, root_passphrase=b"r", ca_passphrase=b"c", now=NOW)
    return tmp_path


def _register(home: Path, count: int) -> list[str]:
    names = [f"dev-{number:03}" for number in range(count)]
    with Registry.open(home / "hri.db") as registry:
        registry.upsert_devices([Device(name, "atecc608b", None, "provisioning", 0, NOW) for name in names])
    return names


@contextmanager
def _child(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    # A child that hangs would leave the reading end waiting: it is killed first, so that reading ends.
    guard = threading.Timer(DEADLINE, process.kill)
    guard.start()
    try:
        yield process
    finally:
        guard.cancel()
        process.kill()
        process.communicate(timeout=DEADLINE)


# Issues for the devices named on its command line with a key of its own, a few at a time, and prints what was
# released. Its log goes nowhere, because standard output is the record of what was released.
_ISSUE = """
import json, logging, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.errors import HriError
from hri.registry import Registry

home, secret, group, *names = sys.argv[1:]
now = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
key = ec.derive_private_key(int(secret), ec.SECP256R1())
profile = Profile.checked("default", validity=timedelta(days=365))
def csr(name):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
with Registry.open(Path(home) / "hri.db") as registry:
    issuer = Issuer(Authority.open(Path(home), b"c"), registry, require_attestation=False)
    print("ready", flush=True)
    sys.stdin.readline()
    for start in range(0, len(names), int(group)):
        batch = [IssueRequest(csr(name), name, profile) for name in names[start : start + int(group)]]
        for request, outcome in zip(batch, issuer.issue_many(batch, now)):
            code = outcome.code if isinstance(outcome, HriError) else f"{outcome.serial_number:x}"
            print(json.dumps([request.device_id, code]), flush=True)
"""


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    # A line cut off by the kill was not released to anybody.
    return (line for line in process.stdout if line.endswith("\n"))


@pytest.mark.parametrize("group", [1, 8])
def test_a_killed_issuer_released_nothing_unknown_and_the_next_completes(home: Path, group: int) -> None:
    names = _register(home, 120)
    chance = random.Random(20260504 + group)  # noqa: S311 - when to kill is no secret
    released: dict[str, str] = {}
    for _ in range(3):
        with _child(_ISSUE, home, 7, group, *names) as process:
            lines = _lines(process)
            assert next(lines) == "ready\n"
            _go(process)
            quota = chance.randrange(1, 60)
            for line in lines:
                device_id, serial = json.loads(line)
                assert released.setdefault(device_id, serial) == serial
                quota -= 1
                if quota == 0:
                    process.send_signal(signal.SIGKILL)
    with _child(_ISSUE, home, 7, group, *names) as process:
        lines = _lines(process)
        next(lines)
        _go(process)
        final = dict(map(json.loads, lines))

    assert released
    assert final == {**final, **released}
    with Registry.open(home / "hri.db") as registry:
        registry.check()
        recorded = {name: registry.certificates(name) for name in names}
    assert {name: [f"{item.serial_number:x}" for item in items] for name, items in recorded.items()} == {
        name: [serial] for name, serial in final.items()
    }


def test_of_two_issuing_processes_one_wins_each_device(home: Path) -> None:
    names = _register(home, 60)
    with (
        _child(_ISSUE, home, 7, 4, *names) as first,
        _child(_ISSUE, home, 8, 4, *reversed(names)) as second,
    ):
        readers = [_lines(process) for process in (first, second)]
        for reader in readers:
            assert next(reader) == "ready\n"
        _go(first)
        _go(second)
        outcomes = [dict(map(json.loads, reader)) for reader in readers]

    won = [{name for name, code in outcome.items() if code != "live-certificate"} for outcome in outcomes]
    assert won[0] | won[1] == set(names)
    assert not won[0] & won[1]
    with Registry.open(home / "hri.db") as registry:
        for name in names:
            records = registry.certificates(name)
            codes = {outcome[name] for outcome in outcomes}
            assert codes == {f"{records[0].serial_number:x}", "live-certificate"}
            assert len(records) == 1


def _in_fork(act: Callable[[], None]) -> int:
    """Run `act` in a forked process and return how that ended, as os.waitstatus_to_exitcode does."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            # Nothing of the parent's may run here: no tests, no atexit, no flushing of its buffers.
            os._exit(code)
    guard = threading.Timer(DEADLINE, os.kill, (pid, signal.SIGTERM))
    guard.start()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        guard.cancel()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _DiesBeforeCommit(Registry):
    def record_certificates(self, *arguments: Any, **options: Any) -> None:
        original = self._write

        @contextmanager
        def write() -> Iterator[Any]:
            with original() as connection:
                yield connection
                _die()

        self._write = write  # type: ignore[method-assign]
        super().record_certificates(*arguments, **options)


class _DiesAfterCommit(Registry):
    def record_certificates(self, *arguments: Any, **options: Any) -> None:
        super().record_certificates(*arguments, **options)
        _die()


@pytest.mark.parametrize(("kind", "recorded"), [(_DiesBeforeCommit, 0), (_DiesAfterCommit, 1)])
def test_a_process_killed_around_the_commit(home: Path, kind: type[Registry], recorded: int) -> None:
    _register(home, 1)
    request = IssueRequest(csr(ec.generate_private_key(ec.SECP256R1()), "dev-000"), "dev-000", PROFILE)
    authority = Authority.open(home, b"c")

    def issue() -> None:
        with kind.open(home / "hri.db") as registry:
            Issuer(authority, registry, require_attestation=False).issue(request, NOW)

    assert _in_fork(issue) == -signal.SIGKILL

    with Registry.open(home / "hri.db") as registry:
        before = registry.certificates("dev-000")
        issued = Issuer(authority, registry, require_attestation=False).issue(request, NOW)
        after = registry.certificates("dev-000")
    assert len(before) == recorded
    assert [record.der for record in after] == [issued.der]


def _ceremony_killed_at(home: Path, stick: Path, moment: int) -> int:
    def create() -> None:
        calls = 0
        real = os.fsync

        def fsync(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls == moment:
                _die()
            real(descriptor)

        os.fsync = fsync
        Authority.create(home, root_passphrase=b"r", ca_passphrase=b"c", root_out=stick, now=NOW)

    return _in_fork(create)


def test_a_ceremony_killed_at_any_moment_is_completed_by_the_next(tmp_path: Path) -> None:
    endings = []
    for moment in range(1, 30):
        home, stick = tmp_path / f"home-{moment}", tmp_path / f"stick-{moment}"
        endings.append(_ceremony_killed_at(home, stick, moment))
        if endings[-1] == 0:
            break

        if not (home / "ca").exists():
            Authority.create(home, root_passphrase=b"r", ca_passphrase=b"c", root_out=stick, now=NOW)

        authority = Authority.open(home, b"c")
        assert [path.name for path in home.iterdir()] == ["ca"]
        assert (stick / root_key_name(authority.root)).exists()
    assert endings[-1] == 0
    assert len(endings) > 5
    assert set(endings[:-1]) == {-signal.SIGKILL}


def _fill(home: Path, registry: Registry, names: list[str]) -> tuple[dict[str, int], StorageError]:
    """Issue until the disk is full; return what was released, and the refusal."""
    issuer = Issuer(Authority.open(home, b"c"), registry, require_attestation=False)
    key = ec.derive_private_key(7, ec.SECP256R1())
    released: dict[str, int] = {}
    for name in names:
        try:
            released[name] = issuer.issue(IssueRequest(csr(key, name), name, PROFILE), NOW).serial_number
        except StorageError as full:
            return released, full
    raise AssertionError("the disk was never full")


def test_a_full_database_releases_nothing_it_did_not_record(home: Path) -> None:
    names = _register(home, 200)
    with Registry.open(home / "hri.db") as registry:
        with registry._read() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")

        released, full = _fill(home, registry, names)

    with Registry.open(home / "hri.db") as registry:
        registry.check()
        recorded = {n: item.serial_number for n in names for item in registry.certificates(n)}
        issuer = Issuer(Authority.open(home, b"c"), registry, require_attestation=False)
        request = IssueRequest(csr(ec.derive_private_key(7, ec.SECP256R1()), names[-1]), names[-1], PROFILE)
        issuer.issue(request, NOW)
    assert (full.code, full.exit_status) == ("disk-full", 3)
    assert "make room" in full.hint
    assert released
    assert recorded == released


def test_a_file_that_may_not_grow_is_a_clear_error(home: Path) -> None:
    names = _register(home, 400)

    def fill() -> None:
        # Without this the kernel ends the process where write(2) would have failed with EFBIG.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with Registry.open(home / "hri.db") as registry:
            size = (home / "hri.db").stat().st_size + 40_000
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            released, full = _fill(home, registry, names)
            if full.code not in ("disk-full", "database-io"):
                raise AssertionError(full.code)
        with os.fdopen(os.open(home / "released", os.O_CREAT | os.O_WRONLY), "w") as stream:
            json.dump(released, stream)

    assert _in_fork(fill) == 0

    released = json.loads((home / "released").read_text())
    with Registry.open(home / "hri.db") as registry:
        registry.check()
        recorded = {n: item.serial_number for n in names for item in registry.certificates(n)}
    assert released
    assert recorded == released


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="hri-readonly-"))
    yield folder
    folder.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


@pytest.mark.parametrize("existing", [True, False])
def test_a_read_only_folder_is_a_clear_error(open_folder: Path, existing: bool) -> None:
    path = open_folder / "hri.db"
    if existing:
        Registry.open(path).close()
        path.chmod(0o444)
    open_folder.chmod(0o555)

    def use() -> None:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        try:
            with Registry.open(path) as registry:
                registry.record_acts(Recorded(Recorder("x"), (Act("x"),)), NOW)
        except HriError as error:
            if error.exit_status == 3 and error.code in ("database-readonly", "database-unreachable"):
                os._exit(77)

    assert _in_fork(use) == 77
    assert path.exists() == existing
