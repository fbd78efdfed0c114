"""The mission document's own code runs: its usage example, its Quick Start, its "good" snippets.

`tests/vectors/mission_example.py` is the document's `__main__` block with only the import line changed.
"""

import datetime
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hil_bench import PASSPHRASES, Bench
from hri import KeyType, SecureElementManager, SecureElementType
from hri.home import Home, Passphrases
from hri.lifecycle import check_certificate
from hri.verify.path import Purpose

pytestmark = pytest.mark.timeout(300)
EXAMPLE = Path(__file__).parents[1] / "vectors" / "mission_example.py"
DOCUMENT = Path(__file__).parents[3] / "shared" / "mission.md"


def plaintext_ca(folder: Path) -> None:
    """A CA as the example expects one: `ca_key.pem` without a passphrase, and `ca_cert.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Example CA")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(*[False] * 5, True, True, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (folder / "ca_key.pem").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    (folder / "ca_cert.pem").write_bytes(certificate.public_bytes(encoding))


def test_the_usage_example_with_only_the_import_line_changed(unix: Bench, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    plaintext_ca(work)
    environment = os.environ | {"HRI_PORT": unix.port, "HRI_LOCK": unix.chip.serial_number.hex()}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=work,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Device ID: device-001" in done.stdout
    assert "Certificate Issuer: CN=Example CA" in done.stdout
    assert done.stdout.strip().endswith("Authentication Result: True")


def test_the_example_is_the_documents_own() -> None:
    if not DOCUMENT.exists():
        pytest.skip("the mission document is not beside this checkout")
    block = EXAMPLE.read_text().split('if __name__ == "__main__":')[1]
    assert block.strip() in DOCUMENT.read_text()
    yaml = (EXAMPLE.parent / "mission.yaml").read_text()
    assert yaml.strip() in DOCUMENT.read_text()


@pytest.fixture
def provisioned(unix: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    answer = unix.hri("--json", "provision", "--port", unix.port, "--device-id", "device-001", "--lock")
    assert answer.status == 0, answer.err
    monkeypatch.setenv("HRI_HOME", str(unix.home))
    monkeypatch.setenv("HRI_PORT", unix.port)
    for name, value in PASSPHRASES.items():
        monkeypatch.setenv(name, value)
    return unix


@pytest.mark.usefixtures("provisioned")
def test_the_quick_start() -> None:
    se = SecureElementManager(element_type=SecureElementType.ATECC608A, interface="i2c")
    public_key, key_handle = se.generate_key_pair(key_type=KeyType.ECC, key_id="device-001")
    signature = se.sign_data(b"data", key_handle)
    assert public_key.startswith(b"-----BEGIN PUBLIC KEY-----")
    assert len(signature) > 64


@pytest.mark.usefixtures("provisioned")
def test_good_the_device_identity_is_the_hash_of_a_key_in_hardware() -> None:
    se = SecureElementManager(element_type=SecureElementType.ATECC608A, interface="i2c")
    public_key, handle = se.generate_key_pair(key_type=KeyType.ECC, curve="secp256r1", key_id="device-001")
    again, _ = se.generate_key_pair(key_type=KeyType.ECC, curve="secp256r1", key_id="device-001")
    assert hashlib.sha256(public_key).hexdigest() == hashlib.sha256(again).hexdigest()
    # What came back for the private key is a name, no key.
    with pytest.raises(ValueError, match=r".+"):
        serialization.load_der_private_key(bytes(handle), None)


def test_good_a_certificate_is_validated_and_names_the_device(provisioned: Bench) -> None:
    pem = provisioned.hri("--json", "provision", "--port", provisioned.port).json["certificate"]
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER)
    home = Home(provisioned.home, Passphrases(PASSPHRASES), environ={})
    with home.context(unlocked=False) as context:
        decision = check_certificate(context, der, (), at=context.now(), purpose=Purpose.CLIENT)
        assert decision
        assert decision.device_id == "device-001"
        flipped = der[:-1] + bytes([der[-1] ^ 1])
        assert not check_certificate(context, flipped, (), at=context.now(), purpose=Purpose.CLIENT)


def test_the_documents_code_blocks_are_all_accounted_for() -> None:
    if not DOCUMENT.exists():
        pytest.skip("the mission document is not beside this checkout")
    classes = set(re.findall(r"^class (\w+)", DOCUMENT.read_text(), re.M))
    import hri

    assert classes <= set(hri.__all__)
