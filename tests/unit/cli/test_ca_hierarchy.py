"""`hri ca` with several issuing CAs: made here, requested from an offline root, renewed, chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp


@pytest.fixture
def made(hri, tmp_path: Path) -> Path:
    assert hri("ca", "init").status == 0
    return tmp_path / "home"


def _csr(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    (folder / "csr").write_bytes(csr.public_bytes(Encoding.PEM))


def _issue(hri, folder: Path, name: str):
    _csr(folder, name)
    ran = hri("--json", "ca", "issue", "--csr", str(folder / "csr"), "--unattested", "a test")
    assert ran.status == 0, ran.err
    (folder / f"{name}.pem").write_text(ran.json["certificate"])
    return x509.load_pem_x509_certificate(ran.json["certificate"].encode())


def _trusted(hri, folder: Path, name: str) -> bool:
    ran = hri("--json", "verify", "--cert", str(folder / f"{name}.pem"))
    return ran.json["trusted"]


def test_a_ca_is_chosen_by_the_devices_name(hri, made: Path, tmp_path: Path) -> None:
    ran = hri("ca", "new-issuing", "factory-a", "--key-type", "p384", "--policy", "1.3.6.1.4.1.99999.1")
    assert ran.status == 0, ran.err
    (made / "config.yaml").write_text(
        'identity: {certificate_authority: {by_device: {"fab-a-*": factory-a}}}\n'
    )

    theirs, other = _issue(hri, tmp_path, "fab-a-1"), _issue(hri, tmp_path, "dev-1")

    assert "factory-a" in theirs.issuer.rfc4514_string()
    assert "HRI issuing" in other.issuer.rfc4514_string()
    assert _trusted(hri, tmp_path, "fab-a-1")
    assert _trusted(hri, tmp_path, "dev-1")


def test_a_renewed_ca_issues_and_the_old_ones_certificates_stay_trusted(
    hri, made: Path, tmp_path: Path
) -> None:
    old = _issue(hri, tmp_path, "dev-1")
    assert hri("ca", "renew-issuing", "issuing").status == 0
    new = _issue(hri, tmp_path, "dev-2")

    key = x509.AuthorityKeyIdentifier
    identifiers = {one.extensions.get_extension_for_class(key).value.key_identifier for one in (old, new)}
    assert len(identifiers) == 2
    assert _trusted(hri, tmp_path, "dev-1")
    assert _trusted(hri, tmp_path, "dev-2")
    assert hri("revoke", "dev-1", "--reason", "keyCompromise").status == 0
    assert not _trusted(hri, tmp_path, "dev-1")
    lists = {path.name: x509.load_der_x509_crl(path.read_bytes()) for path in (made / "crl").glob("*.crl")}
    assert set(lists) == {"issuing.crl", "issuing.2.crl"}
    assert lists["issuing.crl"].get_revoked_certificate_by_serial_number(old.serial_number) is not None
    assert lists["issuing.2.crl"].get_revoked_certificate_by_serial_number(old.serial_number) is None
    shown = hri("--json", "ca", "export", "--crl").json["pem"]
    assert x509.load_pem_x509_crl(shown.encode()) == lists["issuing.2.crl"]


@pytest.mark.usefixtures("made")
def test_the_answers_of_every_generation_are_made_ahead(hri, tmp_path: Path) -> None:
    certificates = [_issue(hri, tmp_path, "dev-1")]
    assert hri("ca", "renew-issuing", "issuing").status == 0
    certificates.append(_issue(hri, tmp_path, "dev-2"))
    assert hri("revoke", "dev-1", "--reason", "keyCompromise").status == 0

    ran = hri("--json", "ocsp", "produce", str(tmp_path / "answers"))

    assert (ran.status, ran.json["written"]) == (0, 2)
    assert hri("--json", "ocsp", "produce", str(tmp_path / "answers")).json["kept"] == 2
    said = {}
    for path in (tmp_path / "answers").rglob("*"):
        if path.is_file():
            answer = ocsp.load_der_ocsp_response(path.read_bytes())
            (signer,) = answer.certificates
            said[answer.serial_number] = (answer.certificate_status.name, _key_of_issuer(signer))
    dead, alive = certificates
    assert said[dead.serial_number] == ("REVOKED", _key_of_issuer(dead))
    assert said[alive.serial_number] == ("GOOD", _key_of_issuer(alive))


def _key_of_issuer(certificate: x509.Certificate) -> bytes | None:
    found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    return found.value.key_identifier


@pytest.mark.usefixtures("made")
def test_what_is_done_to_the_hierarchy_is_in_the_audit_log(hri) -> None:
    assert hri("ca", "new-issuing", "factory-a").status == 0
    assert hri("ca", "rekey-root").status == 0

    entries = hri("--json", "audit", "list").json["entries"]
    acts = [(entry["act"], entry["details"].get("name")) for entry in entries]
    assert [act for act in acts if act[0].startswith("ca-")] == [
        ("ca-init", None),
        ("ca-issuing", "factory-a"),
        ("ca-root", None),
    ]
    assert hri("audit", "verify").status == 0


def test_an_offline_root_signs_what_is_carried_to_it(hri, tmp_path: Path) -> None:
    stick, home = tmp_path / "stick", tmp_path / "home"
    assert hri("ca", "init", "--root-out", str(stick)).status == 0
    refused = hri("--json", "ca", "new-issuing", "factory-a")
    assert (refused.status, refused.error["code"]) == (2, "root-elsewhere")
    (root_key,) = stick.glob("*.key")

    asked = hri("--json", "ca", "request", "factory-a", "--out", str(stick / "a.csr"))
    assert asked.status == 0, asked.err
    signed = hri(
        *("--json", "--home", str(tmp_path / "nowhere"), "ca", "sign-issuing", "--csr", str(stick / "a.csr")),
        *("--root-key", str(root_key), "--root-cert", str(home / "ca" / "root.pem")),
        *("--out", str(stick / "a.pem"), "--permit", "dns:example.com"),
    )
    assert signed.status == 0, signed.err
    assert signed.json["request_sha256"] == asked.json["sha256"]
    installed = hri("--json", "ca", "install", "factory-a", "--cert", str(stick / "a.pem"))

    assert installed.json["fingerprint"] == signed.json["fingerprint"]
    listed = hri("--json", "ca", "list").json["issuing"]
    assert [(one["name"], one["issues"]) for one in listed] == [("issuing", True), ("factory-a", True)]
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("made")
def test_a_new_root_is_trusted_beside_the_old_one(hri, tmp_path: Path) -> None:
    _issue(hri, tmp_path, "dev-1")
    assert hri("ca", "rekey-root").status == 0
    assert hri("ca", "renew-issuing", "issuing").status == 0
    _issue(hri, tmp_path, "dev-2")

    assert _trusted(hri, tmp_path, "dev-1")
    assert _trusted(hri, tmp_path, "dev-2")
    assert len(hri("--json", "ca", "list").json["roots"]) == 2


def test_a_ca_for_one_company_and_domain_issues_what_is_trusted(hri, made: Path, tmp_path: Path) -> None:
    limits = ("--permit", "dir:O=Example", "--permit", "dns:example.com", "--exclude", "dns:x.example.com")
    assert hri("ca", "new-issuing", "factory-a", *limits).status == 0
    settings = (
        "identity: {certificate_authority: {issuing: factory-a}, certificate: {subject: {O: ORG},"
        " subject_alt_names: [{type: dns, value: '{device_id}.example.com'}]}}\n"
    )
    (made / "config.yaml").write_text(settings.replace("ORG", "Example"))
    _issue(hri, tmp_path, "dev-1")

    assert _trusted(hri, tmp_path, "dev-1")
    (made / "config.yaml").write_text(settings.replace("ORG", "Other"))
    _csr(tmp_path, "dev-2")
    ran = hri("--json", "ca", "issue", "--csr", str(tmp_path / "csr"), "--unattested", "a test")
    assert (ran.status, ran.error["code"]) == (1, "outside-name-limits")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (("new-issuing", "issuing"), "ca-exists"),
        (("new-issuing", "Factory A"), "bad-ca-name"),
        (("new-issuing", "a", "--permit", "uri:x.example"), "bad-name-limit"),
        (("new-issuing", "a", "--policy", "one"), "bad-policy"),
        (("renew-issuing", "nobody"), "no-such-ca"),
    ],
)
@pytest.mark.usefixtures("made")
def test_what_cannot_be_made_is_said(hri, line: tuple[str, ...], code: str) -> None:
    ran = hri("--json", "ca", *line)

    assert (ran.status, ran.error["code"]) == (2, code)


def test_a_board_gets_its_certificate_from_the_ca_chosen_for_it(hri, made: Path, port: str) -> None:
    assert hri("ca", "new-issuing", "factory-a").status == 0
    (made / "config.yaml").write_text("identity: {certificate_authority: {by_device: {fab-1: factory-a}}}\n")

    ran = hri("--json", "provision", "--port", port, "--device-id", "fab-1", "--lock")

    assert ran.status == 0, ran.err
    leaf = x509.load_pem_x509_certificate(ran.json["certificate"].encode())
    assert "factory-a" in leaf.issuer.rfc4514_string()
    assert hri("--json", "authenticate", "--port", port).json["trusted"]


def test_a_profile_chooses_its_ca_and_is_not_answered_with_another(hri, made: Path, tmp_path: Path) -> None:
    assert hri("ca", "new-issuing", "servers", "--policy", "1.3.6.1.4.1.99999.1").status == 0
    server = (
        '{type: tls-server, issuing_ca: servers, subject_alt_names: [{type: dns, value: "{device_id}.x"}]'
    )
    (made / "config.yaml").write_text(
        f"identity: {{profiles: {{server: {server}, policies: [1.3.6.1.4.1.99999.1]}},"
        f" other: {server}, policies: [1.3.6.1.4.1.99999.2]}}}}}}\n"
    )
    _csr(tmp_path, "dev-1")
    ask = ("--json", "ca", "issue", "--csr", str(tmp_path / "csr"), "--unattested", "a test", "--profile")

    first, again = hri(*ask, "server"), hri(*ask, "server")

    leaf = x509.load_pem_x509_certificate(first.json["certificate"].encode())
    assert "servers" in leaf.issuer.rfc4514_string()
    assert again.json == first.json
    other = hri(*ask, "other")
    assert (other.status, other.error["code"]) == (1, "live-certificate")
    _csr(tmp_path, "dev-2")
    foreign = hri(*ask, "other")
    assert (foreign.status, foreign.error["code"]) == (2, "policy-not-of-ca")
    (tmp_path / "cert.pem").write_text(first.json["certificate"])
    assert hri("verify", "--cert", str(tmp_path / "cert.pem"), "--purpose", "server").status == 0
    assert hri("verify", "--cert", str(tmp_path / "cert.pem"), "--purpose", "client").status == 1


@pytest.mark.parametrize("kind", ["p384", "rsa4096"])
def test_a_board_takes_a_certificate_of_a_larger_key(hri, port: str, kind: str) -> None:
    assert hri("ca", "init", "--key-type", kind).status == 0

    ran = hri("--json", "provision", "--port", port, "--device-id", "d1", "--lock")

    assert ran.status == 0, ran.err
    assert hri("--json", "authenticate", "--port", port).json["trusted"]


def test_no_chip_is_locked_under_a_root_that_it_cannot_check(hri, port: str) -> None:
    assert hri("ca", "init", "--root-key-type", "p384").status == 0

    ran = hri("--json", "provision", "--port", port, "--device-id", "d1", "--lock")

    assert (ran.status, ran.error["code"]) == (2, "ca-key-type")
    assert hri("--json", "chip", "info", "--port", port).json["config_locked"] is False


def test_a_ca_that_is_configured_and_not_there_is_named(hri, made: Path) -> None:
    (made / "config.yaml").write_text("identity: {certificate_authority: {issuing: factory-x}}\n")

    ran = hri("--json", "ca", "export", "--crl")

    assert (ran.status, ran.error["code"]) == (2, "no-such-ca")
    assert "factory-x" in ran.error["message"]
