"""The manifest that a factory sends with its chips: an array of flattened JWS, one for each chip.

Source: "Trust Platform Manifest File Format" on Microchip's documentation site (O), version 1; RFC 7515 and
7517.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hri.rig.atecc.certificates import ORGANISATION, sign

_VERSION = 1
_UNIT = {"organizationName": ORGANISATION, "organizationalUnitName": "Virtual Chips"}


def public_key(slot: int, point: bytes, chain: Sequence[bytes] = ()) -> dict[str, Any]:
    """Return the JWK of a slot's public key: X and Y (64 bytes), and its certificates (DER), leaf first."""
    jwk: dict[str, Any] = {
        "kid": str(slot),
        "kty": "EC",
        "crv": "P-256",
        "x": base64url(point[:32]),
        "y": base64url(point[32:]),
    }
    if chain:
        jwk["x5c"] = [base64.b64encode(certificate).decode() for certificate in chain]
    return jwk


def public_data(slot: int, data: bytes) -> dict[str, Any]:
    """Return what the manifest tells of a slot that anybody may read."""
    return {"zone": "data", "slot": slot, "offset": 0, "data": base64url(data)}


def secure_element(
    *,
    model: str,
    part_number: str,
    revision: bytes,
    group: str,
    made: datetime,
    serial_number: bytes,
    keys: Sequence[Mapping[str, Any]],
    data: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the SecureElement object of one chip; ``made`` is in UTC."""
    return {
        "version": _VERSION,
        "model": model,
        "partNumber": part_number,
        "manufacturer": _UNIT,
        "provisioner": _UNIT,
        "distributor": _UNIT,
        "groupId": group,
        "provisioningTimestamp": f"{made:%Y-%m-%dT%H:%M:%S}.{made.microsecond // 1000:03d}Z",
        "uniqueId": serial_number.hex(),
        "publicKeySet": {"keys": list(keys)},
        "encryptedSecretKeySet": {"keys": []},
        "modelInfo": {"deviceRevision": revision.hex(), "publicData": list(data)},
    }


def signed(
    element: Mapping[str, Any], key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> dict[str, Any]:
    """Return the SignedSecureElement; ``certificate``, the key's, is named in its protected header."""
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    header = {
        "typ": "JWT",
        "alg": "ES256",
        "kid": base64url(identifier),
        "x5t#S256": base64url(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()),
    }
    payload, protected = (base64url(json.dumps(part).encode()) for part in (element, header))
    return {
        "payload": payload,
        "protected": protected,
        "header": {"uniqueId": element["uniqueId"]},
        "signature": base64url(sign(f"{protected}.{payload}".encode(), key)),
    }


def base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
