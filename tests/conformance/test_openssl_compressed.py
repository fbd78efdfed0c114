"""The openssl program reads every certificate that comes back from 72 bytes, and checks one to its root."""

import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri.ca.authority import Authority
from hri.ca.profiles import Profile
from hri.ca.to_template import with_issuer
from hri.compressed import CompressedCertificate, Sources, load_template, rebuild
from hri.evidence import public_key_sha256
from unit.compressed.vectors import CASES, named, sources

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)


def openssl(*arguments, data=None):
    done = subprocess.run(
        ["openssl", *map(str, arguments)], input=data, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("case", CASES, ids=named(CASES))
def test_openssl_reads_what_was_rebuilt(case):
    compressed = bytes.fromhex(case["compressed"])
    der = rebuild(load_template(case["template"]), compressed, sources(case))
    text = openssl("x509", "-inform", "DER", "-noout", "-text", data=der)
    start = CompressedCertificate.from_bytes(compressed).validity.not_before
    assert f"Not Before: {start:%b} {start.day:2d} {start:%H:%M:%S %Y} GMT" in text


def test_openssl_verifies_a_rebuilt_certificate_to_its_root(tmp_path):
    now = datetime.now(UTC)
    authority = Authority.create(tmp_path, root_passphrase=b"root", ca_passphrase=b"ca", now=now)
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    template = load_template("hri-device")
    made = authority.build_to_template(
        key.public_key(),
        public_key_sha256(point),
        Profile.to_template("default", template, years=1),
        now=now,
        element_serial=None,
    )
    der = rebuild(template, made.compressed, with_issuer(template, Sources(point), authority.issuing))
    (tmp_path / "leaf.der").write_bytes(der)
    leaf = openssl("x509", "-inform", "DER", "-in", tmp_path / "leaf.der")
    (tmp_path / "leaf.pem").write_text(leaf)
    (tmp_path / "root.pem").write_bytes(authority.root_pem())
    (tmp_path / "chain.pem").write_bytes(authority.chain_pem())
    files = ("-CAfile", tmp_path / "root.pem", "-untrusted", tmp_path / "chain.pem")
    assert "OK" in openssl("verify", "-x509_strict", "-purpose", "sslclient", *files, tmp_path / "leaf.pem")
