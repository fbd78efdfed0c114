"""Whose manifests count: certificates that the operator named, found by their thumbprint alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hri.errors import ConfigurationError

from .errors import ManifestError


class SignerValidity(StrEnum):
    """When a signer's certificate has to be valid: as it signed, which it says itself, or now."""

    AT_PROVISIONING = "at-provisioning"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class TrustedSigner:
    """A manifest signer: its key and the validity of its certificate."""

    key: ec.EllipticCurvePublicKey
    subject: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class TrustedSigners:
    """Signers by `x5t#S256`, the SHA-256 of their certificate (RFC 7515 section 4.1.8)."""

    by_thumbprint: dict[bytes, TrustedSigner]

    @classmethod
    def from_pem(cls, pem: bytes) -> TrustedSigners:
        """Read one or more certificates (PEM); raises ConfigurationError for any that cannot sign ES256."""
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise _unusable("the file holds no certificate in PEM") from error
        return cls.of(certificates)

    @classmethod
    def of(cls, certificates: Sequence[x509.Certificate]) -> TrustedSigners:
        """Return the signers of these certificates. Raises ConfigurationError."""
        if not certificates:
            raise _unusable("no signer was named")
        return cls({thumbprint(one): _signer(one) for one in certificates})

    def find(
        self, thumbprint: bytes, *, provisioned_at: datetime | None, now: datetime, validity: SignerValidity
    ) -> TrustedSigner:
        """Return the signer of a thumbprint, if its certificate was valid when it has to be.

        Raises ManifestError.
        """
        signer = self.by_thumbprint.get(thumbprint)
        if signer is None:
            raise ManifestError(
                "unknown-signer",
                f"nobody trusted has the certificate {thumbprint.hex()}",
                "name the signer's certificate with --ca, if you trust it",
            )
        moment = now if validity is SignerValidity.NOW else provisioned_at
        if moment is None:
            raise ManifestError("no-timestamp", "the entry does not say when its chip was provisioned")
        if not signer.not_before <= moment <= signer.not_after:
            raise ManifestError(
                "signer-not-valid",
                f"the signer's certificate is valid from {signer.not_before:%Y-%m-%d} to "
                f"{signer.not_after:%Y-%m-%d}, and not at {moment:%Y-%m-%d}",
            )
        if moment > now:
            raise ManifestError("not-yet", f"the entry is from {moment:%Y-%m-%d %H:%M}, which is to come")
        return signer


def thumbprint(certificate: x509.Certificate) -> bytes:
    """Return SHA-256 of the certificate's DER (RFC 7515 section 4.1.8)."""
    return sha256(certificate.public_bytes(Encoding.DER)).digest()


def _signer(certificate: x509.Certificate) -> TrustedSigner:
    try:
        key = certificate.public_key()
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        may_sign = usage.digital_signature
    except x509.ExtensionNotFound:
        # A certificate that restricts nothing may be used for anything (RFC 5280 section 4.2.1.3).
        may_sign = True
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(f"the signer's certificate cannot be read: {error}") from error
    subject = certificate.subject.rfc4514_string()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unusable(f"the key of {subject} is not a P-256 key, which ES256 needs")
    if not may_sign:
        raise _unusable(f"the certificate of {subject} is not for signatures")
    return TrustedSigner(key, subject, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _unusable(message: str) -> ConfigurationError:
    return ConfigurationError("bad-manifest-signer", message, "give a manifest signer's certificate, as PEM")
