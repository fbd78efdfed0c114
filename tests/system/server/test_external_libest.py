"""Somebody else's authority that no one here wrote: our EST client against libest's estserver."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hri.registry import Registry
from hri.rig.atecc import open_chip
from hri.rig.boards import open_board
from hri.rig.bus import Bus
from hri.rig.firmware import device_package
from system.server.estserver import PASSWORD, USER, OtherCa, est_serving
from unit.server.serving import make_csr

pytestmark = pytest.mark.timeout(240)
_DEADLINE_S = 120
BASIC = {"user": USER, "api_key": "${CA_API_KEY}"}


class Station:
    """A home whose certificates come from elsewhere, and the command line for it."""

    def __init__(self, folder, ca, url, **authority):
        self.folder, self.ca = folder, ca
        folder.mkdir()
        (folder / "trust.pem").write_bytes((ca.folder / "root.pem").read_bytes())
        section = {"type": "external", "url": url, "trust": "trust.pem", **authority}
        provisioning = {"retry_attempts": 1, "retry_delay": 0.1, "enrollment_timeout": 30}
        (folder / "config.yaml").write_text(
            yaml.safe_dump({"identity": {"certificate_authority": section, "provisioning": provisioning}})
        )

    def hri(self, *arguments, password=PASSWORD):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HRI_")}
        return subprocess.run(
            [sys.executable, "-m", "hri.cli", "--json", "--home", str(self.folder), *arguments],
            env=environ | {"HRI_CA_PASSPHRASE": "ca", "CA_API_KEY": password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )

    def done(self, *arguments):
        said = self.hri(*arguments)
        assert said.returncode == 0, said.stderr.decode()
        return json.loads(said.stdout)

    def issue(self, device_id, **more):
        """Ask for a certificate for a request that is the same each time."""
        request = self.folder / f"{device_id}.csr"
        if not request.exists():
            request.write_bytes(make_csr(ec.generate_private_key(ec.SECP256R1()), device_id))
        return self.hri("ca", "issue", "--csr", str(request), "--unattested", "a test", **more)

    def records(self, device_id):
        with Registry.open(self.folder / "hri.db") as registry:
            return registry.certificates(device_id)


def error_code(said):
    return json.loads(said.stderr.splitlines()[-1])["error"]["code"]


@pytest.fixture
def ca(tmp_path):
    return OtherCa(tmp_path / "elsewhere")


@pytest.fixture
def station(libest, ca, tmp_path):
    """A station that shows name and password, with the other authority adopted."""
    with est_serving(libest, ca) as url:
        made = Station(tmp_path / "station", ca, url, **BASIC)
        made.done("ca", "init")
        yield made


def test_its_root_and_issuing_certificate_are_adopted(station, ca):
    adopted = station.folder / "ca"

    for name in ("root.pem", "issuing.pem"):
        ours, theirs = (
            x509.load_pem_x509_certificate((folder / name).read_bytes()) for folder in (adopted, ca.folder)
        )
        assert ours == theirs
    assert not (adopted / "issuing.key").exists()


def test_it_issues_for_a_name_and_a_password(station, ca):
    ca.name_devices("far-1")

    said = station.issue("far-1")

    assert said.returncode == 0, said.stderr.decode()
    certificate = x509.load_pem_x509_certificate(json.loads(said.stdout)["certificate"].encode())
    issuing = x509.load_pem_x509_certificate((ca.folder / "issuing.pem").read_bytes())
    certificate.verify_directly_issued_by(issuing)
    [record] = station.records("far-1")
    assert record.serial_number == certificate.serial_number


def test_a_wrong_password_is_refused_and_nothing_is_recorded(station, ca):
    ca.name_devices("far-2")

    said = station.issue("far-2", password="wrong")

    assert (said.returncode, error_code(said)) == (1, "ca-refused")
    assert b"unable to authorize" in said.stderr
    assert (station.records("far-2"), ca.issued()) == ((), 0)


def test_a_certificate_that_does_not_name_the_device_is_not_taken(station, ca):
    ca.name_devices(None)

    said = station.issue("far-3")

    assert error_code(said) == "ca-nonsense"
    assert (station.records("far-3"), ca.issued()) == ((), 1)


def test_it_issues_for_a_client_certificate_alone(libest, ca, tmp_path):
    certificate, key = ca.issue("client", "station 1", "root")
    shown = {"client_certificate": str(certificate), "client_key": str(key)}
    with est_serving(libest, ca, "-o") as url:
        station = Station(tmp_path / "station", ca, url, **shown)
        station.done("ca", "init")
        ca.name_devices("far-4")

        said = station.issue("far-4")

    assert said.returncode == 0, said.stderr.decode()
    assert [record.state for record in station.records("far-4")] == ["active"]


def test_a_request_that_people_decide_on_is_completed_by_the_same_command(libest, ca, tmp_path):
    with est_serving(libest, ca, "-m", "3600") as url:
        station = Station(tmp_path / "station", ca, url, **BASIC)
        station.done("ca", "init")
        ca.name_devices("far-5")

        pending = station.issue("far-5")
        before = station.records("far-5")
        completed = station.issue("far-5")

    assert (pending.returncode, error_code(pending), before) == (3, "ca-pending", ())
    assert completed.returncode == 0, completed.stderr.decode()
    assert len(station.records("far-5")) == 1


def test_a_board_is_provisioned_renewed_and_given_a_new_key_under_it(station, ca, tmp_path):
    ca.name_devices("far-6")
    issuing = x509.load_pem_x509_certificate((ca.folder / "issuing.pem").read_bytes())
    with (
        open_chip("atecc608b") as chip,
        open_board("unix", bus=Bus([chip]), flash=tmp_path / "flash", package=device_package()) as board,
    ):
        port = ("--port", board.port)
        station.done("provision", *port, "--device-id", "far-6", "--lock")
        decisions = [station.done("authenticate", *port)]
        for command in ("renew", "rotate"):
            station.done(command, "far-6", *port)
            decisions.append(station.done("authenticate", *port))

    assert [(found["trusted"], found["device_id"]) for found in decisions] == [(True, "far-6")] * 3
    certificates = [x509.load_der_x509_certificate(record.der) for record in station.records("far-6")]
    assert (len(certificates), ca.issued()) == (3, 3)
    assert len({record.public_key_sha256 for record in station.records("far-6")}) == 2
    for certificate in certificates:
        certificate.verify_directly_issued_by(issuing)


def test_a_board_whose_certificate_is_pending_is_completed_by_the_same_command(libest, ca, tmp_path):
    with (
        est_serving(libest, ca, "-m", "3600") as url,
        open_chip("atecc608b") as chip,
        open_board("unix", bus=Bus([chip]), flash=tmp_path / "flash", package=device_package()) as board,
    ):
        station = Station(tmp_path / "station", ca, url, **BASIC)
        station.done("ca", "init")
        ca.name_devices("far-7")
        command = ("provision", "--port", board.port, "--device-id", "far-7", "--lock")

        pending = station.hri(*command)
        station.done(*command)
        decision = station.done("authenticate", "--port", board.port)

    assert (pending.returncode, error_code(pending)) == (3, "ca-pending")
    assert (decision["trusted"], ca.issued()) == (True, 1)
