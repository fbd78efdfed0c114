"""Certificates of authorities: roots, issuing CAs below them, cross-certificates (RFC 5280 section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from hri.ca.name_limits import NO_LIMITS, NameLimits
from hri.ca.profiles import KEY_USAGES
from hri.ca.signer import Signer, SignerPublicKey, digest_for
from hri.errors import ConfigurationError

ROOT_VALIDITY = timedelta(days=20 * 365 + 5)
ISSUING_VALIDITY = timedelta(days=10 * 365 + 2)


@dataclass(frozen=True, slots=True)
class CaTerms:
    """What an issuing CA may do: which names, under which certificate policies, how many CAs below it."""

    limits: NameLimits = NO_LIMITS
    policies: tuple[x509.ObjectIdentifier, ...] = ()
    path_length: int | None = 0


ROOT_TERMS = CaTerms(path_length=None)


def ca_name(organisation: str, common_name: str) -> x509.Name:
    """Return the name of an authority; raises ConfigurationError."""
    for what, value in (("organisation", organisation), ("common name", common_name)):
        if not value.strip() or len(value) > 64 or not value.isprintable():
            raise ConfigurationError(
                "bad-ca-name",
                f"the {what} of the authority has 1 to 56 printable characters",
                "choose another",
            )
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def ca_certificate(
    subject: x509.Name,
    public_key: SignerPublicKey,
    *,
    issuer: x509.Name,
    signer: Signer,
    start: datetime,
    end: datetime,
    terms: CaTerms,
) -> x509.Certificate:
    """Sign the certificate of an authority. `start` and `end` are aware, in whole seconds."""
    usage = x509.KeyUsage(**{name: name in ("key_cert_sign", "crl_sign") for name in KEY_USAGES})
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=terms.path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if terms.policies:
        policies = [x509.PolicyInformation(oid, None) for oid in terms.policies]
        builder = builder.add_extension(x509.CertificatePolicies(policies), critical=False)
    constraints = terms.limits.extension()
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=terms.limits.critical)
    return builder.sign(signer, digest_for(signer.public_key()))
