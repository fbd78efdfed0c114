"""A client of another authority's EST server (RFC 7030, RFC 8951): its certificates, and enrolment there.

The server is trusted by a file of certificates that the operator names, or else by the system's; what it
answers is checked by whoever uses it (`hri.ca.external_issuer`).
"""

from __future__ import annotations

import base64
import binascii
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import httpx
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from hri.errors import ConfigurationError, PolicyRefusal, StorageError

_log = structlog.get_logger(__name__)
_WELL_KNOWN = "/.well-known/est"
_PKCS10 = "application/pkcs10"
_PKCS7 = "application/pkcs7-mime"
_LARGEST = 262_144
_SOON_S = 5.0
# These pass by themselves: too many requests, and servers behind servers that are not there.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class EstServer:
    """Where an EST server is, and who we are to it.

    `url` is its base, with or without the well-known path; `label` names one of its profiles. `trust` is a
    PEM file. `api_key` goes as the password of HTTP Basic, with `user` as its name; `client` is a certificate
    chain and its key, PEM.
    """

    url: str
    label: str | None = None
    trust: Path | None = None
    user: str = "hri"
    api_key: str | None = None
    client: tuple[Path, Path] | None = None

    @property
    def base(self) -> str:
        """The URL below which the operations are. Raises ConfigurationError for one that is not https."""
        url = self.url.rstrip("/")
        if not url.startswith("https://"):
            raise ConfigurationError(
                "bad-configuration", "certificate_authority.url: EST needs https", "give an https URL"
            )
        if _WELL_KNOWN not in url:
            url += _WELL_KNOWN
        return url if self.label is None else f"{url}/{self.label}"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request may take, how often it is tried again and how long a pending one is waited for.

    Times in seconds; `delay` lies between two tries.
    """

    timeout: float = 30.0
    retries: int = 3
    delay: float = 10.0
    pending: float = 300.0


class EstClient:
    """Asks one EST server; safe to share between threads."""

    def __init__(
        self,
        server: EstServer,
        patience: Patience,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Read the named files; `transport` stands in for the network. Raises ConfigurationError."""
        self._base = server.base
        self._patience = patience
        self._sleep = sleep
        self._monotonic = monotonic
        auth = None if server.api_key is None else httpx.BasicAuth(server.user, server.api_key)
        # Neither redirects nor proxies of the environment: credentials go to this server only.
        self._http = httpx.Client(
            verify=_tls(server),
            auth=auth,
            timeout=patience.timeout,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def ca_certificates(self) -> list[x509.Certificate]:
        """Return what /cacerts gives (section 4.1), in no order. Raises StorageError, PolicyRefusal."""
        return self._certificates("GET", "cacerts", None)

    def enroll(self, csr_der: bytes) -> x509.Certificate:
        """Have a certificate issued for a PKCS#10 request (DER), waiting where it is pending (section 4.2.3).

        Raises PolicyRefusal where the server says no, StorageError where it cannot be reached or makes no
        sense.
        """
        # White space is free (RFC 8951 section 3.1), and libest reads no request that is one long line.
        found = self._certificates("POST", "simpleenroll", base64.encodebytes(csr_der))
        if len(found) != 1:
            raise _nonsense(f"answered with {len(found)} certificates instead of one")
        return found[0]

    def _certificates(self, method: str, operation: str, body: bytes | None) -> list[x509.Certificate]:
        answer = self._settled(method, operation, body)
        kind = Message()
        kind["Content-Type"] = answer.headers.get("Content-Type", "")
        if kind.get_content_type() != _PKCS7:
            raise _nonsense(f"answered with {kind.get_content_type()} instead of {_PKCS7}")
        try:
            der = base64.b64decode(b"".join(answer.content.split()), validate=True)
            return list(pkcs7.load_der_pkcs7_certificates(der))
        except (binascii.Error, ValueError) as error:
            raise _nonsense("answered with something that is no certs-only message") from error

    def _settled(self, method: str, operation: str, body: bytes | None) -> httpx.Response:
        """Return the first answer with 200, asking again while it is pending or fails in passing."""
        end = self._monotonic() + self._patience.pending
        left = self._patience.retries
        while True:
            try:
                answer = self._asked(method, operation, body)
            except httpx.TransportError as error:
                _log.info("external authority not reached", error=type(error).__name__)
                if left <= 0:
                    raise StorageError(
                        "ca-unreachable",
                        f"the external authority does not answer: {_why(error)}",
                        "check certificate_authority.url and .trust, then run the same command again",
                    ) from error
                wait = self._patience.delay
            else:
                if answer.status_code == 200:
                    return answer
                wait = self._wait(answer, left)
            if self._monotonic() + wait > end:
                raise StorageError(
                    "ca-pending",
                    "the external authority has not decided yet",
                    "run the same command again later; the request is the same then",
                )
            left -= 1
            self._sleep(wait)

    def _asked(self, method: str, operation: str, body: bytes | None) -> httpx.Response:
        headers = {} if body is None else {"Content-Type": _PKCS10}
        url = f"{self._base}/{operation}"
        with self._http.stream(method, url, content=body, headers=headers) as answer:
            content = bytearray()
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > _LARGEST:
                    raise _nonsense(f"answered with more than {_LARGEST} bytes")
        return httpx.Response(answer.status_code, headers=_kept(answer), content=bytes(content))

    def _wait(self, answer: httpx.Response, left: int) -> float:
        """Return the seconds until the next try; raises where there is none."""
        status = answer.status_code
        after = answer.headers.get("Retry-After", "")
        if status == 202:
            # At least a little, whatever it says; as a date it is taken for soon.
            return max(1.0, float(after)) if after.isdigit() else _SOON_S
        if status in _PASSING and left > 0:
            return float(after) if after.isdigit() else self._patience.delay
        if status in _PASSING:
            raise StorageError(
                "ca-unreachable", f"the external authority answers with status {status}", "try again later"
            )
        raise PolicyRefusal(
            "ca-refused",
            f"the external authority refuses with status {status}: {_words(answer)}",
            "see what it says; check certificate_authority.api_key or .client_certificate",
        )


def _kept(answer: httpx.Response) -> dict[str, str]:
    """The headers that mean something after the body was decoded."""
    return {name: answer.headers[name] for name in ("Content-Type", "Retry-After") if name in answer.headers}


def _words(answer: httpx.Response) -> str:
    """What the server says, if it is for people: printable and short."""
    text = answer.content[:2000].decode("utf-8", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:300] or "nothing"


def _why(error: httpx.TransportError) -> str:
    return (str(error) or type(error).__name__).lower()


def _nonsense(what: str) -> StorageError:
    return StorageError("ca-nonsense", f"the external authority {what}", "ask whoever runs it")


def _tls(server: EstServer) -> ssl.SSLContext:
    try:
        if server.trust is None:
            context = ssl.create_default_context()
        else:
            context = ssl.create_default_context(cafile=str(server.trust))
        if server.client is not None:
            certificate, key = server.client
            context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        what = (getattr(error, "strerror", None) or str(error)).lower()
        raise ConfigurationError(
            "bad-configuration",
            f"certificate_authority: trust or client_certificate cannot be used: {what}",
            "name PEM files, the key unencrypted",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")
