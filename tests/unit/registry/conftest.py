from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from hri.registry import CertificateRecord, Device, Registry
from hri.registry.schema import metadata
from postgres_server import PostgresServer


@pytest.fixture(autouse=True)
def plain_log() -> None:
    """Log as if nobody had configured it: a command line tested before left a stream that is closed now."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hri.db"


@pytest.fixture(scope="session")
def shared(postgres: PostgresServer) -> str:
    """The URL of a database with our tables; a new one for each test would take longer than the tests."""
    url = postgres.url()
    Registry.open(url).close()
    return url


def _emptied(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        tables = ", ".join(sorted(set(metadata.tables) - {"log_head"}))
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        # Where the logs end is never absent: an empty one ends at its beginning.
        connection.execute(
            "UPDATE log_head SET size = 0, checkpoint = NULL, digest = "
            "CASE name WHEN 'audit' THEN decode(repeat('00', 32), 'hex') ELSE sha256('') END"
        )
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest) -> str:
    """Where an empty registry is to be: a file, or a database of a real PostgreSQL server."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("path"))
    return _emptied(request.getfixturevalue("shared"))


@pytest.fixture
def registry(where: str) -> Iterator[Registry]:
    with Registry.open(where) as opened:
        yield opened


@pytest.fixture
def device(registry: Registry, now: datetime) -> Device:
    return registry.upsert_device(Device("dev-1", "atecc608b", "0123ab", "provisioning", None, now))


@pytest.fixture
def record(registry: Registry, device: Device, now: datetime) -> Callable[..., CertificateRecord]:
    """Record a certificate (its bytes do not matter here) and return it as recorded."""

    def make(serial_number: int, **more: Any) -> CertificateRecord:
        plain = CertificateRecord(
            serial_number,
            device.device_id,
            b"der %d" % serial_number,
            "ab" * 32,
            "issued",
            now,
            now,
            now + timedelta(days=365),
        )
        new = replace(plain, **more)
        registry.record_certificates([new])
        return new

    return make
