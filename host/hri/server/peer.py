"""Who is at the other end of a connection: uvicorn's h11 protocol, which also shows TLS to the application.

uvicorn asks for client certificates but does not pass them on, and waits for the head of a request for ever;
both are mended here.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

SCOPE_KEY = "hri.peer"
_GOODBYE_S = 1.0
_HEAD_BYTES = 16_384
_WRITTEN = {b"www-authenticate": b"WWW-Authenticate"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A TLS connection: the client's certificate (DER) if it gave one, which then was verified.

    `tls_unique` is the channel binding of RFC 5929, which TLS 1.3 does not have.
    """

    certificate: bytes | None
    version: str
    tls_unique: bytes | None


def peer_of(scope: Scope) -> Peer | None:
    """Return the TLS peer of a request, None over plain HTTP."""
    found = scope.get(SCOPE_KEY)
    return found if isinstance(found, Peer) else None


def protocol_with(head_timeout: float) -> type[H11Protocol]:
    """Return the protocol class that gives a client `head_timeout` seconds for the head of a request."""

    class PeerProtocol(_PeerProtocol):
        limit = head_timeout

    return PeerProtocol


class _Connection(h11.Connection):
    """Answers a request of HTTP/1.0 as such, with header names as they were written then.

    libest's client speaks 1.0, takes no other answer, and tells upper from lower case.
    """

    def send(self, event: Any) -> Any:
        if not isinstance(event, h11.Response) or self.their_http_version != b"1.0":
            return super().send(event)
        headers = [(_WRITTEN.get(name, name.title()), value) for name, value in event.headers]
        data = super().send(h11.Response(status_code=event.status_code, headers=headers, reason=event.reason))
        return data.replace(b"HTTP/1.1", b"HTTP/1.0", 1) if data else data


class _PeerProtocol(H11Protocol):
    limit: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Connection(h11.SERVER, self.config.h11_max_incomplete_event_size or _HEAD_BYTES)
        self._peer: Peer | None = None
        self._inner: Any = self.app
        self.app = self._with_peer
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._peer = _peer(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            self._stop_clock()
        elif self._deadline is None:
            # A head came in part, after an answer: from here on it is late, however it drips.
            self._expect_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._part()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self._part()

    def _part(self) -> None:
        # asyncio waits half a minute for the other side's goodbye in TLS, and the end of the server with it.
        self.loop.call_later(_GOODBYE_S, self._parted)

    def _parted(self) -> None:
        if self.transport.get_write_buffer_size():
            self._part()
        else:
            self.transport.abort()

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(self.limit, self._late)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()

    async def _with_peer(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[SCOPE_KEY] = self._peer
        inner: ASGIApp = self._inner
        await inner(scope, receive, send)


def _peer(transport: asyncio.Transport) -> Peer | None:
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return None
    version = tls.version() or ""
    # What the ssl module gives for 1.3 is no tls-unique, which ended with 1.2 (RFC 8446 appendix C.5).
    unique = tls.get_channel_binding("tls-unique") if version == "TLSv1.2" else None
    return Peer(tls.getpeercert(True), version, unique)
