"""The responder, asked by cryptography's own client classes: good, revoked, unknown, and every refusal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.asn1 import encode_der
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hri.ca import ocsp_messages as messages
from hri.ca.authority import Authority
from hri.ca.ocsp import MALFORMED_REQUEST, TRY_LATER, UNAUTHORIZED, Responder
from hri.ca.ocsp_delegate import Delegate, Delegates, open_delegate
from hri.ca.ocsp_messages import REASONS, Standing
from hri.errors import ConfigurationError, StorageError

GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
SHA1, SHA256 = hashes.SHA1(), hashes.SHA256()  # noqa: S303 - SHA-1 names the issuer
SECRET = b"ca secret"


@pytest.fixture(scope="module")
def delegate(authority: Authority, tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Delegate:
    return open_delegate(authority, tmp_path_factory.mktemp("ocsp"), SECRET, now=now)


@dataclass
class Knowledge:
    standings: dict[int, Standing]

    def __call__(self, serial_numbers: Collection[int]) -> Mapping[int, Standing]:
        return {number: self.standings[number] for number in serial_numbers if number in self.standings}


@pytest.fixture
def knowledge(now: datetime) -> Knowledge:
    return Knowledge({5: Standing(), 6: Standing(now - timedelta(days=1), "keyCompromise")})


@pytest.fixture
def responder(authority: Authority, delegate: Delegate, knowledge: Knowledge) -> Responder:
    return Responder(authority.issuing, knowledge, lambda _now: delegate)


def read(der: bytes) -> ocsp.OCSPResponse:
    return ocsp.load_der_ocsp_response(der)


def leaf_of(issuer: x509.Certificate) -> x509.Certificate:
    """A certificate with the CA's name as its issuer, as clients have one; signatures do not matter here."""
    key = ec.generate_private_key(ec.SECP256R1())
    start, end = datetime(2026, 1, 1), datetime(2027, 1, 1)  # noqa: DTZ001 - as the builder takes it
    builder = x509.CertificateBuilder(issuer.subject, x509.Name([]), key.public_key(), 1, start, end)
    return builder.sign(key, SHA256)


def ask(
    issuer: x509.Certificate,
    serial_number: int,
    algorithm: hashes.HashAlgorithm = SHA1,
    *extensions: tuple[x509.ExtensionType, bool],
) -> bytes:
    named = ocsp.OCSPRequestBuilder().add_certificate(leaf_of(issuer), issuer, algorithm).build()
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        named.issuer_name_hash, named.issuer_key_hash, serial_number, algorithm
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.build().public_bytes(Encoding.DER)


def together(*requests: bytes) -> bytes:
    """One message of several requests, which cryptography's builder does not make."""
    parts = [messages.decode_der(messages._Request, der) for der in requests]
    parts[0].tbs.requests = [single for part in parts for single in part.tbs.requests]
    return encode_der(parts[0])


@pytest.mark.parametrize("algorithm", [SHA1, SHA256])
def test_a_certificate_in_good_standing(
    authority: Authority,
    responder: Responder,
    delegate: Delegate,
    now: datetime,
    algorithm: hashes.HashAlgorithm,
) -> None:
    answer = read(responder.answer(ask(authority.issuing, 5, algorithm), now))

    assert (answer.certificate_status, answer.serial_number) == (GOOD, 5)
    assert answer.hash_algorithm.name == algorithm.name
    assert (answer.this_update_utc, answer.next_update_utc) == (now, now + timedelta(hours=24))
    key = delegate.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(SHA256))
    assert answer.certificates == [delegate.certificate]
    assert answer.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(key).digest


def test_a_revoked_certificate_with_time_and_reason(
    authority: Authority, responder: Responder, now: datetime
) -> None:
    answer = read(responder.answer(ask(authority.issuing, 6), now))

    assert answer.certificate_status is REVOKED
    assert answer.revocation_time_utc == now - timedelta(days=1)
    assert answer.revocation_reason is x509.ReasonFlags.key_compromise


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_said(
    authority: Authority, responder: Responder, knowledge: Knowledge, now: datetime, reason: str
) -> None:
    knowledge.standings[5] = Standing(now, reason)

    answer = read(responder.answer(ask(authority.issuing, 5), now))

    assert answer.revocation_reason is not None
    assert answer.revocation_reason.value == reason


