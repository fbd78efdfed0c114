"""A TCP port whose clients are each served in a thread of their own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

_STOP_DEADLINE_S = 5


class TcpServer:
    """Listen on ``host`` and ``port`` (0 picks a free one) and call ``serve`` with each client's socket.

    ``serve`` runs in the client's thread and need not close the socket. A client beyond ``most`` at a time is
    turned away. Raises OSError when the address cannot be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        serve: Callable[[socket.socket], None],
        *,
        name: str,
        most: int | None = None,
    ) -> None:
        self._serve_client = serve
        self._name = name
        self._most = most
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._clients_lock = threading.Lock()
        self._stopping = False
        self._acceptor: threading.Thread | None = None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=16)
        bound = self._listener.getsockname()
        self.address = (str(bound[0]), int(bound[1]))

    def start(self) -> None:
        """Begin to accept clients."""
        self._acceptor = threading.Thread(target=self._accept, name=f"{self._name}-server", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Disconnect every client and stop listening; safe to call twice."""
        with self._clients_lock:
            self._stopping = True
            clients = dict(self._clients)
        # A blocked accept() is not woken by close() everywhere; shutdown() does it on Linux.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in (self._acceptor, *clients.values()):
            if thread is not None and thread is not threading.current_thread():
                thread.join(timeout=_STOP_DEADLINE_S)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(
                target=self._serve, args=(client,), name=f"{self._name}-client", daemon=True
            )
            with self._clients_lock:
                if self._stopping:
                    client.close()
                    return
                if self._most is not None and len(self._clients) >= self._most:
                    client.close()
                    continue
                self._clients[client] = thread
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        try:
            self._serve_client(client)
        finally:
            client.close()
            with self._clients_lock:
                self._clients.pop(client, None)
