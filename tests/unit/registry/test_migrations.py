"""A registry of an earlier version is brought to this one with what it holds, and can go back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.registry import CertificateRecord, Device, Registry
from hri.registry import migrations as scripts
from postgres_server import PostgresServer
from sqlalchemy import create_engine

NOW = datetime(2026, 5, 4, tzinfo=UTC)
CA = bytes(range(20))


@pytest.fixture(params=["sqlite", "postgresql"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the test's own, which it may bring to another version."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hri.db"
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return postgres.url()


@pytest.fixture(scope="module")
def ders() -> list[bytes]:
    """Certificates whose issuer says its key identifier, and one whose issuer does not."""
    return [_certificate(x509.AuthorityKeyIdentifier(CA, None, None)), _certificate(None), b"no certificate"]


def _certificate(authority: x509.AuthorityKeyIdentifier | None) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dev-1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, NOW.replace(tzinfo=None))
    builder = builder.not_valid_after(NOW + timedelta(days=1))
    if authority is not None:
        builder = builder.add_extension(authority, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _move(url: str, revision: str) -> None:
    """Bring a database to a version, as an older program would have left it."""
    config = Config()
    config.set_main_option("script_location", str(Path(str(scripts.__file__)).parent))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, revision)
    finally:
        engine.dispose()


def _fill(url: str, ders: list[bytes]) -> None:
    with Registry.open(url) as registry:
        for number, der in enumerate(ders, 1):
            name = f"dev-{number}"
            registry.upsert_device(Device(name, "none", None, "active", None, NOW))
            end = NOW + timedelta(days=1)
            hashed = f"{number:064x}"
            registry.record_certificates(
                [CertificateRecord(number, name, der, hashed, "issued", NOW, NOW, end)]
            )
            registry.revoke(number, "keyCompromise", NOW)


def _listed(registry: Registry, issuer: str) -> Iterator[int]:
    return (entry.serial_number for entry in registry.revoked(issuer=issuer))


def test_certificates_of_an_earlier_version_are_given_their_ca(own: str, ders: list[bytes]) -> None:
    _fill(own, ders)
    _move(own, "0003")

    with Registry.open(own) as registry:
        known = [registry.certificate(number) for number in (1, 2, 3)]
        assert [one and one.issuer for one in known] == [CA.hex(), None, None]
        # Whose CA is not known is on every list, rather than on none.
        assert list(_listed(registry, CA.hex())) == [1, 2, 3]
        assert list(_listed(registry, "another")) == [2, 3]


@pytest.mark.parametrize("version", ["0001", "0002", "0003", "0004"])
def test_a_registry_of_any_version_is_brought_to_this_one(own: str, ders: list[bytes], version: str) -> None:
    _fill(own, ders)
    _move(own, version)

    with Registry.open(own) as registry:
        assert [registry.certificate(number) is not None for number in (1, 2, 3)] == [True] * 3
        assert [entry.serial_number for entry in registry.revoked()] == [1, 2, 3]
