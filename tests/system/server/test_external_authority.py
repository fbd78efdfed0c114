"""Provisioning under somebody else's authority: our EST client against a server in another process."""

import dataclasses
import json
import subprocess
import sys
from contextlib import contextmanager

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)
from hri import (
    CertificateAuthority,
    CertificateRequest,
    DeviceIdentityManager,
    SecureElementManager,
    SecureElementType,
)
from hri.authentication import authenticate
from hri.elements.board import BoardElement
from hri.errors import PolicyRefusal, StorageError
from hri.home import Home, Passphrases
from hri.provision import provision
from system.server.processes import ServedHome, serving
from unit.provision.soft_board import SoftBoard
from unit.server.serving import TOKENS

_DEADLINE_S = 60


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The other authority; it trusts the station's token, and leaves evidence to the station."""
    served = ServedHome(tmp_path_factory.mktemp("elsewhere") / "home")
    config = served.path / "config.yaml"
    config.write_text(config.read_text() + "  security: {require_attestation: false}\n")
    with serving(served) as running:
        yield running


def station(elsewhere, folder, *, token=TOKENS["registration-authority"], url=None):
    """A home whose certificates come from the other authority."""
    folder.mkdir()
    (folder / "trust.pem").write_bytes((elsewhere.served.path / "server-ca.pem").read_bytes())
    authority = {
        "type": "external", "url": url or elsewhere.url, "api_key": "${CA_API_KEY}", "trust": "trust.pem",
    }  # fmt: skip
    provisioning = {"retry_attempts": 1, "retry_delay": 0.1}
    (folder / "config.yaml").write_text(
        yaml.safe_dump({"identity": {"certificate_authority": authority, "provisioning": provisioning}})
    )
    environ = {**elsewhere.served.environ, "CA_API_KEY": token}
    return Home(folder, Passphrases(environ), environ=environ), environ


def init(home, environ):
    return subprocess.run(
        [sys.executable, "-m", "hri.cli", "--json", "--home", str(home.path), "ca", "init"],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )


def made(home, board, device_id):
    with home.context(unlocked=True) as opened:
        context = dataclasses.replace(opened, sleep=lambda _: None)
        element = BoardElement(board, authorise=context.authorise(), sleep=context.sleep)
        provision(lambda: element, context, device_id=device_id, lock=True)
        return authenticate(element, context), context.registry.certificates(device_id)


def test_a_board_is_provisioned_with_a_certificate_from_elsewhere(elsewhere, tmp_path):
    home, environ = station(elsewhere, tmp_path / "station")
    said = init(home, environ)
    assert said.returncode == 0, said.stderr
    board = SoftBoard(bytes.fromhex("0123aabbccddee03ee"))

    decision, records = made(home, board, "far-1")

    assert decision.trusted
    [record] = records
    assert (record.state, len(record.evidence)) == ("active", 2)
    with elsewhere.served.context() as there:
        issuing = there.authority.issuing
        assert there.registry.certificate(record.serial_number).der == board.record["certificate"]
    x509.load_der_x509_certificate(record.der).verify_directly_issued_by(issuing)
    assert json.loads(said.stdout)["issuing"] == issuing.subject.rfc4514_string()
    assert not (home.path / "ca" / "issuing.key").exists()


def test_an_authority_that_says_no_leaves_a_board_that_can_be_completed_later(elsewhere, tmp_path):
    home, environ = station(elsewhere, tmp_path / "station")
    assert init(home, environ).returncode == 0
    board = SoftBoard(bytes.fromhex("0123aabbccddee04ee"))
    refused_home = Home(home.path, Passphrases(environ), environ={**environ, "CA_API_KEY": "wrong"})

    with pytest.raises(PolicyRefusal) as refused:
        made(refused_home, board, "far-2")
    decision, records = made(home, board, "far-2")

    assert refused.value.code == "ca-refused"
    assert (decision.trusted, len(records)) == (True, 1)


def test_an_authority_that_is_not_there_is_said_so(elsewhere, tmp_path):
    home, environ = station(elsewhere, tmp_path / "station", url="https://127.0.0.1:9")

    said = init(home, environ)

    assert said.returncode == StorageError.exit_status
    assert json.loads(said.stderr.splitlines()[-1])["error"]["code"] == "ca-unreachable"
    assert not home.has_authority()


class _OnBoard(SecureElementManager):
    """The façade's element, on a board without a serial port."""

    def __init__(self, board):
        super().__init__(SecureElementType.ATECC608A)
        self._board = board

    @contextmanager
    def connection(self, context):
        yield BoardElement(self._board, authorise=context.authorise(), sleep=lambda _: None)


@pytest.fixture
def facade(elsewhere, tmp_path, monkeypatch):
    """The façade's authority behind a URL; the YAML says how to get in there."""
    home, environ = station(elsewhere, tmp_path / "station", url="https://127.0.0.1:9")
    for name, value in {**environ, "HRI_HOME": str(home.path), "HRI_LOCK": "any"}.items():
        monkeypatch.setenv(name, value)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"own words"))
    (tmp_path / "own.key").write_bytes(pem)
    with elsewhere.served.context() as there:
        (tmp_path / "theirs.pem").write_bytes(there.authority.chain_pem())
    return CertificateAuthority(
        str(tmp_path / "own.key"), str(tmp_path / "theirs.pem"), elsewhere.url, passphrase=b"own words"
    )


def test_the_facade_takes_certificates_from_the_authority_behind_its_url(elsewhere, facade):
    element = _OnBoard(SoftBoard(bytes.fromhex("0123aabbccddee05ee")))

    identity = DeviceIdentityManager(element, facade).provision_device("far-3")

    with elsewhere.served.context() as there:
        certificate = x509.load_pem_x509_certificate(identity.certificate)
        certificate.verify_directly_issued_by(there.authority.issuing)
        assert there.registry.certificate(certificate.serial_number) is not None
    decision = DeviceIdentityManager(element, facade).decide("far-3", identity.certificate, b"", b"")
    assert [reason.code.value for reason in decision.reasons] == ["malformed"]


def test_the_facade_has_no_certificate_made_elsewhere_for_a_bare_key(facade):
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    request = CertificateRequest("far-4", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    with pytest.raises(PolicyRefusal) as refused:
        facade.create_certificate(request)

    assert refused.value.code == "no-proof-of-possession"


def test_a_server_that_is_not_the_trusted_one_gets_no_key(elsewhere, tmp_path):
    home, environ = station(elsewhere, tmp_path / "station")
    (home.path / "trust.pem").write_bytes(elsewhere.served.people.pem)

    said = init(home, environ)

    assert json.loads(said.stderr.splitlines()[-1])["error"]["code"] == "ca-unreachable"
    assert b"certificate" in said.stderr
