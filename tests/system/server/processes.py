"""`hri serve` as a process of its own: started, asked over real sockets, and ended whatever happens."""

from __future__ import annotations

import json
import os
import queue
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hri.ca.authority import Authority
from hri.context import utc_now
from hri.home import Home, Passphrases
from unit.server.serving import common_name, token_entries

START_DEADLINE_S = 60
STOP_DEADLINE_S = 30
_HOST = Path(__file__).parents[3] / "host"


class ServedHome:
    """A home folder with an authority, TLS files for 127.0.0.1, a people's CA and a token for each role."""

    def __init__(self, path: Path, database: str | None = None, **section: Any) -> None:
        self.path = path
        self.environ = {"HRI_CA_PASSPHRASE": "ca", "PATH": os.environ["PATH"], "PYTHONPATH": str(_HOST)}
        if database is not None:
            self.environ["HRI_DATABASE_URL"] = database
        Authority.create(path, root_passphrase=b"root", ca_passphrase=b"ca", now=utc_now())
        self.server_ca = TestCa("test server root")
        self.people = TestCa("people")
        self.server_ca.issue("127.0.0.1", path / "server.pem", path / "server.key")
        (path / "server-ca.pem").write_bytes(self.server_ca.pem)
        (path / "people.pem").write_bytes(self.people.pem)
        server = {
            "tls": {"certificate": "server.pem", "key": "server.key", "client_ca": "people.pem"},
            "tokens": token_entries(),
            "clients": [{"name": "alice", "role": "admin", "subject": "CN=alice"}],
            "limits": {"requests_per_second": 100_000.0, "burst": 100_000},
            **section,
        }
        (path / "config.yaml").write_text(yaml.safe_dump({"identity": {"server": server}}))

    @property
    def home(self) -> Home:
        return Home(self.path, Passphrases(self.environ), environ=self.environ)

    def context(self) -> Any:
        """The opened home, as the command line has it."""
        return self.home.context(unlocked=True)


class TestCa:
    """A small CA of the tests' own."""

    __test__ = False

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = common_name(name)
        basic = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = (
            self._builder(self._name, self._key).add_extension(basic, True).sign(self._key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def issue(self, name: str, certificate: Path, key: Path) -> None:
        """Write a certificate and its key for an address or a person's name."""
        made = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(common_name(name), made)
        if name[0].isdigit():
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))])
            builder = builder.add_extension(names, False)
        certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = utc_now()
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=(now - timedelta(hours=1)).replace(tzinfo=None),
            not_valid_after=(now + timedelta(days=1)).replace(tzinfo=None),
        )


class ServerProcess:
    """One `hri serve`; `url` is where it answers."""

    def __init__(self, served: ServedHome, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        self.served = served
        self._errors = (served.path / "server.log").open("ab")
        command = [sys.executable, "-m", "hri.cli", "--json", "--home", str(served.path), "serve"]
        self.process = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**served.environ, **(environ or {})},
            start_new_session=True,
        )
        self.url = str(json.loads(self._first_line())["url"])

    def _first_line(self) -> bytes:
        lines: queue.Queue[bytes] = queue.Queue()
        stream = self.process.stdout
        if stream is None:
            raise AssertionError("started with a pipe")
        threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=START_DEADLINE_S)
        except queue.Empty:
            line = b""
        if not line:
            self.kill()
            raise AssertionError((self.served.path / "server.log").read_text()[-2000:])
        return line

    def client(self, certificate: tuple[Path, Path] | None = None, **arguments: Any) -> httpx.Client:
        """A client that trusts the server's CA and shows a client certificate, if it has one."""
        context = ssl.create_default_context(cafile=str(self.served.path / "server-ca.pem"))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return httpx.Client(base_url=self.url, verify=context, timeout=30, **arguments)

    def stop(self) -> int:
        """Ask it to end and return its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_DEADLINE_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once; safe to call twice."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._errors.close()


@contextmanager
def serving(served: ServedHome, *arguments: str, **more: Any) -> Any:
    """A running server for a block."""
    server = ServerProcess(served, *arguments, **more)
    try:
        yield server
    finally:
        server.kill()
