"""A registry with both logs, and keys that are the test's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hri.acts import begin_logs
from hri.audit.recorder import LogKeys, Recorder
from hri.registry import CertificateRecord, Device, Registry
from hri.signed_note import NoteSigner
from postgres_server import PostgresServer

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)


def make_keys(seed: int = 0) -> LogKeys:
    return LogKeys(
        *(
            NoteSigner(f"example.test/{log}", Ed25519PrivateKey.from_private_bytes(bytes([seed, place] * 16)))
            for place, log in enumerate(("certificates", "audit"))
        )
    )


KEYS = make_keys()
OPEN = Recorder("ann@line-1", KEYS)
LOCKED = Recorder("bob@line-1")


def issue(registry: Registry, numbers: range, recorder: Recorder = OPEN) -> list[CertificateRecord]:
    """Record certificates (their bytes do not matter here), each for a device of its own, in one commit."""
    registry.upsert_devices(
        [Device(f"dev-{number}", "atecc608b", None, "provisioning", None, NOW) for number in numbers]
    )
    records = [
        CertificateRecord(
            # Serial numbers come in no order.
            int.from_bytes(hashlib.sha256(b"%d" % number).digest()[:19], "big"),
            f"dev-{number}",
            b"certificate %d" % number,
            "ab" * 32,
            "issued",
            NOW,
            NOW,
            NOW + timedelta(days=365),
        )
        for number in numbers
    ]
    registry.record_certificates(records, recorder=recorder)
    return records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hri.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest) -> str:
    """Where a new registry is to be: a file, or a database of a real PostgreSQL server."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("path"))
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url()


@pytest.fixture
def registry(where: str) -> Iterator[Registry]:
    with Registry.open(where) as opened:
        begin_logs(opened, KEYS)
        yield opened


@pytest.fixture
def codes() -> Callable[..., set[str]]:
    from hri.audit_check import verify_audit
    from hri.log_check import verify_log

    def found(registry: Registry, log: tuple[str, ...] = (), audit: tuple[str, ...] = ()) -> set[str]:
        """Return what both checks find, given checkpoints that were kept elsewhere."""
        reports = (
            verify_log(registry, KEYS.certificates.verifier, log),
            verify_audit(registry, KEYS.audit.verifier, audit),
        )
        return {finding.code for report in reports for finding in report.findings}

    return found
