"""EST by programs that no one here wrote: curl asks, openssl makes the requests and reads the answers."""

import base64
import contextlib
import http.client
import shutil
import ssl
import subprocess
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from system.server.conftest import shown
from system.server.processes import ServedHome, serving
from unit.provision.soft_board import SoftBoard
from unit.server.serving import TOKENS, basic, der, make_csr

_DEADLINE_S = 30
_EST = "/.well-known/est"

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl"
)


def run(*command, cwd, expect=0):
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=_DEADLINE_S, check=False
    )
    assert done.returncode == expect, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def lenient(tmp_path_factory):
    """A server that does without evidence, which openssl cannot put into a request."""
    served = ServedHome(tmp_path_factory.mktemp("lenient") / "home")
    config = served.path / "config.yaml"
    config.write_text(config.read_text() + "  security: {require_attestation: false}\n")
    with serving(served) as running:
        yield running


@pytest.fixture
def desk(lenient, tmp_path):
    """A folder with what an EST client knows beforehand: the server's trust anchor, and a key of its own."""
    shutil.copy(lenient.served.path / "server-ca.pem", tmp_path / "anchor.pem")
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "k.pem", cwd=tmp_path)
    return tmp_path


def curl(desk, server, operation, *options, expect=200):
    status = run(
        "curl", "--silent", "--show-error", "--cacert", "anchor.pem", "--max-time", str(_DEADLINE_S),
        "--output", "answer", "--dump-header", "head", "--write-out", "%{http_code}", *options,
        f"{server.url}{_EST}/{operation}",
        cwd=desk,
    )  # fmt: skip
    assert status == str(expect).encode(), (desk / "answer").read_text()


def certificates_in_answer(desk):
    """The certificates of the answer, as openssl reads them."""
    run("openssl", "base64", "-d", "-in", "answer", "-out", "answer.p7", cwd=desk)
    return run("openssl", "pkcs7", "-inform", "DER", "-in", "answer.p7", "-print_certs", cwd=desk)


def request(desk, subject):
    run("openssl", "req", "-new", "-sha256", "-key", "k.pem", "-subj", subject, "-outform", "DER",
        "-out", "r.der", cwd=desk)  # fmt: skip
    (desk / "r.b64").write_bytes(base64.encodebytes((desk / "r.der").read_bytes()))


def test_curl_enrolls_and_openssl_verifies_what_it_got(lenient, desk):
    curl(desk, lenient, "cacerts")
    (desk / "ca.pem").write_bytes(certificates_in_answer(desk))
    request(desk, "/CN=curl-1")
    curl(
        desk, lenient, "simpleenroll", "--user", f"line:{TOKENS['registration-authority']}",
        "--header", "Content-Type: application/pkcs10", "--data-binary", "@r.b64",
    )  # fmt: skip
    (desk / "c.pem").write_bytes(certificates_in_answer(desk))

    assert b"c.pem: OK" in run(
        "openssl", "verify", "-CAfile", "ca.pem", "-purpose", "sslclient", "c.pem", cwd=desk
    )
    assert b"smime-type=certs-only" in (desk / "head").read_bytes()
    assert run("openssl", "x509", "-in", "c.pem", "-noout", "-pubkey", cwd=desk) == run(
        "openssl", "ec", "-in", "k.pem", "-pubout", cwd=desk
    )

    curl(
        desk, lenient, "simplereenroll", "--cert", "c.pem", "--key", "k.pem",
        "--header", "Content-Type: application/pkcs10", "--data-binary", "@r.b64",
    )  # fmt: skip
    (desk / "c2.pem").write_bytes(certificates_in_answer(desk))
    assert b"c2.pem: OK" in run("openssl", "verify", "-CAfile", "ca.pem", "c2.pem", cwd=desk)
    assert (desk / "c.pem").read_bytes() != (desk / "c2.pem").read_bytes()
    # The new one in use: the old one has ended, and names nobody from here on.
    challenge = ("--header", "Content-Type: application/pkcs10", "--data-binary", "@r.b64")
    curl(desk, lenient, "simplereenroll", "--cert", "c2.pem", "--key", "k.pem", *challenge)
    curl(desk, lenient, "simplereenroll", "--cert", "c.pem", "--key", "k.pem", *challenge, expect=401)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_both_versions_of_tls_are_spoken(lenient, desk, version):
    curl(desk, lenient, "cacerts", f"--tlsv{version}", "--tls-max", version)

    assert b"CN = HRI issuing\n" in certificates_in_answer(desk)


