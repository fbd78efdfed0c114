"""Issuers and sequencers are killed at random: what was handed out is in registry, log and audit log.

`--log-issues N` raises the number of certificates; make test is content with some hundreds.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hri.acts import begin_logs
from hri.audit.entry import Entry
from hri.audit_check import verify_audit
from hri.ca.authority import Authority
from hri.ca.log_keys import log_verifiers, open_log_keys
from hri.log_check import verify_log
from hri.log_monitor import monitor_registry
from hri.registry import Device, Registry

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
DEADLINE = 120

# Issues for the devices named on its command line, a few at a time, with the logs' keys or without, and
# prints what was released; `sequence` in place of the names runs the sequencer until it is told to stop.
_CHILD = """
import json, logging, sys, threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
import structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.audit.recorder import Recorder
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.log_keys import open_log_keys
from hri.ca.profiles import Profile
from hri.errors import HriError
from hri.registry import Registry

home, group, unlocked, *names = sys.argv[1:]
home = Path(home)
now = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
authority = Authority.open(home, b"c")
def begin(_keys):
    raise AssertionError("the keys were made before")
keys = open_log_keys(home, b"c", authority.root, begin)
with Registry.open(home / "hri.db") as registry:
    print("ready", flush=True)
    if names == ["sequence"]:
        over = threading.Event()
        threading.Thread(target=lambda: (sys.stdin.readline(), over.set()), daemon=True).start()
        while not over.is_set():
            registry.sequence(keys.certificates)
    else:
        key = ec.derive_private_key(7, ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        csr = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        profile = Profile.checked("default", validity=timedelta(days=365))
        recorder = Recorder("child@test", keys if unlocked == "unlocked" else None)
        issuer = Issuer(authority, registry, require_attestation=False, recorder=recorder)
        for start in range(0, len(names), int(group)):
            batch = [IssueRequest(csr, name, profile) for name in names[start : start + int(group)]]
            for request, outcome in zip(batch, issuer.issue_many(batch, now)):
                if isinstance(outcome, HriError):
                    raise outcome
                print(json.dumps([request.device_id, f"{outcome.serial_number:040x}"]), flush=True)
"""


@contextmanager
def _child(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _CHILD, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    guard = threading.Timer(DEADLINE, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        guard.cancel()
        process.kill()
        process.communicate(timeout=DEADLINE)


def _released(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    assert process.stdout is not None
    for line in process.stdout:
        # A line cut off by the kill was not released to anybody.
        if line.endswith("\n"):
            device_id, serial = json.loads(line)
            yield device_id, serial


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Authority.create(tmp_path, root_passphrase=b"r", ca_passphrase=b"c", now=NOW)
    with Registry.open(tmp_path / "hri.db") as registry:
        root = Authority.open_public(tmp_path).root
        open_log_keys(tmp_path, b"c", root, lambda keys: begin_logs(registry, keys))
    return tmp_path


def _register(home: Path, count: int) -> list[str]:
    names = [f"dev-{number:05}" for number in range(count)]
    with Registry.open(home / "hri.db") as registry:
        registry.upsert_devices([Device(name, "atecc608b", None, "provisioning", 0, NOW) for name in names])
    return names


def _rounds(home: Path, names: list[str], chance: random.Random) -> dict[str, str]:
    """Run issuers and a sequencer, killed at random, until every device has its certificate."""
    released: dict[str, str] = {}
    left = list(names)
    for turn in range(200):
        if not left:
            return released
        unlocked, group = ("unlocked", "locked")[turn % 2], chance.choice([1, 3, 8])
        # A command line has its limit.
        batch = left[:400]
        with (
            _child(home, 0, "unlocked", "sequence") as sequencer,
            _child(home, group, unlocked, *batch) as issuer,
        ):
            quota = chance.randrange(1, max(2, len(names) // 4))
            # In the middle of whatever it does then, beside the issuer.
            threading.Timer(chance.random() * 0.2, sequencer.send_signal, (signal.SIGKILL,)).start()
            for device_id, serial in _released(issuer):
                assert released.setdefault(device_id, serial) == serial
                quota -= 1
                if quota == 0:
                    issuer.send_signal(signal.SIGKILL)
        left = [name for name in left if name not in released]
    raise AssertionError("the issuers never came to an end")


def test_everything_that_was_handed_out_before_a_kill_is_on_record_thrice(
    home: Path, pytestconfig: pytest.Config
) -> None:
    count = int(pytestconfig.getoption("--log-issues"))
    names = _register(home, count)
    released = _rounds(home, names, random.Random(20260504))  # noqa: S311 - when to kill is no secret

    verifiers = log_verifiers(home)
    assert verifiers is not None
    with Registry.open(home / "hri.db") as registry:
        keys = open_log_keys(home, b"c", Authority.open_public(home).root, pytest.fail)
        registry.sequence(keys.certificates)
        registry.sign_audit(keys.audit)
        recorded = {item.device_id: item for name in names for item in registry.certificates(name)}
        logged = {row.serial_number for row in registry.log_entries(0, 10 * count)}
        acts = [Entry.from_bytes(row.entry).act for row in registry.audit_entries(act="issue")]
        log, audit = verify_log(registry, verifiers.certificates), verify_audit(registry, verifiers.audit)
        findings = [*log.findings, *audit.findings, *monitor_registry(registry, NOW)]

    assert findings == []
    assert {name: f"{item.serial_number:040x}" for name, item in recorded.items()} == released
    assert logged == set(released.values())
    assert len(logged) == len(released) == log.size == count
    # One act for each, whoever was killed in between.
    assert sorted((act.subject, act.details["certificate"]) for act in acts) == sorted(released.items())
    assert audit.signed == audit.size == count
