"""How `hri serve` listens, whom it lets in and how much of it: the section `server` of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

RoleName = Literal["operator", "registration-authority", "auditor", "admin"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def _path(value: object) -> object:
    return Path(value) if isinstance(value, str) else value


def _sha256(value: str) -> str:
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError("is not a SHA-256: 64 lower-case hex digits")
    return value


def _subject(value: str) -> str:
    try:
        return x509.Name.from_rfc4514_string(value).rfc4514_string()
    except ValueError:
        raise ValueError("is not a name as in RFC 4514, such as CN=alice,O=Example") from None


_File = Annotated[Path, BeforeValidator(_path)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class TlsConfig(_Section):
    """The server's own certificate chain and key (PEM), and whose client certificates name people.

    Certificates of devices are accepted without being named here. `minimum` is the oldest version of TLS.
    """

    certificate: _File
    key: _File
    client_ca: _File | None = None
    minimum: Literal["1.2", "1.3"] = "1.2"


class TokenConfig(_Section):
    """Somebody who shows a token; `sha256` is that of the token's text, as `hri serve token` prints it."""

    name: _Name
    role: RoleName
    sha256: Annotated[str, AfterValidator(_sha256)]


class ClientConfig(_Section):
    """Somebody who shows a client certificate: by its key, or by its subject if `tls.client_ca` issued it."""

    name: _Name
    role: RoleName
    subject: Annotated[str, AfterValidator(_subject)] | None = None
    spki_sha256: Annotated[str, AfterValidator(_sha256)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> ClientConfig:
        if (self.subject is None) == (self.spki_sha256 is None):
            raise ValueError("name either subject or spki_sha256")
        return self


class LimitsConfig(_Section):
    """How much a caller may ask of one process; times in seconds, sizes in bytes.

    `requests_per_second` and `burst` hold for one caller: a token, a client certificate, or else an address.
    """

    body_bytes: int = Field(default=65_536, ge=1024, le=16_777_216)
    header_bytes: int = Field(default=16_384, ge=1024, le=1_048_576)
    requests_per_second: float = Field(default=50.0, gt=0)
    burst: int = Field(default=200, ge=1)
    connections: int = Field(default=1000, ge=1)
    receive_timeout: float = Field(default=10.0, gt=0)
    answer_timeout: float = Field(default=30.0, gt=0)
    shutdown_timeout: int = Field(default=30, ge=1)


class UpkeepConfig(_Section):
    """What the server does by itself, every `interval` seconds (None: nothing, for those who have timers).

    Policies are applied and revocation lists replaced in any case; OCSP answers are made ahead, and the log
    is exported, where folders are named for them.
    """

    interval: float | None = Field(default=60.0, gt=0, le=86_400)
    ocsp_folder: _File | None = None
    log_folder: _File | None = None


class ServerConfig(_Section):
    """The whole section."""

    listen: str = "127.0.0.1:8443"
    tls: TlsConfig | None = None
    tokens: list[TokenConfig] = Field(default=[])
    clients: list[ClientConfig] = Field(default=[])
    limits: LimitsConfig = LimitsConfig()
    upkeep: UpkeepConfig = UpkeepConfig()

    @model_validator(mode="after")
    def _told_apart(self) -> ServerConfig:
        names = [token.name for token in self.tokens] + [client.name for client in self.clients]
        if len(names) != len(set(names)):
            raise ValueError("two entries of tokens and clients have one name")
        digests = [token.sha256 for token in self.tokens]
        if len(digests) != len(set(digests)):
            raise ValueError("one token stands under two names")
        named = [client for client in self.clients if client.subject is not None]
        if named and (self.tls is None or self.tls.client_ca is None):
            raise ValueError("clients by subject need tls.client_ca, or anybody could take the name")
        return self