def test_openssl_reads_the_wanted_attributes(lenient, desk):
    curl(desk, lenient, "csrattrs")
    run("openssl", "base64", "-d", "-in", "answer", "-out", "attrs.der", cwd=desk)

    parsed = run("openssl", "asn1parse", "-inform", "DER", "-in", "attrs.der", cwd=desk)

    assert b"prime256v1" in parsed
    assert b"ecdsa-with-SHA256" in parsed


def test_re_enrollment_without_a_certificate_and_enrollment_without_a_token_are_refused(lenient, desk):
    request(desk, "/CN=curl-2")
    sent = ("--header", "Content-Type: application/pkcs10", "--data-binary", "@r.b64")

    curl(desk, lenient, "simpleenroll", *sent, expect=401)
    curl(desk, lenient, "simplereenroll", *sent, expect=401)
    curl(desk, lenient, "serverkeygen", "--user", f"x:{TOKENS['admin']}", *sent, expect=501)


def test_an_rsa_request_of_openssl_is_refused_with_a_reason(lenient, desk):
    run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.pem", "-subj", "/CN=rsa",
        "-outform", "DER", "-out", "r.der", cwd=desk)  # fmt: skip
    (desk / "r.b64").write_bytes(base64.encodebytes((desk / "r.der").read_bytes()))

    curl(desk, lenient, "simpleenroll", "--user", f"x:{TOKENS['admin']}",
         "--header", "Content-Type: application/pkcs10", "--data-binary", "@r.b64", expect=400)  # fmt: skip

    assert b'"csr-key-type"' in (desk / "answer").read_bytes()


def test_a_device_with_a_chip_shows_its_certificate_to_curl_as_well(server, board: SoftBoard, tmp_path):
    shutil.copy(server.served.path / "server-ca.pem", tmp_path / "anchor.pem")
    certificate, key = shown(board, tmp_path)
    (tmp_path / "r.b64").write_bytes(b"MAA=")

    # It gets as far as its request, which is none.
    curl(tmp_path, server, "simplereenroll", "--cert", str(certificate), "--key", str(key),
         "--header", "Content-Type: application/pkcs10", "--data-binary", "@r.b64", expect=400)  # fmt: skip


@pytest.mark.parametrize(("mine", "status"), [(True, 200), (False, 403)], ids=["this-channel", "another"])
def test_a_request_that_is_bound_to_its_channel_is_checked_against_it(lenient, mine, status):
    where = urlsplit(lenient.url)
    tls = ssl.create_default_context(cafile=str(lenient.served.path / "server-ca.pem"))
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = http.client.HTTPSConnection(where.hostname, where.port, timeout=_DEADLINE_S, context=tls)
    with contextlib.closing(connection):
        connection.connect()
        unique = connection.sock.get_channel_binding("tls-unique") if mine else bytes(12)
        key = ec.generate_private_key(ec.SECP256R1())
        password = der(0x13, base64.b64encode(unique))
        csr = make_csr(key, f"bound-{status}", ("1.2.840.113549.1.9.7", password))
        headers = basic("registration-authority") | {"Content-Type": "application/pkcs10"}
        connection.request("POST", f"{_EST}/simpleenroll", base64.b64encode(csr), headers)

        answer = connection.getresponse()

        assert answer.status == status, answer.read()
