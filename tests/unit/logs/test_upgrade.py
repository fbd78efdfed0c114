"""A registry of before the logs: its certificates wait, marked so, and its acts begin the chain."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.acts import begin_logs
from hri.audit.entry import Act, Entry
from hri.log_monitor import monitor_registry
from hri.registry import Registry
from hri.registry import migrations as scripts
from hri.registry.schema import APPLICATION_ID
from sqlalchemy import create_engine
from unit.logs.conftest import KEYS, NOW, issue

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def _certificate(number: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([]),
        subject_name=x509.Name([]),
        public_key=key.public_key(),
        serial_number=number,
        not_valid_before=BEGUN,
        not_valid_after=BEGUN + timedelta(days=1),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def old(path: Path) -> Path:
    """A database of version 0001 with three certificates and two events."""
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(scripts.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for number in (3, 1, 2):
            at = 1_767_225_600_000_000 + number
            connection.execute(
                "INSERT INTO device VALUES (?, 'atecc608b', NULL, 'active', 0, ?, NULL, NULL)",
                (f"old-{number}", at),
            )
            connection.execute(
                "INSERT INTO certificate VALUES "
                "(?, ?, ?, 'ab', 'active', ?, ?, ?, 0, NULL, NULL, NULL, '', NULL)",
                (f"{number:040x}", f"old-{number}", _certificate(number), at, at, at + 1),
            )
        for kind, device_id in (("provision", "old-1"), ("manifest-import", None)):
            detail = json.dumps({"steps": ["csr"], "recorded": 1})
            connection.execute(
                "INSERT INTO event (at, kind, device_id, detail) VALUES (7, ?, ?, ?)",
                (kind, device_id, detail),
            )
    return path


def test_old_certificates_wait_and_are_logged_as_older_than_the_log(old: Path, codes) -> None:
    with Registry.open(old) as registry:
        assert [row.serial_number for row in registry.pending()] == [f"{number:040x}" for number in (1, 2, 3)]

        begin_logs(registry, KEYS)
        issue(registry, range(1))

        entries = registry.log_entries(0, 10)
        assert [row.leaf.before_log for row in entries] == [True, True, True, False]
        assert [row.serial_number for row in entries[:3]] == [f"{number:040x}" for number in (1, 2, 3)]
        assert codes(registry) == set()
        assert monitor_registry(registry, NOW) == []


def test_old_acts_are_the_first_of_the_chain(old: Path, codes) -> None:
    with Registry.open(old) as registry:
        begin_logs(registry, KEYS)
        entries = [Entry.from_bytes(row.entry) for row in registry.audit_entries()]

        assert codes(registry) == set()
    told = {"detail": {"steps": ["csr"], "recorded": 1}}
    assert [(entry.at, entry.actor, entry.act) for entry in entries] == [
        (7, "not recorded", Act("provision", "old-1", reason="before the log", details=told)),
        (7, "not recorded", Act("manifest-import", None, reason="before the log", details=told)),
    ]


def test_a_changed_number_of_an_old_certificate_is_found_by_the_certificate_itself(old: Path) -> None:
    with Registry.open(old) as registry:
        begin_logs(registry, KEYS)
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE certificate SET serial_number = ? WHERE device_id = 'old-2'", ("0" * 40,))

    with Registry.open(old) as registry:
        (finding,) = monitor_registry(registry, NOW)
    assert finding.code == "edited"
