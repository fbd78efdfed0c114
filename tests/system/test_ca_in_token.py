"""A home whose keys are all in a token: the whole command line works, and no private key is on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hri_command import Ran
from soft_token import PIN, SoftToken, soft_token

__all__ = ["soft_token"]
_DEADLINE_S = 120


Hri = Callable[..., Ran]


@pytest.fixture
def hri(tmp_path: Path, soft_token: SoftToken) -> Hri:
    def run(*arguments: str, **changes: str) -> Ran:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HRI_")}
        environment |= {"SOFTHSM2_CONF": str(soft_token.settings), "HRI_HOME": str(tmp_path / "home")}
        environment |= {"HRI_PKCS11_PIN": PIN} | changes
        done = subprocess.run(
            [sys.executable, "-m", "hri.cli", "--json", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_DEADLINE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def in_token(hri: Hri, soft_token: SoftToken) -> Ran:
    places = ("--module", soft_token.module, "--token", soft_token.label)
    return hri("ca", "init", "--signer", "pkcs11", "--root-signer", "pkcs11", *places)


def _csr(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    path = folder / f"{name}.csr"
    path.write_bytes(csr.public_bytes(Encoding.PEM))
    return path


def _issue(hri: Hri, folder: Path, name: str, **changes: str) -> Ran:
    return hri("ca", "issue", "--csr", str(_csr(folder, name)), "--unattested", "a test", **changes)


def test_it_issues_and_revokes_with_no_private_key_on_disk(in_token: Ran, hri: Hri, tmp_path: Path) -> None:
    assert in_token.status == 0, in_token.err
    issued = _issue(hri, tmp_path, "dev-1")
    assert issued.status == 0, issued.err
    assert hri("revoke", "dev-1", "--reason", "keyCompromise").status == 0

    chain = x509.load_pem_x509_certificates(hri("ca", "export").json["pem"].encode())
    leaf = x509.load_pem_x509_certificate(issued.json["certificate"].encode())
    crl = x509.load_pem_x509_crl(hri("ca", "export", "--crl").json["pem"].encode())
    leaf.verify_directly_issued_by(chain[0])
    assert [entry.serial_number for entry in crl] == [leaf.serial_number]
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"root.uri", "issuing.uri", "operator.uri", "hri.db"}
    assert not [path.name for path in files if path.suffix == ".key" or b"PRIVATE KEY" in path.read_bytes()]
    # PKCS#8 and SEC 1 in DER: version, then the algorithm or the key (RFC 5958, RFC 5915).
    der_heads = (b"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", b"\x02\x01\x01\x04\x20")
    assert not [path.name for path in files for head in der_heads if head in path.read_bytes()]


@pytest.mark.usefixtures("in_token")
def test_the_logs_are_signed_by_keys_that_the_token_derives(hri: Hri, tmp_path: Path) -> None:
    assert _issue(hri, tmp_path, "dev-1").status == 0

    assert hri("log", "verify").status == 0
    assert hri("audit", "verify").status == 0
    text = (tmp_path / "home" / "ca" / "log-signers.pem").read_text()
    assert text.count("# verifier: ") == 2
    assert "BEGIN" not in text


@pytest.mark.usefixtures("in_token")
def test_keys_that_have_to_be_in_files_open_with_what_the_token_says(hri: Hri, tmp_path: Path) -> None:
    assert _issue(hri, tmp_path, "dev-1").status == 0

    made = hri("ocsp", "produce", str(tmp_path / "answers"))
    again = hri("ocsp", "produce", str(tmp_path / "answers"))

    assert (made.status, made.json["written"]) == (0, 1), made.err
    assert (again.status, again.json["kept"]) == (0, 1), again.err
    (kept,) = (tmp_path / "home" / "ocsp").glob("*.pem")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in kept.read_bytes()
    for guess in (None, b"", PIN.encode()):
        with pytest.raises((TypeError, ValueError)):
            load_pem_private_key(kept.read_bytes(), guess)


@pytest.mark.usefixtures("in_token")
def test_what_only_verifies_needs_no_pin(hri: Hri, tmp_path: Path) -> None:
    issued = _issue(hri, tmp_path, "dev-1")
    (tmp_path / "cert.pem").write_text(issued.json["certificate"])

    ran = hri("verify", "--cert", str(tmp_path / "cert.pem"), HRI_PKCS11_PIN="")

    assert (ran.status, ran.json["trusted"]) == (0, True)


@pytest.mark.usefixtures("in_token")
def test_a_token_that_is_gone_leaves_nothing_half_done(hri: Hri, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    settings = tmp_path / "gone.conf"
    settings.write_text(f"directories.tokendir = {tmp_path}/empty\nobjectstore.backend = file\n")

    ran = _issue(hri, tmp_path, "dev-1", SOFTHSM2_CONF=str(settings))

    assert (ran.status, ran.error["code"], ran.out) == (3, "no-such-token", "")
    assert hri("show", "dev-1").status == 2
    assert _issue(hri, tmp_path, "dev-1").status == 0


@pytest.mark.usefixtures("in_token")
def test_a_wrong_pin_is_said_and_used_once(hri: Hri, tmp_path: Path) -> None:
    ran = _issue(hri, tmp_path, "dev-1", HRI_PKCS11_PIN="0000")

    assert (ran.status, ran.error["code"]) == (2, "wrong-pin")
    assert "0000" not in ran.err
    assert _issue(hri, tmp_path, "dev-1").status == 0


def test_an_authority_that_does_not_come_about_leaves_no_key(
    hri: Hri, soft_token: SoftToken, tmp_path: Path
) -> None:
    before = soft_token.tool("--list-objects", "--type", "privkey").count("Private Key Object")
    (tmp_path / "home").write_text("a file where a folder is to be")

    ran = hri(
        *("ca", "init", "--signer", "pkcs11", "--root-signer", "pkcs11"),
        *("--module", soft_token.module, "--token", soft_token.label),
    )

    assert ran.status == 3
    after = soft_token.tool("--list-objects", "--type", "privkey").count("Private Key Object")
    assert after == before


def test_root_in_a_file_and_issuing_in_the_token(hri: Hri, soft_token: SoftToken, tmp_path: Path) -> None:
    settings = tmp_path / "home" / "config.yaml"
    settings.parent.mkdir()
    settings.write_text(
        "identity:\n  certificate_authority:\n    pkcs11:\n"
        f"      module: {soft_token.module}\n      token: {soft_token.label}\n"
    )

    ran = hri(
        *("ca", "init", "--signer", "pkcs11", "--key-type", "rsa3072", "--root-key-type", "p384"),
        HRI_ROOT_PASSPHRASE="root words",
    )

    assert ran.status == 0, ran.err
    assert (tmp_path / "home" / "ca" / "root.key").exists()
    issued = _issue(hri, tmp_path, "dev-1")
    assert "sha256WithRSAEncryption" in str(
        x509.load_pem_x509_certificate(issued.json["certificate"].encode()).signature_algorithm_oid
    )


def test_a_token_without_a_name_is_asked_for(hri: Hri) -> None:
    ran = hri("ca", "init", "--signer", "pkcs11", HRI_ROOT_PASSPHRASE="root words")

    assert (ran.status, ran.error["code"]) == (2, "no-token")
