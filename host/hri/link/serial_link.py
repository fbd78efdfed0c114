"""Requests and answers over a serial port, with deadlines, recovery and retries (docs/protocol.md)."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, Self, TypeVar

import cbor2

from hri.errors import ConfigurationError
from hri.link.errors import AnswerLost, BoardInRepl, DeviceRefused, DeviceSilent, ProtocolMismatch
from hri.link.frames import PROTOCOL_VERSION, Frame, FrameReader, FrameTooLong, encode_frame
from hri.link.port import Port, PortGone

# Interrupt twice, leave the raw REPL, soft reset: main.py then starts the service (docs/protocol.md).
_TO_MAIN_PY = b"\x03\x03\x02\x04"
_REPL_SIGNS = re.compile(rb">>> |raw REPL; CTRL-B|MicroPython v\d|CircuitPython \d")
_BOOT_SIGNS = re.compile(rb"soft reboot|MicroPython v\d|CircuitPython \d|hri_device \d")
# Ctrl-C and Ctrl-D: a `hello` without them disturbs neither a booting board nor a program at the REPL.
_REPL_KEYS = frozenset(b"\x03\x04")
# Answers are maps in a list, and the deepest member is a list of strings.
_MAX_DEPTH = 8
# RFC 8949 section 3.1.
_MAJOR_STRINGS = (2, 3)
_MAJOR_TAG = 6
_ARGUMENT_FOLLOWS = 24
# These keep the chip, or the interpreter, at work for many commands on end.
_SLOW_OPS = frozenset({"chip.write_config", "chip.lock_data", "key.birth", "key.state"})


class Link(Protocol):
    """What a board element needs of its line to the board."""

    def call(
        self,
        op: str,
        args: Mapping[str, Any],
        *,
        authorisation: bytes | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Send one request and return the result of its answer; raises DeviceError."""
        ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the host waits, in seconds: an emulated board is some 20 times slower than a real one."""

    hello: float = 3.0
    recovery: float = 20.0
    request: float = 30.0
    slow_request: float = 90.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Deadlines:
        """Return the usual deadlines times HRI_LINK_TIMEOUT (a factor above 0); raises ConfigurationError."""
        text = environ.get("HRI_LINK_TIMEOUT", "1")
        try:
            factor = float(text)
        except ValueError:
            factor = 0.0
        if not 0 < factor < 1e6:
            raise ConfigurationError(
                "bad-link-timeout",
                f"HRI_LINK_TIMEOUT is {text!r}, not a factor",
                "set it to a number above 0, such as 2, or unset it",
            )
        usual = cls()
        return cls(
            usual.hello * factor,
            usual.recovery * factor,
            usual.request * factor,
            usual.slow_request * factor,
        )

    def of(self, op: str) -> float:
        """Return the deadline of one request, in seconds."""
        return self.slow_request if op in _SLOW_OPS else self.request


_T = TypeVar("_T")


class _Lost(Exception):
    """A request got no answer. The words say what happened instead."""


class SerialLink:
    """A board at the other end of a serial port; one request at a time, from one thread."""

    def __init__(
        self,
        port: Port,
        *,
        deadlines: Deadlines | None = None,
        retries: int = 2,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port = port
        self._deadlines = deadlines or Deadlines()
        self._retries = retries
        self._monotonic = monotonic
        self._reader = FrameReader()
        self._queue: list[Frame] = []
        # Starts anywhere, so that a late answer to an earlier program is taken for nobody's.
        self._last_id = secrets.randbelow(0x10000)

    @classmethod
    def open(cls, port: str, *, deadlines: Deadlines | None = None, retries: int = 2) -> SerialLink:
        """Open a port exclusively and make sure that the service answers on it.

        Raises NoDevice, PortBusy, NoPermission, DeviceSilent, BoardInRepl or ProtocolMismatch.
        """
        line = Port(port)
        line.open()
        link = cls(line, deadlines=deadlines, retries=retries)
        try:
            link.ensure_service()
        except BaseException:
            link.close()
            raise
        return link

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> str:
        """The name of the port."""
        return self._port.name

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    def noise(self) -> str:
        """Return the last 4 KiB of what the board said outside frames, as printable text."""
        return _printable(self._reader.noise())

    def call(
        self,
        op: str,
        args: Mapping[str, Any],
        *,
        authorisation: bytes | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Send a request and return its result; a lost answer is asked for again, `retries` times.

        An authorised request is sent once only, as its nonce is good for one attempt: AnswerLost then.
        `timeout` is in seconds for one attempt. Raises DeviceRefused with the board's own error,
        DeviceSilent, NoDevice, BoardInRepl, ProtocolMismatch (docs/protocol.md "Requests and answers").
        """
        request: list[Any] = [op, dict(args)]
        if authorisation is not None:
            request.append(authorisation)
        body: bytes = cbor2.dumps(request, canonical=True)
        seconds = self._deadlines.of(op) if timeout is None else timeout
        attempts = 1 if authorisation is not None else 1 + self._retries
        words = ""
        for _ in range(attempts):
            try:
                return self._attempt(op, body, seconds)
            except _Lost as lost:
                words = str(lost)
                self.ensure_service()
            except PortGone as gone:
                words = f"the port failed while waiting for `{op}`: {gone}"
                self._port.reopen(self._deadlines.recovery)
                self._reader.reset()
                self.ensure_service()
        if authorisation is not None:
            raise AnswerLost("answer-lost", words, "run the same command again")
        raise DeviceSilent(
            "device-silent",
            f"{words} ({attempts} attempts)",
            "look at the cable, then run the same command again",
        )

    def ensure_service(self) -> dict[str, Any]:
        """Return the board's `hello`, if need be after leading a REPL back into main.py.

        Raises DeviceSilent, BoardInRepl or ProtocolMismatch with what the board said last.
        """
        try:
            answer = self._hello(self._deadlines.hello, every=self._deadlines.hello / 2)
            if answer is None:
                answer = self._recover()
        except PortGone:
            # A soft reset makes some USB boards enumerate anew.
            self._port.reopen(self._deadlines.recovery)
            self._reader.reset()
            answer = self._hello(self._deadlines.recovery, every=self._deadlines.hello)
        if answer is None:
            self._give_up()
        if answer.get("protocol") != PROTOCOL_VERSION:
            raise ProtocolMismatch(
                "wrong-protocol",
                f"the board speaks protocol {answer.get('protocol')!r}, this program {PROTOCOL_VERSION}",
                "put the hri_device that belongs to this version of hri on the board",
            )
        return answer

    def _recover(self) -> dict[str, Any] | None:
        # Twice: the first Ctrl-C may fall into a half-received frame, and what follows is dropped with it.
        for _ in range(2):
            self._port.write(_TO_MAIN_PY)
            answer = self._hello(self._deadlines.recovery / 2, every=self._deadlines.hello)
            if answer is not None:
                return answer
        return None

    def _hello(self, seconds: float, *, every: float) -> dict[str, Any] | None:
        body: bytes = cbor2.dumps(["hello", {}], canonical=True)
        end = self._monotonic() + seconds
        sent: set[int] = set()
        while (now := self._monotonic()) < end:
            number, frame = self._quiet_frame(body)
            sent.add(number)
            self._port.write(frame)
            answer = self._await(sent, min(end, now + every), "hello")
            if answer is not None:
                return answer
        return None

    def _quiet_frame(self, body: bytes) -> tuple[int, bytes]:
        while True:
            number = self._next_id()
            frame = encode_frame(number, body)
            if not _REPL_KEYS.intersection(frame):
                return number, frame

    def _attempt(self, op: str, body: bytes, seconds: float) -> dict[str, Any]:
        # A new id for each attempt: a late answer to a lost key.birth would speak of a key that is gone.
        number = self._next_id()
        try:
            frame = encode_frame(number, body)
        except FrameTooLong as error:
            raise DeviceRefused("too-long", str(error), op=op) from error
        heard = self._reader.noise_position
        self._port.write(frame)
        answer = self._await({number}, self._monotonic() + seconds, op, heard=heard)
        if answer is None:
            raise _Lost(f"no answer to `{op}` within {seconds:g} s")
        return answer

    def _await(
        self, numbers: set[int], end: float, op: str, *, heard: int | None = None
    ) -> dict[str, Any] | None:
        """Return the answer to one of `numbers`, None at the deadline; with `heard`, watch for a restart."""
        while True:
            while self._queue:
                frame = self._queue.pop(0)
                if frame.request_id in numbers:
                    return _result(frame, op)
            left = end - self._monotonic()
            if left <= 0:
                return None
            self._queue.extend(self._reader.feed(self._port.read(left)))
            if heard is not None and not self._queue and _BOOT_SIGNS.search(self._reader.noise_since(heard)):
                raise _Lost(f"the board restarted while it worked on `{op}`")

    def _next_id(self) -> int:
        self._last_id = (self._last_id + 1) & 0xFFFF
        return self._last_id

    def _give_up(self) -> NoReturn:
        noise = self._reader.noise()
        said = (
            f"; it said last: {_last_lines(noise)}"
            if noise.strip(b"\x00\r\n ")
            else " and it printed nothing"
        )
        if _REPL_SIGNS.search(noise):
            raise BoardInRepl(
                "board-in-repl",
                f"the board on {self.port} is at its REPL and main.py did not start the service{said}",
                "put the package on it with `hri board flash`, or look at the error that it printed",
            )
        raise DeviceSilent(
            "device-silent",
            f"nothing on {self.port} answered `hello`{said}",
            "check that this is the board's port and that hri_device is on it",
        )


