"""What the server publishes, fetched by `openssl ocsp` and curl, which share no code with ours."""

import base64
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hri.ca.log_keys import log_verifiers
from hri.checkpoint import Checkpoint
from hri.transparency.merkle import leaf_hash
from hri.transparency.tiles import root_of, unbundle
from system.server.conftest import provisioned
from system.server.processes import ServedHome, ServerProcess, serving
from unit.server.serving import TOKENS

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None or shutil.which("curl") is None, reason="openssl or curl is not installed"
)
_DEADLINE_S = 60


@dataclass(frozen=True)
class Published:
    """A running server in plain HTTP, with a device in force, one that is revoked, and the CA's files."""

    folder: Path
    served: ServedHome
    server: ServerProcess

    def openssl(self, *arguments: str | Path) -> str:
        """Run `openssl ocsp`; it has to find the answer's signature and its signer good."""
        authority = ["-issuer", self.folder / "issuing.pem", "-CAfile", self.folder / "root.pem"]
        command = ["openssl", "ocsp", *authority, "-verify_other", self.folder / "issuing.pem"]
        told = run(*command, "-url", f"{self.server.url}/ocsp", *arguments)
        assert "Response verify OK" in told
        return told

    def curl(self, path: str, *arguments: str) -> tuple[str, bytes]:
        """Fetch a path; returns the head and the body."""
        head, body = self.folder / "head", self.folder / "body"
        body.write_bytes(b"")
        run("curl", "-sS", "--max-time", "30", "-D", head, "-o", body, *arguments, f"{self.server.url}{path}")
        return head.read_text(), body.read_bytes()


def run(*command: str | Path) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=_DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    served = ServedHome(folder / "home", tls=None, clients=[])
    for number, name in enumerate(("good", "revoked")):
        board = provisioned(served, name, bytes.fromhex("0123aabbccddee") + bytes([number, 0xEE]))
        leaf = x509.load_der_x509_certificate(board.record["certificate"])
        (folder / f"{name}.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    with served.context() as context:
        (folder / "root.pem").write_bytes(context.authority.root_pem())
        (folder / "issuing.pem").write_bytes(context.authority.issuing.public_bytes(Encoding.PEM))
    with serving(served) as server:
        made = Published(folder, served, server)
        head, _ = made.curl(
            "/v1/devices/revoked/revoke",
            *("-H", f"Authorization: Bearer {TOKENS['operator']}", "-H", "Content-Type: application/json"),
            *("-d", '{"reason": "keyCompromise"}'),
        )
        assert " 200 " in head
        yield made


@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
def test_openssl_learns_what_is_good_revoked_and_unknown(published, nonce):
    asked = ["-cert", published.folder / "good.pem", "-cert", published.folder / "revoked.pem"]

    told = published.openssl(*asked, "-serial", "0x1234567890", nonce)

    assert re.search(r"good\.pem: good", told)
    assert re.search(r"revoked\.pem: revoked", told)
    assert "Reason: keyCompromise" in told
    assert "0x1234567890: unknown" in told
    assert "no nonce in response" not in told


def test_a_get_request_gets_the_same_answer_with_headers_for_caches(published):
    request, answer = published.folder / "request.der", published.folder / "answer.der"
    issuer = ["-issuer", published.folder / "issuing.pem"]
    run("openssl", "ocsp", *issuer, "-cert", published.folder / "good.pem", "-no_nonce", "-reqout", request)

    head, body = published.curl("/ocsp/" + quote(base64.b64encode(request.read_bytes()).decode(), safe=""))

    answer.write_bytes(body)
    trust = ["-CAfile", published.folder / "root.pem", "-verify_other", published.folder / "issuing.pem"]
    told = run("openssl", "ocsp", *issuer, "-cert", published.folder / "good.pem", *trust, "-respin", answer)
    assert "Response verify OK" in told
    assert "good.pem: good" in told
    for line in (
        "application/ocsp-response",
        r"max-age=\d+, public",
        "expires: ",
        "last-modified: ",
        "etag: ",
    ):
        assert re.search(line, head, re.IGNORECASE), line


def test_openssl_checks_the_device_against_the_list_that_curl_fetched(published):
    head, der = published.curl("/crl/issuing.crl")

    (published.folder / "crl.der").write_bytes(der)
    crl = published.folder / "crl.pem"
    run("openssl", "crl", "-inform", "DER", "-in", published.folder / "crl.der", "-out", crl)
    check = ["openssl", "verify", "-crl_check", "-CAfile", published.folder / "root.pem"]
    check += ["-untrusted", published.folder / "issuing.pem", "-CRLfile", crl]
    assert run(*check, published.folder / "good.pem").endswith(": OK\n")
    done = subprocess.run(
        [*map(str, check), str(published.folder / "revoked.pem")],
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert "certificate revoked" in done.stderr
    assert "application/pkix-crl" in head
    etag = re.search(r"etag: (\S+)", head, re.IGNORECASE)
    assert etag is not None
    assert " 304 " in published.curl("/crl/issuing.crl", "-H", f"If-None-Match: {etag[1]}")[0]


def test_the_log_is_read_and_checked_with_nothing_but_curl(published):
    verifiers = log_verifiers(published.served.path)
    assert verifiers is not None
    _, note = published.curl("/log/checkpoint")
    end = Checkpoint.opened(note.decode(), verifiers.certificates)

    head, hashes = published.curl(f"/log/tile/0/000.p/{end.size}")
    auditor = ["-H", f"Authorization: Bearer {TOKENS['auditor']}"]
    _, entries = published.curl(f"/log/tile/entries/000.p/{end.size}", *auditor)

    assert root_of(end.size, lambda _level, _index: hashes) == end.digest
    assert [leaf_hash(entry) for entry in unbundle(entries)] == [
        hashes[at : at + 32] for at in range(0, len(hashes), 32)
    ]
    good = x509.load_pem_x509_certificate((published.folder / "good.pem").read_bytes())
    assert good.public_bytes(Encoding.DER) in entries
    assert "immutable" in head
    assert " 401 " in published.curl(f"/log/tile/entries/000.p/{end.size}")[0]
