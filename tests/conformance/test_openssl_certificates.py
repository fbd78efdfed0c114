"""The openssl program, which shares no code with ours, reads and judges what the authority makes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hri.ca.authority import Authority
from hri.ca.crl import publish
from hri.ca.issuance import IssuedCertificate, Issuer, IssueRequest
from hri.ca.profiles import Profile, SanTemplate
from hri.registry import Device, Registry
from hri.serial_numbers import serial_text

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)


@dataclass(frozen=True)
class World:
    """An authority, two certificates of its, and the files that openssl needs, made at the present time."""

    folder: Path
    good: IssuedCertificate
    revoked: IssuedCertificate


def openssl(*arguments: str | Path, expect: int = 0) -> str:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def _request(folder: Path, name: str) -> bytes:
    """Make a request with openssl, so that its encoding is not ours either."""
    key, csr = folder / f"{name}.key", folder / f"{name}.csr"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-new", "-sha256", "-key", key, "-subj", f"/CN={name}", "-outform", "DER", "-out", csr)
    return csr.read_bytes()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("openssl")
    now = datetime.now(UTC)
    authority = Authority.create(
        folder / "home", organisation="Example Corp", root_passphrase=b"r", ca_passphrase=b"c", now=now
    )
    profile = Profile.checked(
        "default",
        validity=timedelta(days=365),
        extended_key_usage=("client_auth", "server_auth"),
        subject=[("C", "US"), ("O", "Example Corp")],
        sans=[SanTemplate("dns", "{device_id}.example.com")],
        crl_url="http://ca.example/issuing.crl",
    )
    with Registry.open(folder / "home" / "hri.db") as registry:
        names = ("dev-1", "dev-2")
        registry.upsert_devices([Device(name, "atecc608b", None, "provisioning", 0, now) for name in names])
        issuer = Issuer(authority, registry, require_attestation=False)
        good, revoked = (issuer.issue(IssueRequest(_request(folder, n), n, profile), now) for n in names)
        registry.revoke("dev-2", "keyCompromise", now)
        crl = publish(authority, registry, folder / "home" / "crl", now=now)
    (folder / "dev-1.pem").write_bytes(good.pem)
    (folder / "dev-2.pem").write_bytes(revoked.pem)
    (folder / "root.pem").write_bytes(authority.root_pem())
    (folder / "chain.pem").write_bytes(authority.chain_pem())
    (folder / "issuing.crl").write_bytes(crl)
    openssl("crl", "-inform", "DER", "-in", folder / "issuing.crl", "-out", folder / "crl.pem")
    return World(folder, good, revoked)


def test_the_chain_verifies(world: World) -> None:
    said = openssl(
        "verify",
        "-x509_strict",
        "-CAfile",
        world.folder / "root.pem",
        "-untrusted",
        world.folder / "home" / "ca" / "issuing.pem",
        world.folder / "dev-1.pem",
    )

    assert said.strip().endswith("dev-1.pem: OK")


@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
def test_the_chain_verifies_for_its_purposes(world: World, purpose: str) -> None:
    openssl("verify", "-purpose", purpose, "-CAfile", world.folder / "chain.pem", world.folder / "dev-1.pem")


def test_a_certificate_for_servers_carries_the_right_name(world: World) -> None:
    chain, leaf = world.folder / "chain.pem", world.folder / "dev-1.pem"

    openssl("verify", "-verify_hostname", "dev-1.example.com", "-CAfile", chain, leaf)
    said = openssl("verify", "-verify_hostname", "dev-2.example.com", "-CAfile", chain, leaf, expect=2)
    assert "hostname mismatch" in said.lower()


def test_a_device_certificate_signs_no_others(world: World) -> None:
    said = openssl(
        "verify",
        "-purpose",
        "any",
        "-CAfile",
        world.folder / "dev-1.pem",
        world.folder / "dev-2.pem",
        expect=2,
    )

    assert "unable to get local issuer certificate" in said.lower()


def _verify_with_crl(world: World, name: str, expect: int) -> str:
    return openssl(
        "verify",
        "-crl_check",
        "-CAfile",
        world.folder / "chain.pem",
        "-CRLfile",
        world.folder / "crl.pem",
        world.folder / name,
        expect=expect,
    )


def test_the_revocation_list_verifies_and_lets_the_good_one_pass(world: World) -> None:
    chain = world.folder / "chain.pem"

    assert "verify OK" in openssl("crl", "-in", world.folder / "crl.pem", "-CAfile", chain, "-noout")
    assert _verify_with_crl(world, "dev-1.pem", 0).strip().endswith(": OK")


def test_the_revocation_list_stops_the_revoked_one(world: World) -> None:
    assert "certificate revoked" in _verify_with_crl(world, "dev-2.pem", 2).lower()


def test_the_revocation_list_reads_as_meant(world: World) -> None:
    text = openssl("crl", "-in", world.folder / "crl.pem", "-noout", "-text")

    assert f"Serial Number: {serial_text(world.revoked.serial_number).upper()}" in text
    assert "Key Compromise" in text
    assert re.search(r"X509v3 CRL Number:\s+1\n", text)
    assert "X509v3 Authority Key Identifier" in text
    assert "ecdsa-with-SHA256" in text


def test_the_certificate_reads_as_meant(world: World) -> None:
    text = openssl("x509", "-in", world.folder / "dev-1.pem", "-noout", "-text")

    flat = re.sub(r"\s+", " ", text)
    assert "Version: 3 (0x2)" in flat
    assert "Subject: C = US, O = Example Corp, CN = dev-1" in flat
    assert "Issuer: O = Example Corp, CN = HRI issuing" in flat
    assert "X509v3 Basic Constraints: critical CA:FALSE" in flat
    assert "X509v3 Key Usage: critical Digital Signature X509v3" in flat
    assert "TLS Web Client Authentication, TLS Web Server Authentication" in flat
    assert "URI:urn:hri:device:dev-1, DNS:dev-1.example.com" in flat
    assert "URI:http://ca.example/issuing.crl" in flat
    assert "NIST CURVE: P-256" in flat
    assert "Signature Algorithm: ecdsa-with-SHA256" in flat
    assert f"{world.good.serial_number:x}" in flat.replace(":", "").replace(" ", "")


def test_root_and_issuing_read_as_meant(world: World) -> None:
    folder = world.folder / "home" / "ca"
    root = re.sub(r"\s+", " ", openssl("x509", "-in", folder / "root.pem", "-noout", "-text"))
    issuing = re.sub(r"\s+", " ", openssl("x509", "-in", folder / "issuing.pem", "-noout", "-text"))

    assert "X509v3 Basic Constraints: critical CA:TRUE X509v3" in root
    assert "X509v3 Basic Constraints: critical CA:TRUE, pathlen:0" in issuing
    for text in (root, issuing):
        assert "X509v3 Key Usage: critical Certificate Sign, CRL Sign X509v3" in text


def test_openssl_opens_the_keys_with_their_passphrases(world: World) -> None:
    folder = world.folder / "home" / "ca"
    for name, passphrase in (("root", "r"), ("issuing", "c")):
        public = openssl("pkey", "-in", folder / f"{name}.key", "-passin", f"pass:{passphrase}", "-pubout")
        certificate = openssl("x509", "-in", folder / f"{name}.pem", "-noout", "-pubkey")
        assert public == certificate
    openssl("pkey", "-in", folder / "root.key", "-passin", "pass:c", "-noout", expect=1)


def test_the_public_key_is_the_one_of_the_request(world: World) -> None:
    key = serialization.load_pem_private_key((world.folder / "dev-1.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    expected = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    assert openssl("x509", "-in", world.folder / "dev-1.pem", "-noout", "-pubkey") == expected.decode()
