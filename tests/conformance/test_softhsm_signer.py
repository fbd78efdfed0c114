"""Keys in a SoftHSM2 token sign what cryptography builds, and stay where they are."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pkcs11
import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp
from hri.ca.pkcs11_signer import TokenSigners, derivation, open_in_token
from hri.ca.pkcs11_token import Token
from hri.ca.pkcs11_uri import KeyUri
from hri.ca.signer import KeyKind, NewKey, digest_for, kind_of
from hri.errors import ConfigurationError, DeviceError
from pkcs11 import (
    Attribute,
    Mechanism,
    MechanismFlag,
    ObjectClass,
    PKCS11Error,
    Session,
)
from pkcs11 import KeyType as PkcsKeyType
from soft_token import PIN, SoftToken, soft_token

__all__ = ["soft_token"]
KINDS = [KeyKind.P256, KeyKind.P384, KeyKind.RSA3072]
HASHES = [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]


@pytest.fixture
def token(soft_token: SoftToken) -> Token:
    return Token(soft_token.module, soft_token.label, PIN.encode)


@pytest.fixture
def made(token: Token) -> Iterator[Callable[[KeyKind], NewKey]]:
    keys: list[NewKey] = []

    def make(kind: KeyKind) -> NewKey:
        keys.append(TokenSigners(token).generate(f"a {kind} key", kind))
        return keys[-1]

    yield make
    for key in keys:
        key.discard()


def _self_signed(key: NewKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "in a token")])
    start = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.signer.public_key(), 7, start, start + timedelta(days=1)
    )
    return builder.sign(key.signer, digest_for(key.signer.public_key()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_builder_takes_a_key_in_a_token(made, kind: KeyKind) -> None:
    key = made(kind)
    digest, public = digest_for(key.signer.public_key()), key.signer.public_key()
    certificate, now = _self_signed(key), datetime.now(UTC)

    certificate.verify_directly_issued_by(certificate)
    csr = x509.CertificateSigningRequestBuilder().subject_name(certificate.subject).sign(key.signer, digest)
    assert csr.is_signature_valid
    crl = x509.CertificateRevocationListBuilder(certificate.subject, now, now + timedelta(days=1))
    assert crl.sign(key.signer, digest).is_signature_valid(public)
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(certificate, certificate, digest, ocsp.OCSPCertStatus.GOOD, now, None, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, certificate)
        .sign(key.signer, digest)
    )
    assert response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    signed = pkcs7.PKCS7SignatureBuilder().set_data(b"x").add_signer(certificate, key.signer, digest)
    assert pkcs7.load_der_pkcs7_certificates(signed.sign(Encoding.DER, [])) == [certificate]


@pytest.mark.parametrize("digest", HASHES, ids=lambda digest: digest.name)
@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384])
def test_the_hash_asked_for_is_the_hash_that_is_signed(
    made, kind: KeyKind, digest: hashes.HashAlgorithm
) -> None:
    signer = made(kind).signer

    signer.public_key().verify(signer.sign(b"message", ec.ECDSA(digest)), b"message", ec.ECDSA(digest))
    value = hashes.Hash(digest)
    value.update(b"message")
    prehashed = signer.sign(value.finalize(), ec.ECDSA(Prehashed(digest)))
    signer.public_key().verify(prehashed, b"message", ec.ECDSA(digest))


def test_rsa_signs_with_every_hash_and_with_no_other_padding(made) -> None:
    signer = made(KeyKind.RSA3072).signer
    assert isinstance(signer, rsa.RSAPrivateKey)

    for digest in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        signature = signer.sign(b"message", padding.PKCS1v15(), digest)
        signer.public_key().verify(signature, b"message", padding.PKCS1v15(), digest)
    with pytest.raises(UnsupportedAlgorithm):
        signer.sign(b"message", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_can_be_taken_out(made, token: Token, soft_token: SoftToken, kind: KeyKind) -> None:
    key = made(kind)
    key_id = KeyUri.parse(key.content.decode().strip()).key_id

    for leave in (key.signer.private_numbers, key.signer.private_bytes):
        with pytest.raises(ConfigurationError) as refused:
            leave()
        assert refused.value.code == "key-in-token"
    # What another program is told about the same key.
    shown = soft_token.tool("--list-objects", "--type", "privkey", "--id", key_id.hex())
    assert re.search(r"Access:\s+sensitive, always sensitive, never extractable, local", shown), shown
    assert token.call(lambda session: _refusals(session, key_id), "trying") == [
        "AttributeSensitive",
        "KeyUnextractable",
    ]


def _refusals(session: Session, key_id: bytes) -> list[str]:
    """Try to read the private half, and to wrap it under a key of ours; return what the token says."""
    (key,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id})
    wrapping = session.generate_key(PkcsKeyType.AES, 256, capabilities=MechanismFlag.WRAP)
    secret = Attribute.PRIVATE_EXPONENT if key.key_type == PkcsKeyType.RSA else Attribute.VALUE
    said = []
    for attempt in (
        lambda: key[secret],
        lambda: wrapping.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP_PAD),
    ):
        try:
            said.append(repr(attempt()))
        except PKCS11Error as error:
            said.append(type(error).__name__)
    return said


def test_another_program_verifies_what_the_token_signed(made, soft_token: SoftToken, tmp_path) -> None:
    key = made(KeyKind.P256)
    key_id = KeyUri.parse(key.content.decode().strip()).key_id.hex()
    (tmp_path / "data").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(key.signer.sign(b"message", ec.ECDSA(hashes.SHA256())))

    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"message")
    (tmp_path / "data").write_bytes(digest.finalize())
    said = soft_token.tool(
        *("--verify", "--id", key_id, "--mechanism", "ECDSA", "--signature-format", "openssl"),
        *("--input-file", str(tmp_path / "data"), "--signature-file", str(tmp_path / "signature")),
    )

    assert "Signature is valid" in said


# python-pkcs11 ends its search in a session that is gone, and says so when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_restart_of_the_token_is_survived(made, token: Token) -> None:
    key = made(KeyKind.P256)
    # Every session and every login of this process is gone.
    pkcs11.lib(token.module).reinitialize()

    _self_signed(key).verify_directly_issued_by(_self_signed(key))
    pkcs11.lib(token.module).reinitialize()
    assert kind_of(made(KeyKind.P384).signer.public_key()) is KeyKind.P384


def test_a_slow_token_costs_no_more_than_the_deadline(token: Token) -> None:
    slow = Token(token.module, token.label, token.pin, timeout=0.05)
    over = threading.Event()
    try:
        with pytest.raises(DeviceError) as refused:
            slow.call(lambda _session: over.wait(60), "signing")
    finally:
        over.set()

    assert (refused.value.code, refused.value.exit_status) == ("hsm-timeout", 3)
    assert token.call(lambda _session: "well again", "asking") == "well again"


def test_a_call_that_waited_too_long_is_not_made_later(token: Token) -> None:
    begun, over = threading.Event(), threading.Event()
    made_late: list[int] = []
    slow = Token(token.module, token.label, token.pin, timeout=0.05)

    def hold(_session: object) -> None:
        begun.set()
        over.wait(60)

    holder = threading.Thread(target=lambda: token.call(hold, "holding"))
    holder.start()
    begun.wait(60)
    with pytest.raises(DeviceError):
        slow.call(lambda _session: made_late.append(1), "making a key")
    over.set()
    holder.join(60)
    token.call(lambda _session: None, "asking")

    assert made_late == []


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"pin": b"0000".strip}, "wrong-pin", 2),
        ({"pin": b"\xff\xfe".strip}, "wrong-pin", 2),
        ({"label": "not there"}, "no-such-token", 3),
        ({"module": "/nowhere/module.so"}, "no-pkcs11-module", 2),
    ],
    ids=["pin", "pin that is no text", "label", "module"],
)
def test_what_is_wrong_is_said(token: Token, change: dict, code: str, status: int) -> None:
    wrong = Token(**{"module": token.module, "label": token.label, "pin": token.pin} | change)

    with pytest.raises((ConfigurationError, DeviceError)) as refused:
        wrong.call(lambda _session: None, "asking")

    assert (refused.value.code, refused.value.exit_status) == (code, status)


def test_a_key_that_could_be_taken_out_is_refused(token: Token, soft_token: SoftToken) -> None:
    arguments = ("--keypairgen", "--key-type", "EC:prime256v1", "--id", "beef", "--label", "loose")
    soft_token.tool(*arguments, "--extractable")

    with pytest.raises(ConfigurationError) as refused:
        open_in_token(token, b"\xbe\xef", "issuing CA")

    assert refused.value.code == "key-extractable"


def test_a_key_that_is_not_there_is_named(token: Token) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_in_token(token, b"\x01\x02\x03", "issuing CA")

    assert refused.value.code == "no-such-key"
    assert "issuing CA" in refused.value.message


def test_a_secret_beside_a_key_derives_and_stays_in_the_token(
    token: Token, made: Callable[[KeyKind], NewKey]
) -> None:
    first, second = (KeyUri.parse(made(KeyKind.P256).content.decode().strip()).key_id for _ in range(2))
    derive, other = derivation(token, first, "test"), derivation(token, second, "test")
    assert derive is not None
    assert other is not None

    assert derive("a") == derive("a")
    assert len({derive("a"), derive("b"), other("a"), other("b")}) == 4
    assert len(derive("a")) == 32

    def read(session: Session) -> bytes:
        template = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.ID: first}
        (secret,) = session.get_objects(template)
        return secret[Attribute.VALUE]

    with pytest.raises(DeviceError):
        token.call(read, "reading the secret")


def test_a_key_without_a_secret_beside_it_derives_nothing(
    token: Token, made: Callable[[KeyKind], NewKey]
) -> None:
    key_id = KeyUri.parse(made(KeyKind.P256).content.decode().strip()).key_id

    def lose(session: Session) -> None:
        for secret in list(
            session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.ID: key_id})
        ):
            secret.destroy()

    derive = derivation(token, key_id, "test")
    assert derive is not None
    token.call(lose, "losing the secret")
    assert derivation(token, key_id, "test") is None
    with pytest.raises(ConfigurationError):
        derive("a")
