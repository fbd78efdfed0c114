"""What the façade takes and gives: kinds of elements and keys, identities, requests for certificates."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from hri.errors import ConfigurationError


class SecureElementType(Enum):
    """Types of secure elements."""

    TPM_2_0 = "tpm2.0"
    ATECC608A = "atecc608a"
    SE050 = "se050"
    HSM = "hsm"


class KeyType(Enum):
    """Cryptographic key types."""

    RSA = "rsa"
    ECC = "ecc"


@dataclass
class DeviceIdentity:
    """A device's identity: public key and certificate are PEM, times are aware and in UTC."""

    device_id: str
    public_key: bytes
    certificate: bytes | None = None
    certificate_issuer: str | None = None
    certificate_valid_from: datetime | None = None
    certificate_valid_to: datetime | None = None
    attestation_data: dict[str, Any] | None = None


@dataclass
class CertificateRequest:
    """What a certificate is asked to say; `public_key` is PEM, `subject_dn` short name -> value."""

    device_id: str
    public_key: bytes
    subject_dn: dict[str, str] = field(default_factory=dict)
    key_usage: list[str] = field(default_factory=lambda: ["digital_signature"])
    extended_key_usage: list[str] = field(default_factory=lambda: ["client_auth"])
    validity_days: int = 365


def check_key(key_type: KeyType, key_size: int, curve: str) -> None:
    """Raise ConfigurationError for a key that no ATECC608 can hold."""
    if key_type is not KeyType.ECC:
        raise ConfigurationError(
            "unsupported-key-type", "an ATECC608 holds P-256 keys only, no RSA keys", "use KeyType.ECC"
        )
    if key_size != 256 or curve.lower() not in ("secp256r1", "prime256v1", "p-256"):
        raise ConfigurationError(
            "unsupported-key-type",
            f"an ATECC608 computes on secp256r1 with 256 bits only, not on {curve} with {key_size}",
            "use key_size=256 and curve='secp256r1'",
        )
