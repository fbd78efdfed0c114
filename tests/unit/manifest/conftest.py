"""A signer, and manifests made apart from hri."""

import base64
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hri.manifest import TrustedSigners

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SERIAL = "0123aabbccddee01ee"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def jwk(slot: int, key: ec.EllipticCurvePrivateKey, **more: Any) -> dict[str, Any]:
    raw = point(key)
    return {
        "kid": str(slot),
        "kty": "EC",
        "crv": "P-256",
        "x": b64(raw[:32]),
        "y": b64(raw[32:]),
    } | more


class Signer:
    """A manifest signer, as a vendor has one."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None, usage: str = "digital_signature"):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test manifest signer")])
        bits = [
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ]
        builder = x509.CertificateBuilder(
            name,
            name,
            self.key.public_key(),
            1,
            (NOW - timedelta(days=100)).replace(tzinfo=None),
            (NOW + timedelta(days=100)).replace(tzinfo=None),
        )
        builder = builder.add_extension(x509.KeyUsage(**{bit: bit == usage for bit in bits}), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.thumbprint = sha256(self.certificate.public_bytes(Encoding.DER)).digest()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def trusted(self) -> TrustedSigners:
        return TrustedSigners.from_pem(self.pem)

    def protected(self, **more: Any) -> dict[str, Any]:
        return {"typ": "JWT", "alg": "ES256", "kid": "k", "x5t#S256": b64(self.thumbprint)} | more

    def entry(
        self, payload: bytes | dict[str, Any], protected: bytes | dict[str, Any] | None = None, **members: Any
    ) -> dict[str, Any]:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        head = self.protected() if protected is None else protected
        top = head if isinstance(head, bytes) else json.dumps(head).encode()
        text = f"{b64(top)}.{b64(raw)}".encode()
        r, s = decode_dss_signature(self.key.sign(text, ec.ECDSA(hashes.SHA256())))
        unique = payload.get("uniqueId") if isinstance(payload, dict) else SERIAL
        return {
            "payload": b64(raw),
            "protected": b64(top),
            "header": {"uniqueId": unique},
            "signature": b64(r.to_bytes(32, "big") + s.to_bytes(32, "big")),
        } | members


def element(*keys: dict[str, Any], serial: str = SERIAL, **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "model": "ATECC608B",
        "partNumber": "ATECC608B-TEST",
        "provisioningTimestamp": "2026-06-01T10:00:00.000Z",
        "uniqueId": serial,
        "publicKeySet": {"keys": list(keys)},
    } | more


def manifest(*entries: Any) -> bytes:
    return json.dumps(list(entries)).encode()


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1234567, ec.SECP256R1())
