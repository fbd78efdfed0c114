"""The payload of a manifest's entry: one chip, and the keys in its slots (O: SecureElement, PublicJWK)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from .errors import ManifestError, malformed
from .strict_json import from_base64url, parse_object, to_base64url

# Version 2 is the "lite" manifest, which has no keys (O).
_VERSIONS = (1, 2, 3)
_SERIAL = re.compile(r"[0-9a-f]{18}")
_MOST_CERTIFICATES = 8
_LARGEST_CERTIFICATE = 16 * 1024


@dataclass(frozen=True, slots=True)
class ElementKey:
    """The public key (64 bytes X ‖ Y) of the key in `slot`, and its certificates (DER), its own first."""

    slot: int
    public_key: bytes
    certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestElement:
    """One chip: its serial number in 18 lower-case hex digits, and its keys.

    `provisioned_at` is None where the manifest does not say; `names` holds the other texts (model,
    part number, provisioner, …) as they stand, for people.
    """

    element_serial: str
    keys: tuple[ElementKey, ...]
    provisioned_at: datetime | None = None
    model: str = ""
    names: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _SERIAL.fullmatch(self.element_serial):
            raise malformed(f"uniqueId {self.element_serial[:40]!r} is not 18 lower-case hex digits")
        slots = [key.slot for key in self.keys]
        if len(set(slots)) != len(slots):
            raise ManifestError("duplicate-key", f"{self.element_serial}: two keys have the same kid")

    def key_in(self, slot: int) -> bytes | None:
        """Return the public key (64 bytes) of a slot, None where the manifest has none."""
        return next((key.public_key for key in self.keys if key.slot == slot), None)

    @classmethod
    def from_payload(cls, payload: bytes) -> ManifestElement:
        """Read a payload; raises ManifestError."""
        document = parse_object(payload, "the payload")
        if document.get("version") not in _VERSIONS or isinstance(document["version"], bool):
            raise malformed(f"version {document.get('version')!r} is unknown; known are 1, 2 and 3")
        serial = document.get("uniqueId")
        if not isinstance(serial, str):
            raise malformed("the payload has no uniqueId")
        model = document.get("model", "")
        names: dict[str, Any] = {
            name: document[name]
            for name in ("partNumber", "manufacturer", "provisioner", "distributor", "distributer", "groupId")
            if name in document
        }
        return cls(
            serial,
            _keys(document.get("publicKeySet")),
            _timestamp(document.get("provisioningTimestamp")),
            model if isinstance(model, str) else "",
            names,
        )

    def to_payload(self) -> bytes:
        """Return the payload: JSON with its keys in order, so that equal chips have equal payloads."""
        document: dict[str, Any] = {
            "version": 1,
            "model": self.model,
            "uniqueId": self.element_serial,
            "publicKeySet": {"keys": [_jwk(key) for key in self.keys]},
            **self.names,
        }
        if self.provisioned_at is not None:
            moment = self.provisioned_at.astimezone(UTC)
            document["provisioningTimestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _keys(given: Any) -> tuple[ElementKey, ...]:
    if given is None:
        return ()
    if not isinstance(given, dict) or not isinstance(given.get("keys"), list):
        raise malformed("publicKeySet has no list of keys")
    return tuple(_key(one) for one in given["keys"])


def _key(jwk: Any) -> ElementKey:
    if not isinstance(jwk, dict):
        raise malformed("a key is not a JWK")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not re.fullmatch(r"[0-9]|1[0-5]", kid):
        raise malformed(f"kid {kid!r} is not the number of a slot")
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
        raise ManifestError(
            "wrong-curve", f"key {kid}: {jwk.get('kty')!r} {jwk.get('crv')!r} is not EC P-256"
        )
    if "d" in jwk:
        raise ManifestError(
            "private-key", f"key {kid}: the manifest holds a private key", "keep that file from everybody"
        )
    point = from_base64url(jwk.get("x"), f"key {kid}, x", 32) + from_base64url(
        jwk.get("y"), f"key {kid}, y", 32
    )
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)
    except ValueError as error:
        raise ManifestError("wrong-curve", f"key {kid} is no point of P-256") from error
    return ElementKey(int(kid), point, _certificates(jwk.get("x5c", []), kid))


def _certificates(given: Any, kid: str) -> tuple[bytes, ...]:
    # Plain base64, unlike everything else (RFC 7517 section 4.7).
    if not isinstance(given, list) or len(given) > _MOST_CERTIFICATES:
        raise malformed(f"key {kid}: x5c is not a short list")
    certificates = []
    for one in given:
        try:
            certificates.append(base64.b64decode(one, validate=True))
        except (binascii.Error, ValueError, TypeError) as error:
            raise malformed(f"key {kid}: x5c is not base64: {error}") from error
        if len(certificates[-1]) > _LARGEST_CERTIFICATE:
            raise malformed(f"key {kid}: a certificate of {len(certificates[-1])} bytes")
    return tuple(certificates)


def _timestamp(given: Any) -> datetime | None:
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except (ValueError, TypeError) as error:
        raise malformed(f"provisioningTimestamp {given!r} is not a time of RFC 3339") from error
    if moment.tzinfo is None:
        raise malformed("provisioningTimestamp has no zone")
    return moment.astimezone(UTC)


def _jwk(key: ElementKey) -> dict[str, Any]:
    jwk: dict[str, Any] = {
        "kid": str(key.slot),
        "kty": "EC",
        "crv": "P-256",
        "x": to_base64url(key.public_key[:32]),
        "y": to_base64url(key.public_key[32:]),
    }
    if key.certificates:
        jwk["x5c"] = [base64.b64encode(one).decode("ascii") for one in key.certificates]
    return jwk
