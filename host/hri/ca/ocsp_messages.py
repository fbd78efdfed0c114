"""OCSP messages in DER (RFC 6960 appendix B.2).

cryptography's own classes know requests and responses about one certificate; these know several, and the
encoding itself is cryptography's too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from cryptography.hazmat.asn1 import (
    TLV,
    BitString,
    Default,
    Explicit,
    GeneralizedTime,
    IA5String,
    Implicit,
    Null,
    Variant,
    decode_der,
    encode_der,
    sequence,
)
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import OCSPExtensionOID, SignatureAlgorithmOID

MAX_REQUEST_BYTES = 16 * 1024
MAX_CERT_IDS = 64
_MAX_NONCE_BYTES = 128  # RFC 9654 section 2.1, and 1 at least

REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "certificateHold": 6,
    "privilegeWithdrawn": 9,
    "aACompromise": 10,
}
"""CRLReason (RFC 5280 section 5.3.1) by name."""

_BASIC_RESPONSE = ObjectIdentifier("1.3.6.1.5.5.7.48.1.1")


@sequence
class AlgorithmIdentifier:
    """A hash or a signature algorithm; parameters are NULL or left out."""

    algorithm: ObjectIdentifier
    parameters: Null | None


@sequence
class CertID:
    """Which certificate: hashes of its issuer's name and key, and its serial number (section 4.1.1)."""

    hash_algorithm: AlgorithmIdentifier
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial_number: int


@sequence
class Extension:
    """An extension; `value` is the DER inside the OCTET STRING."""

    oid: ObjectIdentifier
    critical: Annotated[bool, Default(False)]
    value: bytes


@sequence
class _SingleRequest:
    cert_id: CertID
    extensions: Annotated[list[Extension] | None, Explicit(0)]


_GeneralName = (
    Annotated[Variant[IA5String, Literal["rfc822Name"]], Implicit(1)]
    | Annotated[Variant[IA5String, Literal["dNSName"]], Implicit(2)]
    | Annotated[Variant[TLV, Literal["directoryName"]], Explicit(4)]
    | Annotated[Variant[IA5String, Literal["uniformResourceIdentifier"]], Implicit(6)]
    | Annotated[Variant[bytes, Literal["iPAddress"]], Implicit(7)]
)


@sequence
class _TbsRequest:
    version: Annotated[int, Explicit(0), Default(0)]
    requestor_name: Annotated[_GeneralName | None, Explicit(1)]
    requests: list[_SingleRequest]
    extensions: Annotated[list[Extension] | None, Explicit(2)]


@sequence
class _RequestSignature:
    algorithm: AlgorithmIdentifier
    signature: BitString
    certificates: Annotated[list[TLV] | None, Explicit(0)]


@sequence
class _Request:
    tbs: _TbsRequest
    signature: Annotated[_RequestSignature | None, Explicit(0)]


@sequence
class _Revoked:
    at: GeneralizedTime
    reason: Annotated[TLV, Explicit(0)]


@sequence
class _SingleResponse:
    cert_id: CertID
    status: (
        Annotated[Variant[Null, Literal["good"]], Implicit(0)]
        | Annotated[Variant[_Revoked, Literal["revoked"]], Implicit(1)]
        | Annotated[Variant[Null, Literal["unknown"]], Implicit(2)]
    )
    this_update: GeneralizedTime
    next_update: Annotated[GeneralizedTime | None, Explicit(0)]


@sequence
class _ResponseData:
    by_key: Annotated[bytes, Explicit(2)]
    produced_at: GeneralizedTime
    responses: list[_SingleResponse]
    extensions: Annotated[list[Extension] | None, Explicit(1)]


@sequence
class _BasicResponse:
    tbs: TLV
    algorithm: AlgorithmIdentifier
    signature: BitString
    certificates: Annotated[list[TLV], Explicit(0)]


@sequence
class _ResponseBytes:
    kind: ObjectIdentifier
    response: bytes


@sequence
class _Response:
    status: TLV
    response_bytes: Annotated[_ResponseBytes, Explicit(0)]


