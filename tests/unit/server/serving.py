"""What tests of the server need: a client of the application itself, tokens, and requests with evidence."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2
import httpx
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hri.context import Context
from hri.publication import OcspKeys
from hri.server.app import create_app
from hri.server.callers import Callers
from hri.server.peer import SCOPE_KEY, Peer
from hri.server.service import Service
from hri.server_config import LimitsConfig, ServerConfig

ROLES = ("operator", "registration-authority", "auditor", "admin")
TOKENS = {role: f"the token of the {role}" for role in ROLES}
ID_AA_ATTESTATION = "1.2.840.113549.1.9.16.2.59"
STATE_EVIDENCE = "2.25.221484312471986027451283405121378826905"


def token_entries() -> list[dict[str, str]]:
    """Entries of `server.tokens`, one for each role, named like it."""
    return [
        {"name": role, "role": role, "sha256": hashlib.sha256(token.encode()).hexdigest()}
        for role, token in TOKENS.items()
    ]


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"}


def basic(role: str) -> dict[str, str]:
    pair = base64.b64encode(f"anybody:{TOKENS[role]}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def make_service(context: Context, config: ServerConfig, folder: Path) -> Service:
    """The service of a context whose CA passphrase is `ca`, with an OCSP responder where the CA is ours."""
    keys = OcspKeys(folder.parent / "ocsp", b"ca") if context.enroller is None else None
    return Service.of(context, Callers(config, ()), folder, keys)


@dataclass
class AppClient:
    """The application of a context, asked without a socket; `peer` is whom TLS would have shown."""

    context: Context
    folder: Path
    peer: Peer | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = ServerConfig.model_validate({"tokens": token_entries(), **self.config})
        self.service = make_service(self.context, config, self.folder)
        limits = LimitsConfig(burst=100_000) if "limits" not in self.config else config.limits
        self._app = create_app(self.service, limits)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, arguments))

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", path, **arguments)

    async def _request(self, method: str, path: str, arguments: dict[str, Any]) -> httpx.Response:
        async def with_peer(scope: Any, receive: Any, send: Any) -> None:
            await self._app({**scope, SCOPE_KEY: self.peer}, receive, send)

        transport = httpx.ASGITransport(with_peer, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hri.test") as client:
            return await client.request(method, path, **arguments)


def make_csr(key: ec.EllipticCurvePrivateKey, name: str | x509.Name, *attributes: tuple[str, bytes]) -> bytes:
    """A PKCS#10 request (DER), put together here; an attribute is its OID and its value in DER."""
    subject = name if isinstance(name, x509.Name) else common_name(name)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    values = b"".join(
        der(0x30, asn1.encode_der(x509.ObjectIdentifier(oid)) + der(0x31, value)) for oid, value in attributes
    )
    info = der(0x30, b"\x02\x01\x00" + subject.public_bytes() + spki + der(0xA0, values))
    signature = key.sign(info, ec.ECDSA(hashes.SHA256()))
    algorithm = der(0x30, asn1.encode_der(x509.ObjectIdentifier("1.2.840.10045.4.3.2")))
    return der(0x30, info + algorithm + der(0x03, b"\x00" + signature))


def attested_csr(key: ec.EllipticCurvePrivateKey, name: str | x509.Name, evidence: bytes) -> bytes:
    """A request that carries state evidence."""
    return make_csr(key, name, (ID_AA_ATTESTATION, bundle(evidence)))


def bundle(*evidence: bytes) -> bytes:
    """An AttestationBundle of draft-ietf-lamps-csr-attestation."""
    oid = asn1.encode_der(x509.ObjectIdentifier(STATE_EVIDENCE))
    return der(0x30, der(0x30, b"".join(der(0x30, oid + der(0x04, item)) for item in evidence)))


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def state_of(board: Any, challenge: bytes, verifier: str, device_id: str, csr: bytes = b"") -> bytes:
    """The state evidence of a soft board's identity key, bound to a request (DER) or to none."""
    args = {
        "slot": 0,
        "attestation_slot": 1,
        "challenge": challenge,
        "verifier": verifier,
        "device_id": device_id,
        "csr": hashlib.sha256(csr).digest(),
    }
    return bytes(board.call("key.state", args)["evidence"])


def challenge_in(evidence: bytes) -> bytes:
    return bytes(cbor2.loads(cbor2.loads(evidence).value[2])[3])
