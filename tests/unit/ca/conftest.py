from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hri.ca.authority import Authority
from hri.ca.profiles import Profile
from hri.registry import Device, Registry

MakeCsr = Callable[..., bytes]


@pytest.fixture(autouse=True)
def plain_log() -> None:
    """Log as if nobody had configured it: a command line tested before left a stream that is closed now."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Path:
    folder = tmp_path_factory.mktemp("home")
    Authority.create(folder, root_passphrase=b"root secret", ca_passphrase=b"ca secret", now=now)
    return folder


@pytest.fixture(scope="session")
def authority(home: Path) -> Authority:
    return Authority.open(home, b"ca secret")


@pytest.fixture(scope="session")
def profile() -> Profile:
    return Profile.checked("default", validity=timedelta(days=365))


@pytest.fixture
def registry(now: datetime) -> Iterator[Registry]:
    with Registry.open(":memory:") as opened:
        serials = {"dev-1": "0123ab", "dev-2": "0123cd"}
        opened.upsert_devices(
            [Device(name, "atecc608b", serial, "provisioning", 0, now) for name, serial in serials.items()]
        )
        yield opened


@pytest.fixture(scope="session")
def make_csr() -> MakeCsr:
    def make(key: ec.EllipticCurvePrivateKey, common_name: str | None = "dev-1") -> bytes:
        names = [] if common_name is None else [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    return make


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