def _result(frame: Frame, op: str) -> dict[str, Any]:
    if frame.version != PROTOCOL_VERSION:
        raise ProtocolMismatch(
            "wrong-protocol",
            f"the answer to `{op}` is of protocol {frame.version}, this program speaks {PROTOCOL_VERSION}",
            "put the hri_device that belongs to this version of hri on the board",
        )
    try:
        if _tagged(frame.body):
            raise _malformed(op)
        answer = cbor2.loads(
            frame.body, max_depth=_MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False
        )
    # cbor2 passes on what the values inside raise, whatever that is: to the host it is one bad answer.
    except Exception as error:
        raise _malformed(op) from error
    match answer:
        case [0, dict() as result] if all(isinstance(key, str) for key in result):
            return result
        case [1, {"code": str() as code, "message": str() as message, **more}]:
            raise DeviceRefused(
                code,
                message,
                op=op,
                state=_typed(more.get("state"), str),
                status=_typed(more.get("status"), int),
                opcode=_typed(more.get("opcode"), int),
            )
        case _:
            raise _malformed(op)


def _tagged(body: bytes) -> bool:
    """Say whether there is a tag (RFC 8949 section 3.4) in definite-length CBOR; the protocol has none.

    Shared references are tags: with them two hundred bytes stand for as many megabytes of text.
    """
    at = 0
    while at < len(body):
        major, argument = body[at] >> 5, body[at] & 31
        at += 1
        if major == _MAJOR_TAG:
            return True
        if argument >= _ARGUMENT_FOLLOWS:
            size = 1 << argument - _ARGUMENT_FOLLOWS
            argument = int.from_bytes(body[at : at + size])
            at += size
        if major in _MAJOR_STRINGS:
            at += argument
    return False


def _typed(value: object, kind: type[_T]) -> _T | None:
    return value if isinstance(value, kind) else None


def _malformed(op: str) -> ProtocolMismatch:
    return ProtocolMismatch(
        "malformed-answer",
        f"the answer to `{op}` is not what docs/protocol.md says",
        "put the hri_device that belongs to this version of hri on the board",
    )


def _printable(noise: bytes) -> str:
    text = noise.decode("utf-8", "replace").replace("\r", "")
    return "".join(char for char in text if char == "\n" or char.isprintable())


def _last_lines(noise: bytes) -> str:
    lines = [line.strip() for line in _printable(noise).splitlines() if line.strip(" >")]
    return " | ".join(lines[-4:])[-300:] or ">>>"
