"""What the openssl program answers as an OCSP responder is read as it was meant."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conformance.mutated_chains.drafts import DAY, Draft
from conformance.mutated_chains.world import World, chance, good_world, responder
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from hri.serial_numbers import serial_text
from hri.verify.decision import Decision, ReasonCode
from hri.verify.path import OcspEvidence, verify_certificate

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)

NOW = datetime.now(UTC)


@pytest.fixture(params=["p256", "p384", "rsa3072"])
def world(request: pytest.FixtureRequest) -> World:
    """A hierarchy that is valid at the present time, which openssl puts into its answers."""
    given = good_world(chance("openssl ocsp"), evidence="delegated", depth=1, kinds=[request.param])
    for draft in (*given.authorities, given.leaf, given.response.responder):
        draft.not_before, draft.not_after = NOW - 9 * DAY, NOW + 9 * DAY
    return given


def write(folder: Path, name: str, draft: Draft) -> None:
    (folder / f"{name}.pem").write_bytes(draft.certificate.public_bytes(Encoding.PEM))
    key = draft.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.key").write_bytes(key)


def answer(world: World, folder: Path, status: str, signer: Draft) -> OcspEvidence:
    """Let openssl ask, and answer from a database in which the device has this status."""
    write(folder, "ca", world.issuing)
    write(folder, "leaf", world.leaf)
    write(folder, "signer", signer)
    until, since = (f"{moment:%y%m%d%H%M%SZ}" for moment in (NOW + DAY, NOW - DAY))
    entry = {"good": f"V\t{until}\t", "revoked": f"R\t{until}\t{since},keyCompromise", "unknown": None}[
        status
    ]
    number = serial_text(world.leaf.serial).upper()
    line = "" if entry is None else f"{entry}\t{number}\tunknown\t/CN=device-1\n"
    (folder / "index.txt").write_text(line)
    for arguments in (
        ["-issuer", "ca.pem", "-cert", "leaf.pem", "-reqout", "request.der"],
        [
            *("-index", "index.txt", "-CA", "ca.pem", "-rsigner", "signer.pem", "-rkey", "signer.key"),
            *("-reqin", "request.der", "-respout", "response.der", "-ndays", "1"),
        ],
    ):
        subprocess.run(
            ["openssl", "ocsp", *arguments], cwd=folder, capture_output=True, timeout=60, check=True
        )
    nonce = ocsp.load_der_ocsp_request((folder / "request.der").read_bytes()).extensions[0].value
    octets: bytes = nonce.nonce  # type: ignore[attr-defined]
    return OcspEvidence((folder / "response.der").read_bytes(), octets)


def decide(world: World, evidence: OcspEvidence) -> Decision:
    shown = world.present()
    at = datetime.now(UTC) + timedelta(seconds=1)
    return verify_certificate(shown.leaf, shown.chain, shown.anchors, at=at, ocsp=[evidence])


@pytest.mark.parametrize("delegated", [True, False])
def test_good(world: World, tmp_path: Path, delegated: bool) -> None:
    signer = world.response.responder if delegated else world.issuing

    decision = decide(world, answer(world, tmp_path, "good", signer))

    assert decision.trusted, decision.reasons
    assert decision.evidence["standing"][0]["responder"] == signer.subject.rfc4514_string()


@pytest.mark.parametrize(
    ("status", "code"), [("revoked", ReasonCode.REVOKED), ("unknown", ReasonCode.REVOCATION_UNKNOWN)]
)
def test_not_good(world: World, tmp_path: Path, status: str, code: ReasonCode) -> None:
    assert decide(world, answer(world, tmp_path, status, world.response.responder)).codes == (code,)


def test_by_a_responder_that_nobody_appointed(world: World, tmp_path: Path) -> None:
    stranger = responder(chance("stranger"), world.root)
    stranger.not_before, stranger.not_after = NOW - 9 * DAY, NOW + 9 * DAY

    evidence = answer(world, tmp_path, "good", stranger)

    assert decide(world, evidence).codes == (ReasonCode.REVOCATION_UNKNOWN,)
