"""Answers made ahead: what a static web server serves is what the registry says, and is replaced in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.ocsp import Responder
from hri.ca.ocsp_delegate import Delegates
from hri.ca.ocsp_files import Produced, Producer, answer_path
from hri.ca.ocsp_source import RegistrySource
from hri.ca.profiles import Profile
from hri.errors import ConfigurationError, StorageError
from hri.registry import Registry

GOOD, REVOKED = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED
SHA1, SHA256 = hashes.SHA1(), hashes.SHA256()  # noqa: S303 - SHA-1 names the issuer
HOUR = timedelta(hours=1)


@dataclass
class Site:
    """A registry with one certificate and the folder of answers about it."""

    authority: Authority
    registry: Registry
    folder: Path
    certificate: x509.Certificate

    def producer(self, *algorithms: hashes.HashAlgorithm) -> Producer:
        source = RegistrySource(self.registry, self.authority.issuing)
        keys = self.folder.parent / "keys"
        responder = Responder(
            self.authority.issuing, source.standing_of, Delegates(self.authority, keys, b"secret")
        )
        return Producer(
            self.authority.issuing,
            source,
            responder,
            self.folder,
            overlap=12 * HOUR,
            algorithms=algorithms or (SHA1,),
        )

    def answer(self, algorithm: hashes.HashAlgorithm = SHA1) -> ocsp.OCSPResponse:
        builder = ocsp.OCSPRequestBuilder()
        request = builder.add_certificate(self.certificate, self.authority.issuing, algorithm).build()
        path = self.folder / answer_path(request.public_bytes(Encoding.DER))
        return ocsp.load_der_ocsp_response(path.read_bytes())

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def site(
    authority: Authority,
    registry: Registry,
    tmp_path: Path,
    now: datetime,
    profile: Profile,
    make_csr: Callable[..., bytes],
    key: ec.EllipticCurvePrivateKey,
) -> Site:
    issued = Issuer(authority, registry, require_attestation=False).issue(
        IssueRequest(make_csr(key), "dev-1", profile), now
    )
    certificate = x509.load_der_x509_certificate(issued.der)
    return Site(authority, registry, tmp_path / "answers", certificate)


def test_an_answer_lies_where_its_request_leads(site: Site, now: datetime) -> None:
    assert site.producer().produce(now) == Produced(written=1, kept=0, removed=0)

    answer = site.answer()
    assert (answer.certificate_status, answer.serial_number) == (GOOD, site.certificate.serial_number)
    assert len(answer.extensions) == 0


def test_clients_may_name_the_issuer_by_either_hash(site: Site, now: datetime) -> None:
    site.producer(SHA1, SHA256).produce(now)

    assert {site.answer(algorithm).certificate_status for algorithm in (SHA1, SHA256)} == {GOOD}
    assert len(site.files()) == 2


def test_an_answer_is_replaced_when_half_of_its_life_is_over(site: Site, now: datetime) -> None:
    site.producer().produce(now)

    assert site.producer().produce(now + 12 * HOUR - timedelta(seconds=1)) == Produced(0, 1, 0)
    assert site.producer().produce(now + 12 * HOUR) == Produced(1, 0, 0)
    assert site.answer().next_update_utc == now + 36 * HOUR


def test_a_revocation_is_said_by_the_next_run(site: Site, now: datetime) -> None:
    site.producer().produce(now)
    site.registry.revoke(site.certificate.serial_number, "superseded", now)

    assert site.producer().produce(now + HOUR) == Produced(1, 0, 0)
    answer = site.answer()
    assert (answer.certificate_status, answer.revocation_reason) == (REVOKED, x509.ReasonFlags.superseded)
    assert site.producer().produce(now + HOUR) == Produced(0, 1, 0)

    site.registry.revoke(site.certificate.serial_number, "keyCompromise", now)
    site.producer().produce(now + HOUR)
    assert site.answer().revocation_reason is x509.ReasonFlags.key_compromise


@pytest.mark.parametrize("content", [b"", b"damaged", b"\x30\x03\x0a\x01\x06"])
def test_a_damaged_answer_is_replaced(site: Site, now: datetime, content: bytes) -> None:
    site.producer().produce(now)
    (path,) = site.files()
    path.write_bytes(content)

    assert site.producer().produce(now) == Produced(1, 0, 0)


def test_the_answer_goes_with_its_certificate_and_strangers_files_stay(site: Site, now: datetime) -> None:
    site.producer().produce(now)
    (site.folder / "index.html").write_text("hello")

    done = site.producer().produce(site.certificate.not_valid_after_utc + timedelta(seconds=1))

    assert done == Produced(0, 0, 1)
    assert [path.name for path in site.files()] == ["index.html"]


def test_a_clock_set_back_replaces_nothing(site: Site, now: datetime) -> None:
    site.producer().produce(now)

    assert site.producer().produce(now - timedelta(minutes=1)) == Produced(0, 1, 0)
    with pytest.raises(ConfigurationError) as refused:
        site.producer().produce(now - HOUR)
    assert refused.value.code == "clock-went-back"
    assert site.producer().produce(now - HOUR, clock_was_ahead=True) == Produced(0, 1, 0)


def test_a_responder_that_cannot_answer_leaves_what_is_there(site: Site, now: datetime) -> None:
    site.producer().produce(now)
    before = [path.read_bytes() for path in site.files()]
    site.registry.revoke(site.certificate.serial_number, "superseded", now)
    public = Authority(site.authority.root, site.authority.issuing, None)
    locked = Site(public, site.registry, site.folder, site.certificate)

    with pytest.raises(StorageError) as refused:
        locked.producer().produce(now + timedelta(days=14))

    assert refused.value.code == "no-ocsp-answer"
    assert [path.read_bytes() for path in site.files()] == before


def test_the_certificates_of_another_authority_in_the_registry_are_left_out(
    site: Site, tmp_path: Path, now: datetime
) -> None:
    other = Authority.create(tmp_path / "other", root_passphrase=b"r", ca_passphrase=b"c", now=now)
    theirs = Site(other, site.registry, tmp_path / "theirs", site.certificate)

    assert theirs.producer().produce(now) == Produced(0, 0, 0)
    assert RegistrySource(site.registry, other.issuing).standing_of({site.certificate.serial_number}) == {}


def test_a_slash_in_a_request_is_a_folder() -> None:
    assert answer_path(b"\xff\xff\xff" + b"0") == Path("MA==")
    assert answer_path(b"0\xff\xff\xfe0") == Path("MP/jA=")
