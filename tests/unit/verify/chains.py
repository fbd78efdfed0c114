"""Real certificates and CRLs for the tests, every part of them open to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DEVICE_ID = "device-1"
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


_CURVES: dict[str, ec.EllipticCurve] = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1()}


@cache
def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def key(owner: str, curve: str = "secp256r1") -> Key:
    """The same key for the same owner and curve."""
    if curve == "rsa":
        return _rsa()
    return ec.derive_private_key(int.from_bytes(sha256(owner.encode()).digest()[:31], "big"), _CURVES[curve])


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def usage(**allowed: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{one: allowed.get(one, False) for one in names})


@dataclass
class Ca:
    """A certification authority; `above` is None for a root."""

    common_name: str = "root"
    above: Ca | None = None
    not_before: datetime = NOW - 100 * DAY
    not_after: datetime = NOW + 100 * DAY
    extra: Sequence[x509.ExtensionType] = ()
    signs_crls: bool = True
    path_length: int | None = None
    key_name: str | None = None

    @property
    def key(self) -> Key:
        return key(self.key_name or self.common_name)

    @property
    def certificate(self) -> x509.Certificate:
        issuer = self.above or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(self.common_name))
            .issuer_name(name(issuer.common_name))
            .public_key(self.key.public_key())
            .serial_number(sum(self.common_name.encode()))
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_after)
            .add_extension(x509.BasicConstraints(True, self.path_length), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
            )
            .add_extension(usage(key_cert_sign=True, crl_sign=self.signs_crls), critical=True)
        )
        for extension in self.extra:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(issuer.key, hashes.SHA256())

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def crl(
        self,
        *revoked: int,
        since: datetime = NOW - DAY,
        until: datetime | None = NOW + DAY,
        signed_by: str | None = None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> bytes:
        entries = [
            x509.RevokedCertificateBuilder().serial_number(number).revocation_date(since).build()
            for number in revoked
        ]
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(name(self.common_name))
            .last_update(since)
            .next_update(until or NOW + DAY)
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(key(signed_by) if signed_by else self.key, hashes.SHA256()).public_bytes(
            Encoding.DER
        )


ROOT = Ca()
ISSUING = Ca("issuing", ROOT)


@dataclass
class Leaf:
    """A device certificate."""

    issuer: Ca = field(default_factory=lambda: ISSUING)
    common_name: str = DEVICE_ID
    uris: Sequence[str] = (f"urn:hri:device:{DEVICE_ID}",)
    usages: Sequence[x509.ObjectIdentifier] | None = (CLIENT, SERVER)
    key_usage: x509.KeyUsage | None = field(default_factory=lambda: usage(digital_signature=True))
    not_before: datetime = NOW - 10 * DAY
    not_after: datetime = NOW + 10 * DAY
    curve: str = "secp256r1"
    ca: bool = False
    signed_by: str | None = None
    self_signed: bool = False
    serial_number: int = 0x1F
    extra: Sequence[tuple[x509.ExtensionType, bool]] = ()

    @property
    def key(self) -> Key:
        return key(f"leaf {self.curve}", self.curve)

    @property
    def der(self) -> bytes:
        signer = self.key if self.self_signed else key(self.signed_by) if self.signed_by else self.issuer.key
        issuer = self.common_name if self.self_signed else self.issuer.common_name
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(self.common_name))
            .issuer_name(name(issuer))
            .public_key(self.key.public_key())
            .serial_number(self.serial_number)
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_after)
            .add_extension(x509.BasicConstraints(self.ca, None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
        )
        if self.uris:
            names = [x509.UniformResourceIdentifier(uri) for uri in self.uris]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if self.usages is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.usages), critical=False)
        if self.key_usage is not None:
            builder = builder.add_extension(self.key_usage, critical=True)
        for extension, critical in self.extra:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)
