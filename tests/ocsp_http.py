"""A responder on a loopback port, just enough HTTP for a client (RFC 6960 appendix A)."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

TIMEOUT = 20
Answer = Callable[[bytes], bytes]


@contextmanager
def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(TIMEOUT)


@contextmanager
def served_responder(answer: Answer) -> Iterator[str]:
    """Serve a responder; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT

        def do_POST(self) -> None:
            self._send(self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self) -> None:
            self._send(base64.b64decode(unquote(self.path[1:])))

        def log_message(self, *_: object) -> None:
            pass

        def _send(self, request: bytes) -> None:
            der = answer(request)
            self.send_response(200)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("Content-Length", str(len(der)))
            self.end_headers()
            self.wfile.write(der)

    with _served(Handler) as address:
        yield address


@contextmanager
def served_folder(folder: Path) -> Iterator[str]:
    """Serve a folder as Python's own static web server does; yields its address."""

    class Handler(SimpleHTTPRequestHandler):
        timeout = TIMEOUT

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with _served(Handler) as address:
        yield address
