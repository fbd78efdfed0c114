from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hri.registry import CertificateRecord, Device, Registry


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


@pytest.fixture
def registry(path: Path) -> Iterator[Registry]:
    with Registry.open(path) as opened:
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
