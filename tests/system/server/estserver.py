"""Libest's estserver as somebody else's authority: a root, an issuing CA, and a process on loopback.

Its CA is one of files that the openssl tool makes; what goes into certificates stands in its configuration,
which estserver reads again for every request.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libest import Libest

# The only account of estserver, written into its source.
USER, PASSWORD = "estuser", "estpwd"
_START_DEADLINE_S = 30
_STOP_DEADLINE_S = 10
_OPENSSL_DEADLINE_S = 30
# It ends itself then, should whoever started it be killed.
_LIFETIME_S = 900
_CONFIG = """
[req]
distinguished_name = none
[none]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[issuing]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
default_ca = default
[default]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}/certificates
certificate = {folder}/issuing.pem
private_key = {folder}/issuing.key
default_days = 30
default_md = sha256
policy = names
x509_extensions = device
unique_subject = no
[names]
commonName = supplied
serialNumber = optional
[device]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class OtherCa:
    """The files of the authority below `folder`; `root.pem` also signs the TLS certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "certificates").mkdir(parents=True)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1001\n")
        self.name_devices(None)
        self.issue("root", "Elsewhere root", None)
        self.issue("issuing", "Elsewhere issuing", "root")
        self.issue("server", "127.0.0.1", "root")
        chain = (folder / "issuing.pem").read_text() + (folder / "root.pem").read_text()
        (folder / "cacerts.pem").write_text(chain)

    def name_devices(self, device_id: str | None) -> None:
        """From now on every certificate names that device as URI; none does by itself."""
        text = _CONFIG.format(folder=self.folder)
        if device_id is not None:
            text += f"subjectAltName = URI:urn:hri:device:{device_id}\n"
        (self.folder / "ca.cnf").write_text(text)

    def issue(self, name: str, subject: str, issuer: str | None) -> tuple[Path, Path]:
        """Make `name`.pem and `name`.key with the extensions of the section `name`; self-signed for None."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        by = [] if issuer is None else ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"]
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                ),
                *("-config", "ca.cnf", "-extensions", name, "-days", "30", "-subj", f"/CN={subject}"),
                *("-keyout", key, "-out", certificate, *by),
            ],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_OPENSSL_DEADLINE_S,
            check=True,
        )
        return certificate, key

    def issued(self) -> int:
        """How many certificates devices were given."""
        return len((self.folder / "index.txt").read_text().splitlines())


@contextmanager
def est_serving(libest: Libest, ca: OtherCa, *options: str) -> Iterator[str]:
    """The URL of a running estserver for a block; what it says goes to `server.log`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = {"EST_CACERTS_RESP": "cacerts.pem", "EST_TRUSTED_CERTS": "cacerts.pem"}
    with (ca.folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(libest.server, "-p", str(port), "-c", "server.pem", "-k", "server.key", "-r", "elsewhere"),
                *("-v", "-d", str(_LIFETIME_S), *options),
            ],
            cwd=ca.folder,
            env={**files, "EST_OPENSSL_CACONFIG": "ca.cnf", "PATH": os.environ["PATH"], **libest.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(process, port, ca)
        yield f"https://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_DEADLINE_S)


def _wait_for(process: subprocess.Popen[bytes], port: int, ca: OtherCa) -> None:
    """Return once it shakes hands; raises AssertionError with its last words."""
    trust = ssl.create_default_context(cafile=str(ca.folder / "root.pem"))
    end = time.monotonic() + _START_DEADLINE_S
    while process.poll() is None and time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
                trust.wrap_socket(plain, server_hostname="127.0.0.1").close()
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError((ca.folder / "server.log").read_text(errors="replace")[-2000:])
