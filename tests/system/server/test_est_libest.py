"""Cisco's libest, an EST client that no one here wrote, against this server.

`estclient` comes with Debian's libest-utils (from trixie on). HRI_ESTCLIENT may hold a command line that runs
an unpacked one through its own loader.
"""

import os
import shlex
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from system.server.processes import ServedHome, serving
from unit.server.serving import TOKENS

_DEADLINE_S = 60
_ESTCLIENT = shlex.split(os.environ.get("HRI_ESTCLIENT") or shutil.which("estclient") or "")

pytestmark = pytest.mark.skipif(
    not _ESTCLIENT, reason="no estclient on this machine; apt-get install libest-utils, or set HRI_ESTCLIENT"
)


@pytest.fixture(scope="module")
def lenient(tmp_path_factory):
    """A server that does without evidence, which libest cannot put into a request."""
    served = ServedHome(tmp_path_factory.mktemp("libest") / "home")
    config = served.path / "config.yaml"
    config.write_text(config.read_text() + "  security: {require_attestation: false}\n")
    with serving(served) as running:
        yield running


def estclient(server, folder, *arguments):
    where = urlsplit(server.url)
    ran = subprocess.run(
        [*_ESTCLIENT, *arguments, "-s", where.hostname, "-p", str(where.port), "-o", str(folder)],
        cwd=folder,
        env={"EST_OPENSSL_CACERT": str(server.served.path / "server-ca.pem"), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    return (ran.stdout + ran.stderr).decode(errors="replace")


def test_it_fetches_the_authoritys_certificates_and_the_wanted_attributes(lenient, tmp_path):
    said = estclient(lenient, tmp_path, "-g") + estclient(lenient, tmp_path, "-a")

    assert "ERROR" not in said
    assert (tmp_path / "cacert-0-0.pkcs7").stat().st_size > 500


def test_it_enrolls_and_re_enrolls(lenient, tmp_path):
    subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "k.pem"],
        cwd=tmp_path, check=True, timeout=_DEADLINE_S,
    )  # fmt: skip
    token = TOKENS["registration-authority"]
    said = estclient(
        lenient,
        tmp_path,
        "-e",
        "-u",
        "x",
        "-h",
        token,
        "-x",
        "k.pem",
        "--common-name",
        "lib-1",
        "--pem-output",
    )
    assert (tmp_path / "cert-0-0.pem").exists(), said
    first = x509.load_pem_x509_certificate((tmp_path / "cert-0-0.pem").read_bytes())
    (tmp_path / "cert-0-0.pem").rename(tmp_path / "present.pem")

    said = estclient(
        lenient, tmp_path, "-r", "-c", "present.pem", "-k", "k.pem", "-x", "k.pem", "--pem-output"
    )

    assert (tmp_path / "cert-0-0.pem").exists(), said
    second = x509.load_pem_x509_certificate((tmp_path / "cert-0-0.pem").read_bytes())
    assert (second.subject, second.public_key()) == (first.subject, first.public_key())
    assert second.serial_number != first.serial_number


def test_without_a_token_it_is_told_that_it_may_not(lenient, tmp_path):
    said = estclient(lenient, tmp_path, "-e", "--common-name", "lib-2")

    assert "EST_ERR_AUTH" in said
    assert not list(tmp_path.glob("cert-*"))
