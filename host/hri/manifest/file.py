"""The manifest itself: a JSON array of flattened JWS by ES256 (RFC 7515 section 7.2.2; O)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from .element import ManifestElement
from .errors import ManifestError, malformed
from .signers import SignerValidity, TrustedSigners, thumbprint
from .strict_json import from_base64url, parse, parse_object, to_base64url

LARGEST = 64 << 20
"""Bytes of the largest manifest that is read, some 20,000 chips."""
_LARGEST_ENTRY = 256 << 10
_ECDSA = ec.ECDSA(hashes.SHA256())
_MEMBERS = {"payload", "protected", "signature"}
# What may stand in a protected header. Anything more could bring a key of its own (jwk, jku, x5u) or change
# what is signed (crit, b64).
_PROTECTED = {"typ", "alg", "kid", "x5t#S256"}


@dataclass(frozen=True, slots=True)
class SignedElement:
    """An entry taken apart, believed by nobody yet: `signed` is what the signature (r ‖ s) covers."""

    element: ManifestElement
    thumbprint: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def from_value(cls, value: Any) -> SignedElement:
        """Read one flattened JWS; raises ManifestError."""
        if not isinstance(value, dict) or value.keys() - {"header"} != _MEMBERS:
            raise malformed("an entry is not a flattened JWS of payload, protected, signature and header")
        payload = from_base64url(value["payload"], "the payload")
        if len(payload) > _LARGEST_ENTRY:
            raise malformed(f"a payload of {len(payload)} bytes")
        protected = parse_object(from_base64url(value["protected"], "the protected header"), "the header")
        if protected.get("alg") != "ES256":
            raise ManifestError("algorithm-refused", f"alg {protected.get('alg')!r} is not ES256")
        if not protected.keys() <= _PROTECTED:
            raise malformed(f"the protected header has {', '.join(sorted(protected.keys() - _PROTECTED))}")
        element = ManifestElement.from_payload(payload)
        unsigned = value.get("header", {})
        # Only the payload is signed: what stands beside it is there to be searched, and must not lie.
        if not isinstance(unsigned, dict) or unsigned.get("uniqueId", element.element_serial) != (
            element.element_serial
        ):
            raise ManifestError(
                "unique-id-differs", f"the header does not name {element.element_serial}, which is signed"
            )
        return cls(
            element,
            from_base64url(protected.get("x5t#S256"), "x5t#S256", 32),
            f"{value['protected']}.{value['payload']}".encode("ascii"),
            from_base64url(value["signature"], "the signature", 64),
        )

    def verify(self, signers: TrustedSigners, *, now: datetime, validity: SignerValidity) -> str:
        """Return the subject of the trusted signer who signed this; raises ManifestError."""
        signer = signers.find(
            self.thumbprint, provisioned_at=self.element.provisioned_at, now=now, validity=validity
        )
        r, s = int.from_bytes(self.signature[:32], "big"), int.from_bytes(self.signature[32:], "big")
        try:
            signer.key.verify(encode_dss_signature(r, s), self.signed, _ECDSA)
        except InvalidSignature:
            raise ManifestError(
                "signature-invalid",
                f"{signer.subject} did not sign the entry of {self.element.element_serial}",
            ) from None
        return signer.subject


def split_manifest(data: bytes) -> tuple[SignedElement, ...]:
    """Return the entries of a manifest, not yet verified.

    Raises ManifestError for anything not in the format, and for a chip that has two entries.
    """
    if len(data) > LARGEST:
        raise malformed(f"the file has more than {LARGEST} bytes")
    values = parse(data, "the file")
    if not isinstance(values, list) or not values:
        raise malformed("the file is not a JSON array of entries")
    entries = []
    for position, value in enumerate(values):
        try:
            entries.append(SignedElement.from_value(value))
        except ManifestError as error:
            raise ManifestError(error.code, f"entry {position}: {error.message}", error.hint) from error
    serials = [entry.element.element_serial for entry in entries]
    if len(set(serials)) != len(serials):
        twice = next(serial for serial in serials if serials.count(serial) > 1)
        raise ManifestError("duplicate-element", f"the chip {twice} has two entries")
    return tuple(entries)


def read_manifest(
    data: bytes,
    signers: TrustedSigners,
    *,
    now: datetime,
    validity: SignerValidity = SignerValidity.AT_PROVISIONING,
) -> tuple[ManifestElement, ...]:
    """Return the chips of a manifest, every entry of which a trusted signer signed.

    One entry that is refused refuses the file: a manifest with a forged entry is not a manifest with one
    entry less. Raises ManifestError.
    """
    entries = split_manifest(data)
    for position, entry in enumerate(entries):
        try:
            entry.verify(signers, now=now, validity=validity)
        except ManifestError as error:
            raise ManifestError(error.code, f"entry {position}: {error.message}", error.hint) from error
    return tuple(entry.element for entry in entries)


def sign_manifest(
    elements: Sequence[ManifestElement], certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> bytes:
    """Return a manifest of these chips, signed by `key`, whose certificate readers have to trust."""
    protected = to_base64url(
        json.dumps(
            {"alg": "ES256", "typ": "JWT", "x5t#S256": to_base64url(thumbprint(certificate))},
            separators=(",", ":"),
        ).encode()
    )
    entries = []
    for element in elements:
        payload = to_base64url(element.to_payload())
        r, s = decode_dss_signature(key.sign(f"{protected}.{payload}".encode("ascii"), _ECDSA))
        entries.append(
            {
                "payload": payload,
                "protected": protected,
                "header": {"uniqueId": element.element_serial},
                "signature": to_base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big")),
            }
        )
    return json.dumps(entries, indent=1).encode() + b"\n"
