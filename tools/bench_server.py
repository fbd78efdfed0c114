"""`hri serve` under load from one machine: decisions and enrolments a second beside its own empty answer.

One process of the server on SQLite, plain HTTP on loopback, a few connections that stay open. A decision
here is a whole one: challenge spent, path and standing checked, answer kept, all durable.
"""

import base64
import datetime
import hashlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml
from bench_entry import Entry
from cbor2 import CBORTag, dumps
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hri.ca.authority import Authority
from hri.ca.issuance import IssueRequest
from hri.context import Context
from hri.home import Home, Passphrases
from hri.registry import Device

_TOKEN = "the token of the bench"  # noqa: S105 - of a server that lives for a minute
_DEVICE = "bench-device"
_CONNECTIONS = 4
_REQUESTS = 300
_ROUNDS = 3
_DEADLINE_S = 60
_UNIT = "requests/s"

Request = tuple[str, str, bytes, str]
"""Method, path, body and its media type."""


def measure() -> dict[str, Entry]:
    """Return what a process of the server answers in a second."""
    with tempfile.TemporaryDirectory(prefix="hri-bench-") as folder:
        home = _home(Path(folder) / "home")
        with home.context(unlocked=True) as context:
            process, url = _served(home)
            try:
                rates = _rates(url, context)
            finally:
                process.kill()
                process.wait()
            commits = _commits(Path(folder) / "bare.db")
    empty, ready, ocsp_get, ocsp_nonce, verify, enroll = rates
    return {
        "server_empty_answer": Entry(round(empty), _UNIT, "none: the limit of the others", True),
        "server_commits": Entry(
            round(commits),
            "commits/s",
            "none: bare SQLite on this disk, to tell the disk from the program",
            True,
        ),
        "server_readiness": _share(ready, empty, "one look at the database"),
        "server_ocsp_get": _half(ocsp_get, empty, "at least half: one look at the database, one signature"),
        "server_ocsp_nonce": _half(ocsp_nonce, empty, "at least half: the same, by POST with a nonce"),
        "server_verify": _share(verify, empty, "a signed answer decided on, three durable commits"),
        "server_enroll": _share(enroll, empty, "a certificate issued over EST, four durable commits"),
    }