@pytest.mark.parametrize("serial_number", [7, 1 << 158, (1 << 800) + 1])
def test_a_serial_number_that_was_never_issued_is_unknown_and_not_pretended_revoked(
    authority: Authority, responder: Responder, now: datetime, serial_number: int
) -> None:
    named = ocsp.OCSPRequestBuilder().add_certificate(leaf_of(authority.issuing), authority.issuing, SHA1)
    request = messages.decode_der(messages._Request, named.build().public_bytes(Encoding.DER))
    request.tbs.requests[0].cert_id.serial_number = serial_number

    answer = read(responder.answer(encode_der(request), now))

    assert (answer.certificate_status, answer.serial_number) == (UNKNOWN, serial_number)


def test_the_serial_number_of_another_authority_of_the_same_name_is_not_answered_for(
    authority: Authority, responder: Responder, tmp_path: Path, now: datetime
) -> None:
    other = Authority.create(tmp_path, root_passphrase=b"r", ca_passphrase=b"c", now=now)
    assert other.issuing.subject == authority.issuing.subject

    assert responder.answer(ask(other.issuing, 5), now) == UNAUTHORIZED
    both = responder.answer(together(ask(other.issuing, 5), ask(authority.issuing, 5)), now)
    statuses = [one.certificate_status for one in read(both).responses]
    assert statuses == [UNKNOWN, GOOD]


def test_several_certificates_in_one_message(
    authority: Authority, responder: Responder, now: datetime
) -> None:
    asked = together(*(ask(authority.issuing, number) for number in (6, 5, 7, 5)))

    answer = read(responder.answer(asked, now))

    told = [(one.serial_number, one.certificate_status) for one in answer.responses]
    assert told == [(6, REVOKED), (5, GOOD), (7, UNKNOWN), (5, GOOD)]


@pytest.mark.parametrize("length", [1, 16, 32, 128])
def test_a_nonce_is_echoed(authority: Authority, responder: Responder, now: datetime, length: int) -> None:
    nonce = bytes(range(length))

    der = responder.answer(ask(authority.issuing, 5, SHA1, (x509.OCSPNonce(nonce), False)), now)

    answer = read(der)
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce


@pytest.mark.parametrize("length", [0, 129, 10_000])
def test_a_nonce_of_a_length_that_is_not_allowed_is_malformed(
    authority: Authority, responder: Responder, now: datetime, length: int
) -> None:
    asked = ask(authority.issuing, 5, SHA1, (x509.OCSPNonce(bytes(length)), False))

    assert responder.answer(asked, now) == MALFORMED_REQUEST


def test_a_critical_extension_that_is_not_understood_is_malformed(
    authority: Authority, responder: Responder, now: datetime
) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")

    assert responder.answer(ask(authority.issuing, 5, SHA1, (unknown, True)), now) == MALFORMED_REQUEST
    lenient = read(responder.answer(ask(authority.issuing, 5, SHA1, (unknown, False)), now))
    assert lenient.certificate_status is GOOD
    assert len(lenient.extensions) == 0


@pytest.mark.parametrize("count", [65, 1000])
def test_more_certificates_than_are_answered_are_malformed_and_cost_no_look_up(
    authority: Authority, delegate: Delegate, now: datetime, count: int
) -> None:
    def never(_serial_numbers: Collection[int]) -> Mapping[int, Standing]:
        raise AssertionError

    responder = Responder(authority.issuing, never, lambda _now: delegate)

    assert responder.answer(together(*[ask(authority.issuing, 5)] * count), now) == MALFORMED_REQUEST


def test_no_bytes_lead_to_an_exception(authority: Authority, responder: Responder, now: datetime) -> None:
    asked = ask(authority.issuing, 5, SHA1, (x509.OCSPNonce(b"nonce"), False))
    damaged = [asked[:length] for length in range(len(asked))]
    damaged += [
        asked[:at] + bytes([asked[at] ^ bit]) + asked[at + 1 :]
        for at in range(len(asked))
        for bit in (1, 128)
    ]
    damaged += [asked + b"\x00", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"0" * 100_000]

    answers = [read(responder.answer(der, now)) for der in damaged]

    allowed = {
        ocsp.OCSPResponseStatus.MALFORMED_REQUEST,
        ocsp.OCSPResponseStatus.UNAUTHORIZED,
        ocsp.OCSPResponseStatus.SUCCESSFUL,
    }
    assert {answer.response_status for answer in answers} == allowed


