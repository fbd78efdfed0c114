"""The openssl program reads what certificates of each profile say."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hri.ca.authority import Authority
from hri.ca.profiles import Profile
from hri.config import load

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)
_PROFILES = """
identity:
  profiles:
    idevid: {type: idevid, hardware_type: 1.3.6.1.4.1.99999.2, subject: {O: Example}}
    ldevid: {type: ldevid, policies: [1.3.6.1.4.1.99999.1], subject: {O: Example}}
    client: {type: tls-client}
    server:
      type: tls-server
      subject_alt_names: [{type: dns, value: "{device_id}.example.com"}]
      ocsp_url: http://ca.example/ocsp
      ca_issuers_url: http://ca.example/issuing.cer
      crl_url: http://ca.example/server.crl
    attestation: {type: attestation-key}
"""
_SAYS = {
    "idevid": (
        "Not After : Dec 31 23:59:59 9999 GMT",
        "Subject: O = Example, serialNumber = dev-1, CN = dev-1",
        "URI:urn:hri:device:dev-1, othername: 1.3.6.1.5.5.7.8.4::<unsupported>",
        "X509v3 Key Usage: critical Digital Signature",
    ),
    "ldevid": ("Policy: 1.3.6.1.4.1.99999.1", "TLS Web Client Authentication"),
    "client": ("X509v3 Extended Key Usage: TLS Web Client Authentication",),
    "server": (
        "X509v3 Extended Key Usage: TLS Web Server Authentication",
        "DNS:dev-1.example.com",
        "Authority Information Access: OCSP - URI:http://ca.example/ocsp "
        "CA Issuers - URI:http://ca.example/issuing.cer",
        "URI:http://ca.example/server.crl",
    ),
    "attestation": ("X509v3 Extended Key Usage: 2.23.133.8.3",),
}


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.sub(r"\s+", " ", done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a certificate to each profile, made at the present time."""
    folder, now = tmp_path_factory.mktemp("profiles"), datetime.now(UTC)
    authority = Authority.create(folder, root_passphrase=b"r", ca_passphrase=b"c", now=now)
    (folder / "config.yaml").write_text(_PROFILES)
    config = load(folder / "config.yaml", {})
    for name in _SAYS:
        (folder / f"{name}.der").write_bytes(_leaf(authority, config.profile(name), now))
    return folder


def _leaf(authority: Authority, profile: Profile, now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    number = x509.random_serial_number()
    chip = bytes.fromhex("01234f52685cbeadee")
    return authority.build(key, "dev-1", profile, serial_number=number, now=now, element_serial=chip)


@pytest.mark.parametrize("name", _SAYS)
def test_it_verifies_strictly(folder: Path, name: str) -> None:
    openssl("x509", "-inform", "DER", "-in", folder / f"{name}.der", "-out", folder / f"{name}.pem")

    openssl(
        *("verify", "-x509_strict", "-CAfile", folder / "ca" / "root.pem"),
        *("-untrusted", folder / "ca" / "issuing.pem", folder / f"{name}.pem"),
    )


@pytest.mark.parametrize("name", _SAYS)
def test_it_reads_as_meant(folder: Path, name: str) -> None:
    text = openssl("x509", "-inform", "DER", "-in", folder / f"{name}.der", "-noout", "-text")

    for words in _SAYS[name]:
        assert words in text


def test_the_name_of_the_chip_reads_as_meant(folder: Path) -> None:
    text = openssl("asn1parse", "-inform", "DER", "-in", folder / "idevid.der")

    (alternative,) = re.findall(
        r"X509v3 Subject Alternative Name \d+:d=\d hl=\d l= *\d+ prim: OCTET STRING \[HEX DUMP\]:(\w+)", text
    )
    (folder / "san").write_bytes(bytes.fromhex(alternative))
    parsed = openssl("asn1parse", "-inform", "DER", "-in", folder / "san")
    assert "OBJECT :1.3.6.1.5.5.7.8.4" in parsed
    assert "OBJECT :1.3.6.1.4.1.99999.2" in parsed
    assert "[HEX DUMP]:01234F52685CBEADEE" in parsed
