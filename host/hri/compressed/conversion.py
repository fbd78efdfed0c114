"""From 72 bytes to a certificate and back; what does not come back byte for byte is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha1, sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import SignatureAlgorithmOID

from . import tbs
from .certificate import CompressedCertificate
from .dates import FORMATS, Validity
from .errors import CompressedError
from .layout import FieldKind, Layout, tlv, unsigned
from .serial_number import serial_number
from .template import Template


@dataclass(frozen=True, slots=True)
class Sources:
    """What a certificate says and neither the template nor the 72 bytes hold.

    `public_key` and `authority_key` are X ‖ Y (64 bytes); `authority_key_id` (20 bytes) counts in place of
    the hash of a key that is not known. `issuer` is a Name (DER), for templates that leave it open;
    `element_serial` the chip's 9 bytes; `eui48` 12 ASCII characters; `stored_serial` the serial number where
    its source is a stored one.
    """

    public_key: bytes
    authority_key: bytes | None = None
    authority_key_id: bytes | None = None
    issuer: bytes | None = None
    element_serial: bytes | None = None
    eui48: bytes | None = None
    stored_serial: bytes | None = None


def key_identifier(public_key: bytes) -> bytes:
    """SHA-1 of the uncompressed point (RFC 5280 section 4.2.1.2, method 1; H): a name, not a safeguard."""
    return sha1(b"\x04" + public_key, usedforsecurity=False).digest()


def rebuild_tbs(template: Template, compressed: CompressedCertificate, sources: Sources) -> bytes:
    """Return the TBSCertificate (DER) that was signed; raises CompressedError."""
    if (compressed.template_id, compressed.chain_id, compressed.serial_source) != (
        template.template_id,
        template.chain_id,
        template.serial_source,
    ):
        raise CompressedError(
            "wrong-template",
            f"the certificate is to template {compressed.template_id}, chain {compressed.chain_id}, "
            f"serial-number source {compressed.serial_source.word}, and {template.name} is "
            f"{template.template_id}, {template.chain_id}, {template.serial_source.word}",
            "choose the template that the certificate was issued to",
        )
    layout = _layout(template, sources)
    return layout.fill(_values(template, layout, compressed, sources))


def rebuild(template: Template, compressed: bytes, sources: Sources) -> bytes:
    """Return the certificate (DER) of 72 bytes.

    Raises CompressedError for bytes that are no compressed certificate, for another template, and where a
    source is missing. Whether the signature verifies is another question, for whoever trusts the authority.
    """
    read = CompressedCertificate.from_bytes(compressed)
    return assemble(rebuild_tbs(template, read, sources), read.signature)


def assemble(tbs_certificate: bytes, signature: bytes) -> bytes:
    """Return the Certificate (DER) of a TBSCertificate and r ‖ s."""
    pair = tlv(0x30, unsigned(signature[:32]), unsigned(signature[32:])).data
    return tlv(0x30, tbs_certificate, tbs.ECDSA_WITH_SHA256, tlv(0x03, b"\0" + pair)).data


def compress(
    template: Template,
    certificate: bytes,
    sources: Sources,
    *,
    signer_id: bytes = b"\0\0",
    format_version: int | None = None,
) -> bytes:
    """Return the 72 bytes of a certificate (DER), having rebuilt it from them byte for byte.

    `signer_id` (2 bytes) is used where the certificate does not show it. Without `format_version` the lowest
    that gives the certificate back is taken.

    Raises CompressedError with the first thing that cannot be represented.
    """
    loaded = _load(certificate, sources)
    layout = _layout(template, sources)
    signer = _signer_id(layout, loaded.tbs_certificate_bytes, signer_id)
    validity = Validity.between(loaded.not_valid_before_utc, loaded.not_valid_after_utc, template.not_after)
    candidate = CompressedCertificate(
        signature=_raw_signature(loaded.signature),
        validity=validity,
        signer_id=signer,
        template_id=template.template_id,
        chain_id=template.chain_id,
        serial_source=template.serial_source,
        format_version=lowest_format(validity) if format_version is None else format_version,
    )
    formats = (
        [candidate.format_version] if format_version is not None else FORMATS[candidate.format_version :]
    )
    for version in formats:
        data = replace(candidate, format_version=version).to_bytes()
        if rebuild(template, data, sources) == certificate:
            return data
    again = rebuild_tbs(template, candidate, sources)
    raise CompressedError(
        "not-to-template",
        f"the certificate is not to the template {template.name}: what differs is "
        f"{layout.first_difference(again, loaded.tbs_certificate_bytes)}"
        if again != loaded.tbs_certificate_bytes
        else f"the certificate is not in the DER that {template.name} gives back",
        "issue to the template, with the values that its fields give",
    )


def subject_text(kind: FieldKind, sources: Sources, signer_id: bytes = b"\0\0") -> bytes:
    """Return what a field of text becomes, as ASCII; raises CompressedError where its source is missing."""
    if kind is FieldKind.SIGNER_ID:
        return signer_id.hex().upper().encode()
    if kind is FieldKind.KEY_SHA256:
        return sha256(tbs.SPKI_HEAD + sources.public_key).hexdigest().encode()
    if kind is FieldKind.EUI48:
        return _eui48(sources.eui48)
    if sources.element_serial is None or len(sources.element_serial) != 9:
        raise _missing("the chip's serial number")
    digits = sources.element_serial.hex()
    return (digits.upper() if kind is FieldKind.ELEMENT_SERIAL_UPPER else digits).encode()


def _layout(template: Template, sources: Sources) -> Layout:
    length = None
    if template.serial_source.stored and sources.stored_serial is not None:
        length = len(sources.stored_serial)
    return template.layout(sources.issuer, length)


def _values(
    template: Template, layout: Layout, compressed: CompressedCertificate, sources: Sources
) -> dict[FieldKind, bytes]:
    validity = compressed.validity
    values = {
        FieldKind.NOT_BEFORE: template.not_before.written(validity.not_before),
        FieldKind.NOT_AFTER: template.not_after.written(validity.not_after(template.not_after)),
        FieldKind.PUBLIC_KEY: sources.public_key,
        FieldKind.SUBJECT_KEY_ID: key_identifier(sources.public_key),
    }
    if FieldKind.AUTHORITY_KEY_ID in layout.kinds:
        values[FieldKind.AUTHORITY_KEY_ID] = _authority_key_id(sources)
    place = next(one for one in layout.fields if one.kind is FieldKind.SERIAL_NUMBER)
    values[FieldKind.SERIAL_NUMBER] = serial_number(
        template.serial_source,
        place.length,
        public_key=sources.public_key,
        encoded_dates=compressed.encoded_dates,
        signer_id=compressed.signer_id,
        element_serial=sources.element_serial,
        stored=sources.stored_serial,
    )
    for kind in _in_text(layout.kinds):
        values[kind] = subject_text(kind, sources, compressed.signer_id)
    return values


def _authority_key_id(sources: Sources) -> bytes:
    if sources.authority_key_id is not None:
        return sources.authority_key_id
    if sources.authority_key is None:
        raise _missing("the authority's public key")
    return key_identifier(sources.authority_key)


def _in_text(kinds: Iterable[FieldKind]) -> list[FieldKind]:
    texts = {kind for kind, _ in tbs.PLACEHOLDERS.values()}
    return [kind for kind in kinds if kind in texts]


def _signer_id(layout: Layout, tbs_certificate: bytes, given: bytes) -> bytes:
    place = next((one for one in layout.fields if one.kind is FieldKind.SIGNER_ID), None)
    if place is None:
        return given
    try:
        digits = tbs_certificate[place.offset : place.end].decode("ascii")
        # Not bytes.fromhex, which passes over white space.
        return int(digits, 16).to_bytes(2, "big")
    except (ValueError, OverflowError):
        raise CompressedError(
            "not-to-template",
            "the certificate has no signer id where the template has",
            "use its own template",
        ) from None


def _load(certificate: bytes, sources: Sources) -> x509.Certificate:
    try:
        loaded = x509.load_der_x509_certificate(certificate)
        key = loaded.public_key()
        algorithm = loaded.signature_algorithm_oid
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise CompressedError(
            "certificate-malformed", f"not a certificate: {error}", "give it as DER"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CompressedError(
            "key-not-p256", "the certificate's key is not a P-256 key", "the chip has no other"
        )
    if key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:] != sources.public_key:
        raise CompressedError(
            "key-mismatch", "the certificate is for another key", "use that key's certificate"
        )
    if algorithm != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        raise CompressedError(
            "signature-not-p256",
            "the certificate is not signed with ecdsa-with-SHA256",
            "issue with a P-256 key",
        )
    return loaded


def _raw_signature(der: bytes) -> bytes:
    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError):
        raise CompressedError(
            "signature-not-p256",
            "the signature is not one of P-256: r or s has more than 32 bytes",
            "issue with a P-256 key",
        ) from None


def lowest_format(validity: Validity) -> int:
    """Return format 0 where it reaches and 1 for later years and longer validity: the vendor's rule (H)."""
    try:
        validity.encode(0)
    except CompressedError:
        return 1
    return 0


def _eui48(value: bytes | None) -> bytes:
    if value is None:
        raise _missing("the EUI-48 address")
    if len(value) != 12 or not all(byte in b"0123456789ABCDEFabcdef" for byte in value):
        raise CompressedError(
            "no-eui48", f"{value!r} is not an address of 12 hex digits", "read slot 5 of a Trust&GO chip"
        )
    return value


def _missing(what: str) -> CompressedError:
    return CompressedError("source-missing", f"the template needs {what}, which was not given", "give it")