def test_a_registry_that_cannot_be_reached_is_asked_later(
    authority: Authority, delegate: Delegate, now: datetime
) -> None:
    def gone(_serial_numbers: Collection[int]) -> Mapping[int, Standing]:
        raise StorageError("database-unreachable", "gone", "")

    responder = Responder(authority.issuing, gone, lambda _now: delegate)

    assert responder.answer(ask(authority.issuing, 5), now) == TRY_LATER


def test_an_expired_delegate_signs_nothing(
    authority: Authority, responder: Responder, delegate: Delegate, now: datetime
) -> None:
    end = delegate.certificate.not_valid_after_utc
    last = read(responder.answer(ask(authority.issuing, 5), end - timedelta(seconds=1)))

    assert last.next_update_utc == end
    assert responder.answer(ask(authority.issuing, 5), end) == TRY_LATER
    assert responder.answer(ask(authority.issuing, 5), now - timedelta(days=1)) == TRY_LATER


def test_the_delegate_is_certified_for_ocsp_and_for_nothing_else(
    authority: Authority, delegate: Delegate
) -> None:
    certificate = delegate.certificate
    certificate.verify_directly_issued_by(authority.issuing)
    extensions = certificate.extensions

    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.OCSP_SIGNING
    ]
    assert extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life <= timedelta(days=15)


def test_the_delegate_is_kept_and_renewed_before_it_ends(
    authority: Authority, tmp_path: Path, now: datetime
) -> None:
    first = open_delegate(authority, tmp_path, SECRET, now=now)
    again = open_delegate(authority, tmp_path, SECRET, now=now + timedelta(days=6))
    renewed = open_delegate(authority, tmp_path, SECRET, now=now + timedelta(days=8))

    assert again.certificate == first.certificate
    assert renewed.certificate.not_valid_after_utc == now + timedelta(days=22)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in file.read_bytes()


def test_without_the_issuing_key_a_delegate_serves_until_its_end(
    authority: Authority, home: Path, tmp_path: Path, now: datetime
) -> None:
    public = Authority.open_public(home)
    first = open_delegate(authority, tmp_path, SECRET, now=now)
    delegates = Delegates(public, tmp_path, SECRET)

    assert delegates(now + timedelta(days=13)).certificate == first.certificate
    with pytest.raises(ConfigurationError) as refused:
        delegates(now + timedelta(days=14))
    assert refused.value.code == "no-ocsp-responder"


def test_a_delegate_renewed_by_another_process_is_taken_up(
    authority: Authority, home: Path, tmp_path: Path, now: datetime
) -> None:
    open_delegate(authority, tmp_path, SECRET, now=now)
    delegates = Delegates(Authority.open_public(home), tmp_path, SECRET)
    later = now + timedelta(days=10)
    delegates(later)
    renewed = open_delegate(authority, tmp_path, SECRET, now=later)

    assert delegates(later + timedelta(minutes=2)).certificate == renewed.certificate


@pytest.mark.parametrize("content", [b"", b"damaged", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_damaged_delegate_is_made_anew(
    authority: Authority, tmp_path: Path, now: datetime, content: bytes
) -> None:
    open_delegate(authority, tmp_path, SECRET, now=now)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)

    assert open_delegate(authority, tmp_path, SECRET, now=now).is_valid(now)


def test_the_delegate_of_another_authority_is_not_used(
    authority: Authority, tmp_path: Path, now: datetime
) -> None:
    other = Authority.create(tmp_path / "other", root_passphrase=b"r", ca_passphrase=b"c", now=now)
    open_delegate(other, tmp_path / "ocsp", SECRET, now=now)
    (file,) = (tmp_path / "ocsp").iterdir()
    file.rename(file.with_name(f"{authority.key_identifier}.pem"))

    made = open_delegate(authority, tmp_path / "ocsp", SECRET, now=now)

    made.certificate.verify_directly_issued_by(authority.issuing)
