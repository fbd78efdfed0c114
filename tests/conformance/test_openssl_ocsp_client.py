"""`openssl ocsp`, which shares no code with ours, asks the responder over HTTP and believes its answers."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri.ca.authority import Authority
from hri.ca.ocsp import Responder
from hri.ca.ocsp_delegate import Delegates
from hri.ca.ocsp_files import Producer
from hri.ca.ocsp_source import RegistrySource
from hri.ca.profiles import Profile
from hri.registry import CertificateRecord, Device, Registry
from ocsp_http import served_folder, served_responder

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)
NOW = datetime.now(UTC).replace(microsecond=0)
SECRET = b"ca secret"


@dataclass(frozen=True)
class World:
    """An authority with certificates in every standing, and a responder at `address`."""

    folder: Path
    authority: Authority
    registry: Registry
    responder: Responder
    address: str

    def ask(self, *arguments: str | Path) -> str:
        """Run `openssl ocsp`; it has to find the answer's signature and its signer good."""
        command = [
            "openssl",
            "ocsp",
            "-issuer",
            self.folder / "issuing.pem",
            "-CAfile",
            self.folder / "root.pem",
        ]
        command += ["-verify_other", self.folder / "issuing.pem", "-url", self.address, *arguments]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Response verify OK" in done.stderr + done.stdout
        return done.stdout + done.stderr


def _record(authority: Authority, registry: Registry, device_id: str, serial_number: int) -> bytes:
    profile = Profile.checked("default", validity=timedelta(days=30))
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = authority.build(key, device_id, profile, serial_number=serial_number, now=NOW)
    spki = hashes.Hash(hashes.SHA256())
    spki.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    registry.upsert_device(Device(device_id, "atecc608b", None, "active", 0, NOW))
    registry.record_certificates(
        [
            CertificateRecord(
                serial_number,
                device_id,
                der,
                spki.finalize().hex(),
                "issued",
                NOW,
                *authority.validity(profile, NOW),
            )
        ]
    )
    return der


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("ocsp")
    made = Authority.create(
        folder, root_passphrase=b"root", ca_passphrase=SECRET, now=NOW - timedelta(hours=1)
    )
    (folder / "root.pem").write_bytes(made.root_pem())
    (folder / "issuing.pem").write_bytes(made.issuing.public_bytes(Encoding.PEM))
    with Registry.open(folder / "hri.db") as registry:
        for number, name in ((0x5001, "good"), (0x5002, "revoked"), (0x5003, "held")):
            der = _record(made, registry, name, number)
            (folder / f"{name}.pem").write_bytes(
                b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
            )
        registry.revoke(0x5002, "keyCompromise", NOW)
        source = RegistrySource(registry, made.issuing)
        delegates = Delegates(made, folder / "keys", SECRET)
        responder = Responder(made.issuing, source.standing_of, delegates)
        with served_responder(lambda der: responder.answer(der, datetime.now(UTC))) as address:
            yield World(folder, made, registry, responder, address)


def test_good(world: World) -> None:
    assert f"{world.folder}/good.pem: good" in world.ask("-cert", world.folder / "good.pem")


def test_revoked_with_reason_and_time(world: World) -> None:
    said = world.ask("-cert", world.folder / "revoked.pem")

    assert f"{world.folder}/revoked.pem: revoked" in said
    assert "Reason: keyCompromise" in said
    assert f"Revocation Time: {NOW:%b} {NOW.day:2} {NOW:%H:%M:%S %Y} GMT" in said


def test_never_issued_is_unknown(world: World) -> None:
    assert "0x9999: unknown" in world.ask("-serial", "0x9999")


def test_the_nonce_is_echoed_and_checked(world: World) -> None:
    said = world.ask("-cert", world.folder / "good.pem", "-nonce", "-text")

    # openssl says nothing of a nonce that fits, and warns of one that is missing.
    assert "WARNING: no nonce in response" not in said
    assert said.count("OCSP Nonce:") == 2


def test_an_issuer_named_by_sha256(world: World) -> None:
    said = world.ask("-sha256", "-cert", world.folder / "good.pem", "-text")

    assert "good.pem: good" in said
    assert said.count("Hash Algorithm: sha256") == 2


def test_several_certificates_in_one_request(world: World) -> None:
    names = [world.folder / f"{name}.pem" for name in ("good", "revoked", "held")]

    said = world.ask(*(word for name in names for word in ("-cert", name)), "-serial", "0x9999")

    assert [
        line.rpartition(": ")[2] for line in said.splitlines() if line.startswith((str(world.folder), "0x"))
    ] == [
        "good",
        "revoked",
        "good",
        "unknown",
    ]


def test_the_answer_is_signed_by_a_delegate_that_the_issuing_ca_certified(world: World) -> None:
    said = world.ask("-cert", world.folder / "good.pem", "-text")

    assert "OCSP Signing" in said
    assert "OCSP No Check" in said
    assert re.search(r"Subject: .*CN ?= ?HRI issuing OCSP", said), said


def test_a_request_in_a_get(world: World) -> None:
    asked = world.folder / "request.der"
    _write_request(world, "good", asked)

    der = _get(world.address, asked)

    assert "good.pem: good" in _read_answer(world, "good", der)


def test_answers_made_ahead_are_served_by_a_static_web_server(world: World) -> None:
    folder = world.folder / "answers"
    source = RegistrySource(world.registry, world.authority.issuing)
    producer = Producer(
        world.authority.issuing,
        source,
        world.responder,
        folder,
        overlap=timedelta(hours=12),
        algorithms=[hashes.SHA1()],  # noqa: S303 - names the issuer
    )
    producer.produce(datetime.now(UTC))

    with served_folder(folder) as address:
        for name, said in (("good", "good"), ("revoked", "revoked"), ("held", "good")):
            asked = world.folder / "request.der"
            _write_request(world, name, asked)
            der = _get(address, asked)
            assert f"{name}.pem: {said}" in _read_answer(world, name, der)


def _get(address: str, request: Path) -> bytes:
    path = quote(base64.b64encode(request.read_bytes()), safe="")
    with urllib.request.urlopen(f"{address}/{path}", timeout=20) as got:  # noqa: S310 - our own server
        return bytes(got.read())


def _write_request(world: World, name: str, path: Path) -> None:
    command = [
        "openssl",
        "ocsp",
        "-issuer",
        world.folder / "issuing.pem",
        "-cert",
        world.folder / f"{name}.pem",
    ]
    command += ["-no_nonce", "-reqout", path]
    subprocess.run(list(map(str, command)), capture_output=True, timeout=60, check=True)


def _read_answer(world: World, name: str, der: bytes) -> str:
    path = world.folder / "answer.der"
    path.write_bytes(der)
    command = [
        "openssl",
        "ocsp",
        "-issuer",
        world.folder / "issuing.pem",
        "-cert",
        world.folder / f"{name}.pem",
    ]
    command += ["-CAfile", world.folder / "root.pem", "-verify_other", world.folder / "issuing.pem"]
    command += ["-respin", path, "-no_nonce"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert "Response verify OK" in done.stdout + done.stderr
    return done.stdout
