"""A home with an authority, its registry and logs, that issues without boards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.acts import begin_logs
from hri.audit.recorder import Recorder
from hri.ca.authority import Authority
from hri.ca.issuance import IssuedCertificate, Issuer, IssueRequest
from hri.ca.log_keys import open_log_keys
from hri.ca.profiles import Profile
from hri.log_export import export_log
from hri.registry import Device, Registry

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)
PROFILE = Profile.checked("default", validity=timedelta(days=365))


class Station:
    """An authority at work in a home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        Authority.create(home, root_passphrase=b"r", ca_passphrase=b"c", now=NOW)
        self.open()

    def open(self) -> None:
        self.authority = Authority.open(self.home, b"c")
        self.registry = Registry.open(self.home / "hri.db")
        root = self.authority.root
        self.keys = open_log_keys(self.home, b"c", root, lambda keys: begin_logs(self.registry, keys))
        self.recorder = Recorder("ann@line-1", self.keys)

    def issue(self, *names: str, now: datetime = NOW, confirm: bool = True) -> list[IssuedCertificate]:
        """Issue for devices that are not on record, or renew those that are; returns what was issued."""
        issuer = Issuer(self.authority, self.registry, require_attestation=False, recorder=self.recorder)
        made = []
        for name in names:
            live = self.registry.live_certificate(name)
            if live is None:
                self.registry.upsert_device(Device(name, "atecc608b", None, "provisioning", 0, now))
            key = ec.generate_private_key(ec.SECP256R1())
            builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
            csr = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
            request = IssueRequest(csr, name, PROFILE)
            if live is not None:
                request = replace(request, replaces=live.serial_number)
            made.append(issuer.issue(request, now))
            if confirm:
                self.registry.activate(made[-1].serial_number, now)
        return made

    def export(self, folder: Path) -> None:
        export_log(self.registry, self.keys.certificates.verifier, folder)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path / "home")
    yield made
    made.registry.close()