class MalformedRequestError(Exception):
    """The bytes are no request that RFC 6960 and RFC 9654 allow, or a larger one than is answered here."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: the certificates, and the nonce extension to be echoed, if there is one."""

    cert_ids: tuple[CertID, ...]
    nonce: Extension | None

    @classmethod
    def from_der(cls, der: bytes) -> Request:
        """Read a request; a signature and a name of the requestor may be there, and are not looked at.

        Raises MalformedRequestError.
        """
        if len(der) > MAX_REQUEST_BYTES:
            raise MalformedRequestError(f"{len(der)} bytes; at most {MAX_REQUEST_BYTES} are read")
        try:
            tbs = decode_der(_Request, der).tbs
        except ValueError as error:
            raise MalformedRequestError(str(error)) from error
        if tbs.version != 0 or not 1 <= len(tbs.requests) <= MAX_CERT_IDS:
            raise MalformedRequestError(
                f"version {tbs.version}, {len(tbs.requests)} certificates; version 0 and 1 to {MAX_CERT_IDS} "
                "are answered"
            )
        for single in tbs.requests:
            _nonce_of(single.extensions or (), nonce_allowed=False)
        nonce = _nonce_of(tbs.extensions or (), nonce_allowed=True)
        return cls(tuple(single.cert_id for single in tbs.requests), nonce)


def _nonce_of(extensions: Sequence[Extension], *, nonce_allowed: bool) -> Extension | None:
    """Return the nonce extension; raises MalformedRequestError for one that is critical and not understood.

    Such an extension would have to change the answer (RFC 6960 section 4.4).
    """
    found: Extension | None = None
    for extension in extensions:
        if extension.oid != OCSPExtensionOID.NONCE or not nonce_allowed:
            if extension.critical:
                raise MalformedRequestError(f"a critical extension {extension.oid.dotted_string}")
            continue
        try:
            length = len(decode_der(bytes, extension.value))
        except ValueError as error:
            raise MalformedRequestError("a nonce that is no octet string") from error
        if found is not None or not 1 <= length <= _MAX_NONCE_BYTES:
            raise MalformedRequestError(f"a second nonce, or one of {length} bytes")
        found = extension
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """What a responder knows of a certificate that was issued: nothing bad, or since when it is revoked, why.

    `reason` is a name in `REASONS`.
    """

    revoked_at: datetime | None = None
    reason: str = "unspecified"


@dataclass(frozen=True, slots=True)
class Period:
    """When an answer was true, and until when it may be used; whole seconds, UTC."""

    this_update: GeneralizedTime
    next_update: GeneralizedTime

    @classmethod
    def between(cls, this_update: datetime, next_update: datetime) -> Period:
        """Return the period in the form in which it is encoded."""
        return cls(
            GeneralizedTime(this_update.replace(microsecond=0)),
            GeneralizedTime(next_update.replace(microsecond=0)),
        )


def tbs_response(
    responder_key_hash: bytes,
    answers: Sequence[tuple[CertID, Standing | None]],
    period: Period,
    nonce: Extension | None,
) -> bytes:
    """Return the ResponseData that is signed (section 4.2.1); None stands for `unknown`.

    `responder_key_hash` is SHA-1 over the bits of the responder's public key, 20 bytes.
    """
    return encode_der(
        _ResponseData(
            by_key=responder_key_hash,
            produced_at=period.this_update,
            responses=[
                _SingleResponse(
                    cert_id=cert_id,
                    status=_status(standing),
                    this_update=period.this_update,
                    next_update=period.next_update,
                )
                for cert_id, standing in answers
            ],
            extensions=None if nonce is None else [nonce],
        )
    )


def successful_response(tbs: bytes, signature: bytes, responder: TLV) -> bytes:
    """Return a response: signed data, its ECDSA signature with SHA-256, the responder's certificate."""
    basic = _BasicResponse(
        tbs=decode_der(TLV, tbs),
        algorithm=_ECDSA_WITH_SHA256,
        signature=BitString(signature, 0),
        certificates=[responder],
    )
    return encode_der(
        _Response(
            status=_SUCCESSFUL,
            response_bytes=_ResponseBytes(kind=_BASIC_RESPONSE, response=encode_der(basic)),
        )
    )


def _enumerated(value: int) -> TLV:
    return decode_der(TLV, bytes((0x0A, 1, value)))


_NULL = Null()
_GOOD: Variant[Null, Literal["good"]] = Variant(_NULL, "good")
_UNKNOWN: Variant[Null, Literal["unknown"]] = Variant(_NULL, "unknown")
_ECDSA_WITH_SHA256 = AlgorithmIdentifier(algorithm=SignatureAlgorithmOID.ECDSA_WITH_SHA256, parameters=None)
_SUCCESSFUL = _enumerated(0)
_REASON = {name: _enumerated(number) for name, number in REASONS.items()}


def _status(
    standing: Standing | None,
) -> (
    Variant[Null, Literal["good"]] | Variant[_Revoked, Literal["revoked"]] | Variant[Null, Literal["unknown"]]
):
    if standing is None:
        return _UNKNOWN
    if standing.revoked_at is None:
        return _GOOD
    at = GeneralizedTime(standing.revoked_at.replace(microsecond=0))
    return Variant(_Revoked(at=at, reason=_REASON[standing.reason]), "revoked")
