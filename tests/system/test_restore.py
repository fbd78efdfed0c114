"""The rehearsal: a home is lost, and comes back from its backup and from what was published since."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri_command import Ran
from postgres_server import PostgresServer, find

DEADLINE = 120


@dataclass
class Authority:
    """A home, run by the command line alone, and a folder elsewhere that its losses do not touch."""

    home: Path
    elsewhere: Path
    database: str | None

    def run(self, *arguments: str, status: int | None = 0) -> Ran:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HRI_")}
        environ |= {
            "HRI_HOME": str(self.home),
            "HRI_CA_PASSPHRASE": "secret ca words",
            "HRI_ROOT_PASSPHRASE": "secret root words",
        }
        if self.database:
            environ["HRI_DATABASE_URL"] = self.database
        done = subprocess.run(
            [sys.executable, "-m", "hri.cli", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environ,
            timeout=DEADLINE,
            check=False,
        )
        assert status is None or done.returncode == status, done.stderr + done.stdout
        return Ran(done.returncode, done.stdout, done.stderr)

    def issue(self, name: str) -> Path:
        """Issue to a device; returns where its certificate is, elsewhere."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        request = self.elsewhere / f"{name}.csr"
        request.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
        issued = self.run("ca", "issue", "--csr", str(request), "--device-id", name, "--unattested", "test")
        path = self.elsewhere / f"{name}.pem"
        path.write_text(issued.out)
        return path

    def publish(self, stem: str) -> None:
        """Do what is done after a day's work: the log, the list and both checkpoints go elsewhere."""
        self.run("log", "export", str(self.elsewhere / "www"))
        for log in ("log", "audit"):
            (self.elsewhere / f"{stem}.{log}").write_text(self.run(log, "checkpoint").out)
        shutil.copy(self.home / "crl" / "issuing.crl", self.elsewhere / f"{stem}.crl")

    def state(self, name: str) -> tuple[str, list[str]]:
        shown = self.run("--json", "show", name).json
        return shown["status"], [one["state"] for one in shown["certificates"]]


def _listed(path: Path) -> tuple[int, set[int]]:
    found = x509.load_der_x509_crl(path.read_bytes())
    number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return number, {entry.serial_number for entry in found}


def _serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


@dataclass
class Databases:
    """How a registry is saved and put back by its own tools."""

    make: Callable[[], str | None]
    save: Callable[[str | None, Path], None]
    load: Callable[[Path], str | None]


def _postgres(server: PostgresServer) -> Databases:
    programs = {name: find(name) for name in ("pg_dump", "psql")}
    if not all(programs.values()):
        pytest.skip("no pg_dump and psql on this machine; apt-get install postgresql-client")

    def run(*command: str) -> None:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE, check=True)

    def save(url: str | None, path: Path) -> None:
        run(str(programs["pg_dump"]), "--no-owner", "-f", str(path), str(url))

    def load(path: Path) -> str:
        url = server.url()
        run(str(programs["psql"]), "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", str(path), url)
        return url

    return Databases(server.url, save, load)


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases | None:
    if request.param == "sqlite":
        return None
    return _postgres(request.getfixturevalue("postgres"))


@pytest.fixture
def authority(tmp_path: Path, databases: Databases | None) -> Authority:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    return Authority(tmp_path / "home", elsewhere, databases.make() if databases else None)


def test_a_lost_home_comes_back_and_knows_what_it_handed_out(
    authority: Authority, databases: Databases | None
) -> None:
    kept = authority.elsewhere
    authority.run("ca", "init")
    first = authority.issue("before")
    authority.run("crl", "publish")
    authority.publish("early")
    dump = kept / "registry.sql"
    if databases:
        databases.save(authority.database, dump)
    authority.run("backup", str(kept / "backup"))

    second, third = authority.issue("after"), authority.issue("after-bad")
    authority.run("revoke", "before", "--reason", "keyCompromise")
    authority.run("revoke", "after-bad", "--reason", "cessationOfOperation")
    authority.publish("late")
    shutil.rmtree(authority.home)

    replay = (str(kept / "www"), "--crl", str(kept / "late.crl"), "--checkpoint", str(kept / "late.log"))
    if databases:
        authority.database = databases.load(dump)
        authority.run("restore", str(kept / "backup"))
        done = authority.run("--json", "log", "replay", *replay).json
    else:
        done = authority.run("--json", "restore", str(kept / "backup"), "--log", *replay).json

    assert [done[name] for name in ("since", "size", "certificates", "devices")] == [1, 3, 2, 2]
    # Nothing is forked, nothing was lost on the way, and everything in the log has its act.
    for stem in ("early", "late"):
        authority.run("log", "verify", "--checkpoint", str(kept / f"{stem}.log"))
    authority.run("log", "monitor", "--cert", str(second))
    authority.run("log", "monitor")
    # Acts have no export: those since the backup are gone, and a checkpoint of them says so.
    authority.run("audit", "verify", "--checkpoint", str(kept / "early.audit"))
    authority.run("audit", "verify", "--checkpoint", str(kept / "late.audit"), status=1)

    assert authority.state("after") == ("provisioning", ["issued"])
    assert authority.state("before") == ("revoked", ["revoked"])
    assert authority.state("after-bad") == ("decommissioned", ["revoked"])

    # It goes on: behind the published log, behind the published numbers, and what was handed out can end.
    fourth = authority.issue("next")
    assert authority.run("--json", "log", "export", str(kept / "www")).json["since"] == 3
    authority.run("revoke", "after", "--reason", "keyCompromise")
    number, listed = _listed(authority.home / "crl" / "issuing.crl")
    assert number > _listed(kept / "late.crl")[0]
    assert listed == {_serial(path) for path in (first, second, third)}
    authority.run("log", "verify", "--checkpoint", str(kept / "late.log"))
    authority.run("audit", "verify", "--checkpoint", str(kept / "early.audit"))
    authority.run("log", "monitor", "--cert", str(fourth))
    authority.run("log", "monitor")
