"""How bytes are written in JSON: base64 (RFC 4648 section 4), and certificates and requests also as PEM."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from hri.errors import PolicyRefusal
from hri.server.problems import HttpProblem

_LONGEST = 65_536


class Body(BaseModel):
    """A JSON object of which every member is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is not a string")
    return value


def _no_nul(value: str) -> str:
    # PostgreSQL cannot store it, and nobody's name has one.
    if "\x00" in value:
        raise ValueError("holds a zero character")
    return value


def to_base64(value: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(value).decode("ascii")


Base64 = Annotated[
    str,
    BeforeValidator(_text),
    Field(max_length=_LONGEST, json_schema_extra={"contentEncoding": "base64"}),
]
"""Bytes in JSON; `from_base64` gives them."""

Text = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_no_nul)]
DeviceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_:][A-Za-z0-9._:-]{0,63}$")]
DevicePath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_:][A-Za-z0-9._:-]{0,63}$")]
SerialPath = Annotated[str, Path(pattern=r"^[0-9a-f]{2,40}$", description="Hex digits.")]


def from_base64(value: str, where: str) -> bytes:
    """Return the bytes of a member called `where`. Raises HttpProblem `bad-request`."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise HttpProblem(
            "bad-request", f"{where}: is not base64", "encode it as RFC 4648 section 4 says"
        ) from None


def certificate_der(value: str, where: str) -> bytes:
    """Return a certificate as DER, from PEM or from base64 of DER. Raises HttpProblem `bad-request`."""
    if "-----BEGIN" not in value:
        return from_base64(value, where)
    try:
        return x509.load_pem_x509_certificate(value.encode()).public_bytes(Encoding.DER)
    except ValueError as error:
        raise HttpProblem("bad-request", f"{where}: is no PEM certificate", "give PEM or base64") from error


def csr_der(value: str) -> bytes:
    """Return a PKCS#10 request as DER, from PEM or from base64 of DER. Raises PolicyRefusal."""
    if "-----BEGIN" not in value:
        return from_base64(value, "csr")
    try:
        return x509.load_pem_x509_csr(value.encode()).public_bytes(Encoding.DER)
    except ValueError as error:
        raise PolicyRefusal(
            "csr-malformed", "the request is not PKCS#10 in PEM", "make a new one on the device"
        ) from error
