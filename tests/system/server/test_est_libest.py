"""Cisco's libest, an EST client that no one here wrote, against this server."""

import base64
import subprocess
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from system.server.processes import ServedHome, serving
from unit.server.serving import TOKENS

_DEADLINE_S = 60
# The object identifiers in DER: RFC 5480 section 2.1.1.1 and RFC 5758 section 3.2.
_SECP256R1 = bytes.fromhex("06082a8648ce3d030107")
_ECDSA_WITH_SHA256 = bytes.fromhex("06082a8648ce3d040302")


@pytest.fixture(scope="module")
def lenient(tmp_path_factory):
    """A server that does without evidence, which libest cannot put into a request."""
    served = ServedHome(tmp_path_factory.mktemp("libest") / "home")
    config = served.path / "config.yaml"
    config.write_text(config.read_text() + "  security: {require_attestation: false}\n")
    with serving(served) as running:
        yield running


@pytest.fixture
def estclient(libest, lenient, tmp_path):
    """Runs estclient with a fresh key in `k.pem`; gives what it says. Its files go to the test's folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    where = urlsplit(lenient.url)
    trust = str(lenient.served.path / "server-ca.pem")

    def run(*arguments):
        ran = subprocess.run(
            [libest.client, *arguments, "-s", where.hostname, "-p", str(where.port), "-o", str(tmp_path)],
            cwd=tmp_path,
            env={"EST_OPENSSL_CACERT": trust, **libest.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
        return (ran.stdout + ran.stderr).decode(errors="replace")

    return run


def enroll(estclient, name, *arguments):
    return estclient("-e", *arguments, "-x", "k.pem", "--common-name", name, "--pem-output")


def with_token(token=TOKENS["registration-authority"]):
    return ("-u", "line-1", "-h", token)


def taken(folder, said):
    """The certificate that estclient wrote, which is then out of its next one's way."""
    path = folder / "cert-0-0.pem"
    assert path.exists(), said
    path.rename(folder / "present.pem")
    return x509.load_pem_x509_certificate((folder / "present.pem").read_bytes())


def test_it_fetches_the_authoritys_certificates(lenient, estclient, tmp_path):
    said = estclient("-g")

    assert "ERROR" not in said
    found = pkcs7.load_der_pkcs7_certificates(base64.b64decode((tmp_path / "cacert-0-0.pkcs7").read_bytes()))
    with lenient.served.context() as context:
        assert set(found) == {context.authority.root, context.authority.issuing}


def test_it_is_told_what_a_request_has_to_have(estclient, tmp_path):
    said = estclient("-a")

    assert "ERROR" not in said
    wanted = base64.b64decode((tmp_path / "csr-0-0.base64").read_bytes())
    assert _SECP256R1 in wanted
    assert _ECDSA_WITH_SHA256 in wanted


def test_it_enrolls_with_http_basic_and_re_enrolls_with_the_certificate(estclient, tmp_path):
    first = taken(tmp_path, enroll(estclient, "lib-1", *with_token()))

    said = estclient("-r", "-c", "present.pem", "-k", "k.pem", "-x", "k.pem", "--pem-output")

    second = taken(tmp_path, said)
    assert (second.subject, second.public_key()) == (first.subject, first.public_key())
    assert second.serial_number != first.serial_number


def test_asked_again_it_is_given_the_certificate_that_it_has(estclient, tmp_path):
    first = taken(tmp_path, enroll(estclient, "lib-again", *with_token()))

    assert taken(tmp_path, enroll(estclient, "lib-again", *with_token())) == first


def test_it_enrolls_with_a_client_certificate_alone(lenient, estclient, tmp_path):
    lenient.served.people.issue("alice", tmp_path / "alice.pem", tmp_path / "alice.key")

    said = enroll(estclient, "lib-mtls", "-c", "alice.pem", "-k", "alice.key")

    assert taken(tmp_path, said).subject.rfc4514_string() == "CN=lib-mtls"


def test_it_enrolls_with_the_request_bound_to_its_channel(estclient, tmp_path):
    said = enroll(estclient, "lib-bound", "-z", *with_token())

    assert taken(tmp_path, said).subject.rfc4514_string() == "CN=lib-bound"


@pytest.mark.parametrize("credentials", [(), with_token("wrong")], ids=["no token", "wrong token"])
def test_without_the_right_token_it_is_told_that_it_may_not(estclient, tmp_path, credentials):
    said = enroll(estclient, "lib-2", *credentials)

    assert "EST_ERR_AUTH" in said
    assert not list(tmp_path.glob("cert-*"))


def test_a_key_from_the_server_is_refused_with_the_reason(estclient, tmp_path):
    said = estclient("-q", *with_token(), "-x", "k.pem", "--common-name", "lib-3", "--pem-output")

    assert "501 Not Implemented" in said
    assert "this server makes no keys" in said
    assert not list(tmp_path.glob("cert-*"))
    assert not list(tmp_path.glob("key-*"))
