"""Whatever stands in a request, it is checked or refused with a code, and never ends in another exception."""

from __future__ import annotations

import random
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hri.ca.authority import Authority
from hri.ca.csr import check_csr
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.errors import HriError, PolicyRefusal
from hri.registry import Registry

_SEED = 5
_ROUNDS = 4000
_EMPTY = x509.Name([])


def _mutated(der: bytes, random_source: random.Random) -> bytes:
    """Change, cut, repeat or insert a few bytes; lengths and tags are hit as often as content."""
    data = bytearray(der)
    for _ in range(random_source.randint(1, 4)):
        place = random_source.randrange(len(data)) if data else 0
        kind = random_source.randrange(5)
        if kind == 0 and data:
            data[place] ^= 1 << random_source.randrange(8)
        elif kind == 1 and data:
            data[place] = random_source.choice((0x00, 0x01, 0x7F, 0x80, 0x84, 0xFF))
        elif kind == 2:
            del data[place : place + random_source.randint(1, 40)]
        elif kind == 3:
            data[place:place] = data[place : place + random_source.randint(1, 40)]
        else:
            data[place:place] = random_source.randbytes(random_source.randint(1, 12))
    return bytes(data)


def test_mutated_requests_are_refused_by_us(make_csr, key: ec.EllipticCurvePrivateKey) -> None:
    source = random.Random(_SEED)  # noqa: S311 - to be the same every time
    good = make_csr(key)
    accepted, codes = 0, set()

    for _ in range(_ROUNDS):
        der = _mutated(good, source)
        try:
            checked = check_csr(der)
        except PolicyRefusal as refusal:
            codes.add(refusal.code)
        else:
            # Mutations that cancel each other out leave the request as it was, and nothing else passes.
            assert der == good
            assert checked.subject_cn == "dev-1"
            accepted += 1

    assert {"csr-malformed", "csr-signature"} <= codes
    assert accepted < _ROUNDS // 100


def test_noise_is_refused_by_us() -> None:
    source = random.Random(_SEED)  # noqa: S311 - to be the same every time

    for _ in range(_ROUNDS):
        with pytest.raises(PolicyRefusal):
            check_csr(b"\x30" * source.randrange(2) + source.randbytes(source.randrange(200)))


@pytest.mark.parametrize("size", [8193, 1 << 20])
def test_a_huge_request_is_not_even_parsed(size: int) -> None:
    with pytest.raises(PolicyRefusal) as refused:
        check_csr(b"\x30\x83" + size.to_bytes(3, "big") + bytes(size))

    assert refused.value.code == "csr-malformed"
    assert str(size + 5) in refused.value.message


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(PolicyRefusal):
        check_csr(b"\x30\x80" * 4000)


@pytest.mark.parametrize(
    "other",
    [
        lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["rsa1024", "rsa2048", "p384", "secp256k1", "ed25519"],
)
def test_keys_that_no_device_may_have_are_refused(other) -> None:
    key = other()
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    csr = x509.CertificateSigningRequestBuilder().subject_name(_EMPTY).sign(key, digest)

    with pytest.raises(PolicyRefusal) as refused:
        check_csr(csr.public_bytes(Encoding.DER))

    assert refused.value.code == "csr-key-type"


def test_extensions_and_names_in_a_request_change_nothing(
    authority: Authority, registry: Registry, profile: Profile, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    wished = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Somebody Else")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("bank.example")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CODE_SIGNING]), critical=True)
        .sign(key, hashes.SHA256())
    )

    issuer = Issuer(authority, registry, require_attestation=False)
    issued = issuer.issue(IssueRequest(wished.public_bytes(Encoding.DER), "dev-1", profile), now)

    leaf = x509.load_der_x509_certificate(issued.der)
    assert leaf.subject.rfc4514_string() == "CN=dev-1"
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier("urn:hri:device:dev-1")]
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        x509.ExtendedKeyUsageOID.CLIENT_AUTH
    ]


def test_a_batch_with_hostile_requests_still_serves_the_others(
    authority: Authority, registry: Registry, profile: Profile, make_csr, key, now: datetime
) -> None:
    source = random.Random(_SEED)  # noqa: S311 - to be the same every time
    good = make_csr(key)
    hostile = [IssueRequest(_mutated(good, source), "dev-1", profile, unattested="x") for _ in range(40)]
    issuer = Issuer(authority, registry, require_attestation=False)

    outcomes = issuer.issue_many([*hostile, IssueRequest(make_csr(key, "dev-2"), "dev-2", profile)], now)

    assert all(isinstance(one, HriError) for one in outcomes[:-1])
    assert not isinstance(outcomes[-1], HriError)
