"""Issuing to a template: a certificate that a chip can hold in 72 bytes, or no certificate.

The template's own encoder only drafts. What is signed is encoded again by the library that encodes every
other certificate, and must then come back, byte for byte, from the 72 bytes: two encoders have to agree
before anything is recorded, released or written into a chip.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hri.ca.csr import checked_public_key
from hri.compressed import (
    CompressedCertificate,
    CompressedError,
    Sources,
    Template,
    Validity,
    compress,
    rebuild,
)
from hri.compressed.conversion import assemble, key_identifier, lowest_format, rebuild_tbs
from hri.errors import ConfigurationError

# Any r and s in range: the draft is parsed and thrown away.
_NO_SIGNATURE = bytes(31) + b"\x01" + bytes(31) + b"\x01"


@dataclass(frozen=True, slots=True)
class TemplateCertificate:
    """A certificate (DER) and the 72 bytes from which it was rebuilt."""

    der: bytes
    compressed: bytes
    serial_number: int
    not_before: datetime
    not_after: datetime


def issue_to_template(
    template: Template,
    *,
    issuer: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    sources: Sources,
    validity: Validity,
    signer_id: bytes,
) -> TemplateCertificate:
    """Sign a certificate to a template and return it with its 72 bytes.

    Of `sources` the issuer's name and key are taken from `issuer`. `signer_id` (2 bytes) is that of the
    issuer in a device's certificate and a signer's own in a signer's.

    Raises ConfigurationError (a template that is for reading only, an issuer that it cannot name) and
    CompressedError (what the format cannot represent, or what did not come back byte for byte).
    """
    if not template.issuable:
        raise ConfigurationError(
            "template-not-issuable",
            f"the template {template.name} is for reading certificates of somebody else",
            "issue to a template of your own, such as hri-device",
        )
    sources = with_issuer(template, sources, issuer)
    draft = _draft(template, validity, signer_id)
    try:
        tbs = rebuild_tbs(template, draft, sources)
        parsed = x509.load_der_x509_certificate(assemble(tbs, draft.signature))
        builder = x509.CertificateBuilder(
            issuer_name=parsed.issuer,
            subject_name=parsed.subject,
            public_key=parsed.public_key(),
            serial_number=parsed.serial_number,
            not_valid_before=parsed.not_valid_before_utc.replace(tzinfo=None),
            not_valid_after=parsed.not_valid_after_utc.replace(tzinfo=None),
            extensions=list(parsed.extensions),
        )
        certificate = builder.sign(key, hashes.SHA256())
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise CompressedError(
            "template-unusable",
            f"no certificate can be made to {template.name}: {error}",
            "correct the template",
        ) from error
    der = certificate.public_bytes(Encoding.DER)
    compressed = compress(template, der, sources, signer_id=signer_id, format_version=draft.format_version)
    if rebuild(template, compressed, sources) != der:
        raise CompressedError("not-to-template", "the certificate does not come back", "report this")
    return TemplateCertificate(
        der,
        compressed,
        certificate.serial_number,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def with_issuer(template: Template, sources: Sources, issuer: x509.Certificate) -> Sources:
    """Return the sources with the name and key of the certificate above.

    Raises ConfigurationError where a chain through it could not be built: another name than the template's,
    or a subject key identifier that is not the hash of its key, which is all that the 72 bytes lead back to.
    """
    public_key = issuer.public_key()
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise _unfit(template, "its key is not a P-256 key")
    point = checked_public_key(public_key)[0]
    try:
        above = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        above = key_identifier(point)
    if above != key_identifier(point):
        raise _unfit(template, "its subject key identifier is not the SHA-1 of its key")
    name = issuer.subject.public_bytes()
    if template.issuer is not None and name not in template.layout().tbs:
        raise _unfit(template, "the template names another issuer")
    return replace(sources, issuer=name, authority_key=point, authority_key_id=None)


def _draft(template: Template, validity: Validity, signer_id: bytes) -> CompressedCertificate:
    return CompressedCertificate(
        _NO_SIGNATURE,
        validity,
        signer_id,
        template.template_id,
        template.chain_id,
        template.serial_source,
        lowest_format(validity),
    )


def _unfit(template: Template, what: str) -> ConfigurationError:
    return ConfigurationError(
        "template-issuer",
        f"the authority cannot issue to {template.name}: {what}",
        "use an authority made by `hri ca init`, and a template whose issuer is `authority`",
    )
