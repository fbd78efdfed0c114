"""A device that speaks docs/protocol.md on a pty, written from the document and not from `hri.link`."""

from __future__ import annotations

import binascii
import os
import select
import threading
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2

Handler = Callable[[str, dict[str, Any], bytes | None], Any]
HELLO = {"protocol": 1, "package": "0.1.0", "stage": "blank", "device_id": None}


def cobs_encode(data: bytes) -> bytes:
    out = bytearray()
    for block in data.split(b"\x00"):
        while len(block) >= 254:
            out += b"\xff" + block[:254]
            block = block[254:]
        out += bytes((len(block) + 1,)) + block
    return bytes(out)


def cobs_decode(data: bytes) -> bytes | None:
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        block = data[at + 1 : at + code]
        if code == 0 or len(block) != code - 1:
            return None
        out += block
        at += code
        if code != 0xFF and at < len(data):
            out.append(0)
    return bytes(out)


def frame(request_id: int, answer: Any, version: int = 1) -> bytes:
    body = answer if isinstance(answer, bytes) else cbor2.dumps(answer)
    inner = bytes((version, request_id >> 8, request_id & 0xFF)) + body
    inner += binascii.crc32(inner).to_bytes(4, "big")
    return b"\x00" + cobs_encode(inner) + b"\x00"


def unframe(piece: bytes) -> tuple[int, Any] | None:
    inner = cobs_decode(piece)
    if inner is None or len(inner) < 7 or inner[0] != 1:
        return None
    if binascii.crc32(inner[:-4]).to_bytes(4, "big") != inner[-4:]:
        return None
    return int.from_bytes(inner[1:3], "big"), cbor2.loads(inner[3:-4])


@dataclass
class FakeDevice:
    """Answers on `port` in a thread: `handler` makes the answers, `tamper` may spoil each frame by number."""

    handler: Handler = lambda *_: [0, dict(HELLO)]
    tamper: Callable[[int, bytes], bytes] = lambda _, data: data
    in_repl: bool = False
    boots: bool = True
    requests: list[tuple[int, str]] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> FakeDevice:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._wake_read, self._wake_write = os.pipe()
        self._answers = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._wake_write, b"x")
        self._thread.join(5)
        for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
            os.close(descriptor)

    def say(self, data: bytes) -> None:
        os.write(self._master, data)

    def _run(self) -> None:
        pending = b""
        while True:
            readable, _, _ = select.select([self._master, self._wake_read], [], [], 20)
            if self._master not in readable:
                return
            data = os.read(self._master, 4096)
            self.heard += data
            if self.in_repl:
                pending = self._repl(pending + data)
                continue
            pending += data
            *pieces, pending = pending.split(b"\x00")
            for piece in pieces:
                self._serve(piece)

    def _repl(self, typed: bytes) -> bytes:
        if b"\x03\x03\x02\x04" not in typed:
            return typed[-16:]
        self.say(b"\r\nMPY: soft reboot\r\n")
        if not self.boots:
            self.say(
                b"Traceback (most recent call last):\r\nImportError: no module named 'hri_device'\r\n>>> "
            )
            return b""
        self.say(b"hri_device 0.1.0 on Fake\r\n")
        self.in_repl = False
        return b""

    def _serve(self, piece: bytes) -> None:
        got = unframe(piece) if piece else None
        if got is None:
            return
        number, request = got
        op, args = request[0], request[1]
        self.requests.append((number, op))
        answer = self.handler(op, args, request[2] if len(request) > 2 else None)
        if answer is not None:
            self._answers += 1
            self.say(self.tamper(self._answers, frame(number, answer)))
