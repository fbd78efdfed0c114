"""An authorisation is exactly what docs/protocol.md says; checked here without the code that makes it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hri.ca.operator import OperatorKey
from hri.errors import ConfigurationError


@pytest.fixture(scope="module")
def operator(home: Path) -> OperatorKey:
    return OperatorKey.open(home, b"ca secret")


def test_its_public_key_is_the_one_in_the_home(operator: OperatorKey, home: Path) -> None:
    public = load_pem_public_key((home / "ca" / "operator.pem").read_bytes())

    assert isinstance(public, ec.EllipticCurvePublicKey)
    numbers = public.public_numbers()
    assert operator.public_bytes == numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def test_bytes_and_signature(operator: OperatorKey) -> None:
    nonce = bytes(range(32))

    message = operator.sign_authorisation(
        "hri", "dev-1", nonce, "key.birth", {"slot": 2, "serial": b"\x01\x23"}
    )

    # d2: tag 18; 84: array of 4; 43 a10126: protected {1: -7}; a0: empty unprotected header.
    assert message[:7].hex() == "d28443a10126a0"
    _, _, payload, signature = cbor2.loads(message).value
    # {"slot": 2, "serial": h'0123'}, shorter key first (RFC 8949 section 4.2.1).
    args = bytes.fromhex("a2") + b"\x64slot\x02" + b"\x66serial\x42\x01\x23"
    expected = (
        b"\x86\x6fhri/1 authorise\x63hri\x65dev-1\x58\x20"
        + nonce
        + b"\x69key.birth\x58\x20"
        + hashlib.sha256(args).digest()
    )
    assert payload == expected
    signed = b"\x84\x6aSignature1\x43\xa1\x01\x26\x40\x58" + bytes([len(payload)]) + payload
    x, y = operator.public_bytes[:32], operator.public_bytes[32:]
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(encode_dss_signature(r, s), signed + b"\x00", ec.ECDSA(hashes.SHA256()))


def test_a_wrong_passphrase_and_a_missing_key_are_told_apart(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        OperatorKey.open(home, b"nope")
    with pytest.raises(ConfigurationError) as missing:
        OperatorKey.open(tmp_path, b"nope")

    assert (wrong.value.code, missing.value.code) == ("wrong-passphrase", "no-operator-key")


def test_creating_again_opens_the_same_key(tmp_path: Path) -> None:
    first = OperatorKey.create(tmp_path, b"c")
    second = OperatorKey.create(tmp_path, b"c")

    assert first.public_bytes == second.public_bytes
