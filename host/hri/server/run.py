"""One process that serves: its socket, its TLS, its start and its orderly end."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType

import uvicorn

from hri.ca.authority import Authority
from hri.ca.files import read_input
from hri.errors import ConfigurationError
from hri.home import Home
from hri.publication import OcspKeys
from hri.server.app import create_app
from hri.server.callers import Callers, read_client_ca
from hri.server.peer import protocol_with
from hri.server.scheduler import Scheduler
from hri.server.service import Service
from hri.server_config import ServerConfig, TlsConfig, UpkeepConfig
from hri.upkeep import Folders, upkeep_steps

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_KEEP_ALIVE_S = 15
_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 is any that is free."""

    host: str
    port: int

    @classmethod
    def from_text(cls, text: str) -> Address:
        """Read HOST:PORT or [IPV6]:PORT. Raises ConfigurationError."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ConfigurationError("bad-address", f"{text!r} is no address", "write HOST:PORT")
        return cls(host, int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def url(self, scheme: str) -> str:
        """Return the URL of a server here."""
        return f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def serve(
    home: Home, *, listen: str | None, insecure: bool, on_started: Callable[[Address, str], None]
) -> None:
    """Serve a home until SIGTERM or SIGINT; requests under way are answered first.

    `on_started` gets the address and the URL once requests are taken. Without TLS only this machine is
    served, unless `insecure`.

    Raises ConfigurationError (no authority, no passphrase, bad address or certificate) and StorageError.
    """
    config = home.config().server
    address = Address.from_text(listen or config.listen)
    if config.tls is None and not (address.loopback or insecure):
        raise ConfigurationError(
            "no-tls",
            f"{address.host} can be reached from elsewhere, and the configuration has no server.tls",
            "name a certificate and its key, or give --insecure behind something that does TLS",
        )
    with home.context(unlocked=True) as context:
        client_ca = b""
        if config.tls is not None and config.tls.client_ca is not None:
            client_ca = read_input(home.path / config.tls.client_ca, "server.tls.client_ca")
        tls = None if config.tls is None else _tls(config.tls, home.path, context.authority, client_ca)
        callers = Callers(config, read_client_ca(client_ca) if client_ca else ())
        ocsp_keys = None
        if context.enroller is None:
            ocsp_keys = OcspKeys(home.ocsp_folder(), context.passphrase_beside("ocsp"))
        folders = _folders(home, config.upkeep)
        service = Service.of(context, callers, folders.crl, ocsp_keys)
        with _listening(address) as listener, _scheduler(service, folders, ocsp_keys, config.upkeep):
            bound = Address(address.host, listener.getsockname()[1])
            scheme = "http" if tls is None else "https"
            server = _Server(_uvicorn(service, config, tls), lambda: on_started(bound, bound.url(scheme)))
            server.run(sockets=[listener])


def _folders(home: Home, config: UpkeepConfig) -> Folders:
    answers = None if config.ocsp_folder is None else home.path / config.ocsp_folder
    log = None if config.log_folder is None else home.path / config.log_folder
    return Folders(home.crl_path().parent, answers, log)


def _scheduler(
    service: Service, folders: Folders, ocsp_keys: OcspKeys | None, config: UpkeepConfig
) -> Scheduler:
    interval = None if config.interval is None else timedelta(seconds=config.interval)
    steps = tuple(upkeep_steps(service.context, folders, ocsp_keys))
    return Scheduler(service.context, steps, interval, service.metrics)


def _uvicorn(service: Service, config: ServerConfig, tls: ssl.SSLContext | None) -> uvicorn.Config:
    limits = config.limits
    return uvicorn.Config(
        create_app(service, limits),
        http=protocol_with(limits.receive_timeout),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nobody's word for where a request came from: the rate is counted by it.
        proxy_headers=False,
        limit_concurrency=limits.connections,
        h11_max_incomplete_event_size=limits.header_bytes,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=limits.shutdown_timeout,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it takes requests, and ends in order when it was asked to."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal again when all is done, which would end the process by it.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        # A second one does not wait for those who are slow.
        self.force_exit = self.should_exit
        self.should_exit = True


@contextlib.contextmanager
def _listening(address: Address) -> Iterator[socket.socket]:
    with contextlib.ExitStack() as opened:
        try:
            family, _, _, _, where = socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            # The protocol is named because asyncio sends small answers at once (TCP_NODELAY) only if it is.
            listener = opened.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(_BACKLOG)
        except OSError as error:
            what = (error.strerror or str(error)).lower()
            raise ConfigurationError(
                "cannot-listen",
                f"cannot listen on {address.host}:{address.port}: {what}",
                "choose another --listen",
            ) from error
        yield listener


def _tls(config: TlsConfig, home: Path, authority: Authority, client_ca: bytes) -> ssl.SSLContext:
    """Return the server's side of TLS: client certificates are asked for, but not demanded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.minimum]
    context.verify_mode = ssl.CERT_OPTIONAL
    anchors = authority.chain_pem() + client_ca
    try:
        # An encrypted key would be asked for at a terminal, where nobody is.
        context.load_cert_chain(home / config.certificate, home / config.key, password=_no_password)
        context.load_verify_locations(cadata=anchors.decode("ascii"))
    except (OSError, ValueError) as error:
        what = (getattr(error, "strerror", None) or str(error)).lower()
        raise ConfigurationError(
            "bad-tls",
            f"server.tls cannot be used: {what}",
            "name a PEM certificate, its unencrypted key and PEM client authorities",
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")