def _commits(path: Path) -> float:
    """Return how many rows a second SQLite makes durable one by one, set up as the registry is."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE t (a)"):
            connection.execute(line)
        begun = time.perf_counter()
        for _ in range(_REQUESTS):
            connection.execute("INSERT INTO t VALUES (1)")
        return _REQUESTS / (time.perf_counter() - begun)


def _share(rate: float, empty: float, why: str) -> Entry:
    return Entry(round(rate), _UNIT, f"none: {why}", True, round(empty), round(rate / empty, 3))


def _half(rate: float, empty: float, goal: str) -> Entry:
    return Entry(round(rate), _UNIT, goal, rate >= empty / 2, round(empty), round(rate / empty, 3))


def _home(path: Path) -> Home:
    environ = {**os.environ, "HRI_CA_PASSPHRASE": "bench"}
    now = datetime.datetime.now(datetime.UTC)
    Authority.create(path, root_passphrase=b"bench", ca_passphrase=b"bench", now=now)
    digest = hashlib.sha256(_TOKEN.encode()).hexdigest()
    section = {
        "tokens": [{"name": "bench", "role": "admin", "sha256": digest}],
        "limits": {"requests_per_second": 1_000_000.0, "burst": 1_000_000},
    }
    (path / "config.yaml").write_text(
        yaml.safe_dump({"identity": {"server": section, "security": {"require_attestation": False}}})
    )
    environ.pop("HRI_DATABASE_URL", None)
    return Home(path, Passphrases(environ), environ=environ)


def _served(home: Home) -> tuple[subprocess.Popen[bytes], str]:
    process = subprocess.Popen(
        [
            sys.executable, "-m", "hri.cli", "--json", "--home", str(home.path),
            "serve", "--listen", "127.0.0.1:0",
        ],
        env={**os.environ, "HRI_CA_PASSPHRASE": "bench", "HRI_DATABASE_URL": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        # A pipe has no deadline of its own.
        line = pool.submit(process.stdout.readline if process.stdout else bytes).result(_DEADLINE_S)
    return process, str(json.loads(line)["url"])


def _rates(url: str, context: Context) -> list[float]:
    """Return requests a second: empty, readiness, two of OCSP, verify, enrolment; best of some runs."""
    device = _Device(context)
    works: list[Callable[[], list[Request]]] = [
        lambda: [("GET", "/healthz/live", b"", "")] * _REQUESTS,
        lambda: [("GET", "/healthz", b"", "")] * _REQUESTS,
        lambda: [device.question(None)] * _REQUESTS,
        lambda: [device.question(os.urandom(16)) for _ in range(_REQUESTS)],
        lambda: [device.answer() for _ in range(_REQUESTS)],
        lambda: [_enrolment() for _ in range(_REQUESTS)],
    ]
    best = [0.0] * len(works)
    # Interleaved: whatever else the machine does then disturbs all alike.
    for _ in range(_ROUNDS):
        for number, work in enumerate(works):
            best[number] = max(best[number], _rate(url, work()))
    return best


def _rate(url: str, requests: Sequence[Request]) -> float:
    where = urlsplit(url)
    shares = [requests[number::_CONNECTIONS] for number in range(_CONNECTIONS)]

    def send(share: Sequence[Request]) -> None:
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=_DEADLINE_S)
        for method, path, body, media_type in share:
            headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": media_type}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200 or b'"trusted":false' in content:
                raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
        connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(send, shares))
    return len(requests) / (time.perf_counter() - begun)


class _Device:
    """A device whose key is in software, and whose certificate is on record."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._key, csr = _csr(_DEVICE)
        now = context.now()
        context.registry.upsert_device(Device(_DEVICE, "none", None, "provisioning", None, now))
        request = IssueRequest(csr, _DEVICE, context.config.profile(), unattested="bench")
        issued = context.issuer(_DEVICE).issue(request, now)
        context.registry.activate(issued.serial_number, now)
        self._leaf = x509.load_der_x509_certificate(issued.der)
        self._certificate = base64.b64encode(issued.der).decode()

    def question(self, nonce: bytes | None) -> Request:
        """Return the OCSP request for the device's certificate: by GET, or with a nonce by POST."""
        issuing = self._context.authority.issuing
        asked = ocsp.OCSPRequestBuilder().add_certificate(self._leaf, issuing, hashes.SHA256())
        if nonce is None:
            der = asked.build().public_bytes(Encoding.DER)
            return "GET", "/ocsp/" + quote(base64.b64encode(der).decode(), safe=""), b"", ""
        der = asked.add_extension(x509.OCSPNonce(nonce), False).build().public_bytes(Encoding.DER)
        return "POST", "/ocsp", der, "application/ocsp-request"

    def answer(self) -> Request:
        """Return the request that has a new challenge's answer decided on."""
        context = self._context
        challenge = context.registry.new_challenge(
            "authenticate", _DEVICE, context.verifier, now=context.now(), ttl=datetime.timedelta(hours=1)
        )
        payload = dumps(["hri/1 authenticate", context.verifier, _DEVICE, challenge], canonical=True)
        protected = dumps({1: -7}, canonical=True)
        to_sign = dumps(["Signature1", protected, b"", payload], canonical=True)
        r, s = decode_dss_signature(self._key.sign(to_sign, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        cose = dumps(CBORTag(18, [protected, {}, payload, signature]), canonical=True)
        body = {
            "device_id": _DEVICE,
            "challenge": base64.b64encode(challenge).decode(),
            "answer": base64.b64encode(cose).decode(),
            "certificate": self._certificate,
        }
        return "POST", "/v1/verify", json.dumps(body).encode(), "application/json"


def _csr(name: str) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return key, csr.public_bytes(Encoding.DER)


def _enrolment() -> Request:
    """Return the request by which a device that nobody has seen gets a certificate."""
    name = f"bench-{os.urandom(8).hex()}"
    return "POST", "/.well-known/est/simpleenroll", base64.b64encode(_csr(name)[1]), "application/pkcs10"
