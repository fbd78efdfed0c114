"""A request is taken apart strictly and must prove possession of its key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hri.ca.csr import check_csr
from hri.errors import PolicyRefusal
from hypothesis import given
from hypothesis import strategies as st

MakeCsr = Callable[..., bytes]
KEY = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())


def _request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, digest: hashes.HashAlgorithm) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, digest).public_bytes(Encoding.DER)


GOOD = _request(KEY, hashes.SHA256())


def test_a_good_request_gives_its_key_name_and_digests(make_csr: MakeCsr) -> None:
    der = make_csr(KEY, "dev-7")

    csr = check_csr(der)

    spki = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert csr.subject_cn == "dev-7"
    assert csr.spki_der == spki
    assert csr.public_bytes == spki[-64:]
    assert csr.public_key_sha256 == hashlib.sha256(spki).hexdigest()
    assert csr.sha256 == hashlib.sha256(der).digest()
    assert csr.public_key == KEY.public_key()


def test_a_request_without_a_common_name_has_none() -> None:
    assert check_csr(GOOD).subject_cn is None


def _two_names() -> bytes:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("a", "b")]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def _signature_flipped() -> bytes:
    # The last byte is the lowest of s: the request stays well-formed.
    return GOOD[:-1] + bytes([GOOD[-1] ^ 1])


@pytest.mark.parametrize(
    ("der", "code"),
    [
        pytest.param(b"", "csr-malformed", id="empty"),
        pytest.param(b"\x30\x80", "csr-malformed", id="indefinite length"),
        pytest.param(GOOD[:-1], "csr-malformed", id="truncated"),
        pytest.param(GOOD + b"\x00", "csr-malformed", id="trailing byte"),
        pytest.param(bytes(8193), "csr-malformed", id="too long"),
        pytest.param(_two_names(), "csr-malformed", id="two common names"),
        pytest.param(_signature_flipped(), "csr-signature", id="another signature"),
        pytest.param(
            _request(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256()), "csr-key-type", id="P-384"
        ),
        pytest.param(
            _request(rsa.generate_private_key(65537, 2048), hashes.SHA256()), "csr-key-type", id="RSA"
        ),
        pytest.param(_request(KEY, hashes.SHA384()), "csr-signature-algorithm", id="SHA-384"),
    ],
)
def test_a_bad_request_is_refused_for_its_own_reason(der: bytes, code: str) -> None:
    with pytest.raises(PolicyRefusal) as refused:
        check_csr(der)

    assert refused.value.code == code


def _request_whose_signature_ends_in_zero_bits() -> bytes:
    """Make one in which a flipped count of unused bits changes nothing else."""
    while True:
        der = _request(KEY, hashes.SHA256())
        if der[-1] & 0x7F == 0:
            return der


def test_unused_bits_in_the_signature_are_refused() -> None:
    der = bytearray(_request_whose_signature_ends_in_zero_bits())
    unused = len(der) - len(x509.load_der_x509_csr(bytes(der)).signature) - 1
    check_csr(bytes(der))
    der[unused] = 7

    with pytest.raises(PolicyRefusal) as refused:
        check_csr(bytes(der))

    assert refused.value.code == "csr-malformed"


def test_no_flipped_bit_passes() -> None:
    accepted = []
    for position in range(len(GOOD) * 8):
        damaged = bytearray(GOOD)
        damaged[position // 8] ^= 1 << position % 8
        try:
            check_csr(bytes(damaged))
        except PolicyRefusal:
            continue
        accepted.append(position)

    assert accepted == []


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_and_nothing_else_happens(junk: bytes) -> None:
    with pytest.raises(PolicyRefusal):
        check_csr(junk)
