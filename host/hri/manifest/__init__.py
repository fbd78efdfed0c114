"""Manifests: a vendor's, or a station's, signed list of chips and the public keys that live in them.

A JSON array of flattened JWS (RFC 7515 section 7.2.2), one a chip; the format is Microchip's "Trust Platform
Manifest File" (O, public online page): ES256, the signer named by `x5t#S256` in the protected header, the
chip's keys as a JWK set in the payload with the slot as `kid`.
"""

from .element import ElementKey, ManifestElement
from .errors import ManifestError
from .file import SignedElement, read_manifest, sign_manifest, split_manifest
from .signers import SignerValidity, TrustedSigners

__all__ = [
    "ElementKey",
    "ManifestElement",
    "ManifestError",
    "SignedElement",
    "SignerValidity",
    "TrustedSigners",
    "read_manifest",
    "sign_manifest",
    "split_manifest",
]
