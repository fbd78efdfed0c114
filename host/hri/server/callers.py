"""Who is calling: a token, a client certificate that names somebody, or a device's own certificate."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri.attested_issue import confirm_use
from hri.context import Context
from hri.errors import ConfigurationError
from hri.registry import CertificateRecord
from hri.server.peer import Peer
from hri.server.problems import HttpProblem
from hri.server.roles import Role
from hri.server_config import ServerConfig
from hri.standing import standing_reasons

_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a role; `certificate` is a device's own, which it showed and which is in force."""

    name: str
    role: Role
    certificate: CertificateRecord | None = None


class Callers:
    """What the configuration says of tokens and client certificates, ready to be asked."""

    def __init__(self, config: ServerConfig, client_ca: Sequence[x509.Certificate]) -> None:
        self._tokens = [
            (bytes.fromhex(token.sha256), Caller(token.name, Role(token.role))) for token in config.tokens
        ]
        self._by_key = {
            client.spki_sha256: Caller(client.name, Role(client.role))
            for client in config.clients
            if client.spki_sha256 is not None
        }
        self._by_subject = {
            client.subject: Caller(client.name, Role(client.role))
            for client in config.clients
            if client.subject is not None
        }
        self._client_ca = tuple(client_ca)

    def identify(self, context: Context, authorization: str | None, peer: Peer | None) -> Caller | None:
        """Return who calls, None where nobody says who he is; credentials count before certificates.

        Raises HttpProblem `unauthenticated` for credentials that are wrong, StorageError.
        """
        if authorization is not None:
            return self._by_token(_token(authorization))
        if peer is None or peer.certificate is None:
            return None
        return self._by_certificate(context, peer.certificate)

    def _by_token(self, token: str) -> Caller:
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        # All of them, each in constant time: how long it takes says nothing of how near a guess was.
        for expected, caller in self._tokens:
            if hmac.compare_digest(digest, expected):
                found = caller
        if found is None:
            raise _unauthenticated("this token is not known here")
        return found

    def _by_certificate(self, context: Context, der: bytes) -> Caller:
        certificate = x509.load_der_x509_certificate(der)
        # TLS looked at the dates once; a connection, and a session that is resumed, may outlive them.
        if not certificate.not_valid_before_utc <= context.now() <= certificate.not_valid_after_utc:
            raise _unauthenticated("the client certificate is not valid at this time")
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        named = self._by_key.get(hashlib.sha256(spki).hexdigest())
        if named is not None:
            return named
        # A device could be called what a person is called, so names count only under the people's CA.
        named = self._by_subject.get(certificate.subject.rfc4514_string())
        if named is not None and any(_issued(ca, certificate) for ca in self._client_ca):
            return named
        return _device(context, certificate.serial_number, der)


def _device(context: Context, serial_number: int, der: bytes) -> Caller:
    if reasons := standing_reasons(context.registry, der):
        raise _unauthenticated("; ".join(reason.detail for reason in reasons))
    record = context.registry.certificate(serial_number)
    if record is None or record.der != der:
        raise _unauthenticated("this client certificate names nobody here")
    # It has reached its device: this is the use that confirms it.
    confirm_use(context, record)
    return Caller(record.device_id, Role.DEVICE, record)


def _issued(ca: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _token(authorization: str) -> str:
    """Return the token of a Bearer header, or the password of a Basic one (RFC 7617), which EST clients send.

    The user name of the latter is not looked at: the token alone says who it is.
    """
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if len(value) <= _LONGEST and scheme.lower() == "bearer" and value:
        return value
    if len(value) <= _LONGEST and scheme.lower() == "basic":
        try:
            _user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            colon, password = "", ""
        if colon and password:
            return password
    raise _unauthenticated("the Authorization header is neither Bearer nor Basic with a token")


def read_client_ca(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of `server.tls.client_ca`. Raises ConfigurationError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ConfigurationError(
            "bad-configuration", "server.tls.client_ca holds no PEM certificates", "correct the file"
        ) from error


def _unauthenticated(why: str) -> HttpProblem:
    return HttpProblem(
        "unauthenticated", why, "send a token of this server, or a client certificate in force"
    )
