"""A board's raw REPL, through mpremote's transport: scripts in, text out, errors in plain words."""

from __future__ import annotations

import contextlib
import io
import struct
import time
from collections.abc import Iterator
from typing import Any, Protocol, Self

import serial

from hri.errors import ConfigurationError, DeviceError
from hri.link.port import Port, unlock

_READ_DEADLINE_S = 10.0
# An emulated board hashes some 60 kB in this time many times over.
_SCRIPT_DEADLINE_S = 60.0
_ENTER_DEADLINE_S = 30.0
TO_MAIN_PY = b"\r\x02\x04"
"""Leaves the raw REPL, then a soft reset, which runs main.py."""
_END_OF_TEXT = b"\x04"
_INTERRUPT = b"\x03"
_PROMPT = b">>> "
# A program that does not stop by then is left to mpremote; at its raw prompt a board says nothing at all.
_STOP_DEADLINE_S = 1.0
_STOP_EVERY_S = 0.25


class ScriptFailed(DeviceError):
    """A script raised on the board; the message is the last line of its traceback."""


class _Said:
    """What a script prints, up to the end-of-text character, until a moment of the monotonic clock."""

    def __init__(self, end: float) -> None:
        self._end = end
        self._heard = bytearray()

    def take(self, piece: bytes) -> None:
        self._heard += piece
        if time.monotonic() > self._end and not piece.endswith(_END_OF_TEXT):
            raise OSError("the script goes on past its deadline")

    def text(self) -> str:
        return self._heard.removesuffix(_END_OF_TEXT).decode("utf-8", "replace")


class Repl(Protocol):
    """Where scripts run on a board."""

    def run(self, script: str) -> str:
        """Run ``script`` and return what it printed; raises ScriptFailed, or DeviceError for silence."""


class SerialRepl:
    """The raw REPL at a serial port, in which no program of the board's own runs.

    On leaving it main.py starts again, with `restart`; without it the board waits for `TO_MAIN_PY`.
    """

    def __init__(self, port: str, *, restart: bool = True) -> None:
        self._port = port
        self._restart = restart
        self._transport: Any = None

    def __enter__(self) -> Self:
        try:
            from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigurationError(
                "flash-missing", "mpremote is not installed", "pip install 'hri[flash]'"
            ) from error
        # Says in words who holds the port, or that it is not there.
        probe = Port(self._port)
        probe.open()
        probe.close()
        with self._explained("opening the port"):
            self._transport = SerialTransport(self._port, timeout=_READ_DEADLINE_S)
        try:
            self._enter()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Start the board's main.py again, where that is wanted and the board is still there."""
        if self._restart:
            with contextlib.suppress(OSError, serial.SerialException):
                self._transport.serial.write(TO_MAIN_PY)
                self._transport.serial.flush()
        self._close()

    def run(self, script: str, deadline_s: float = _SCRIPT_DEADLINE_S) -> str:
        """Run ``script`` and return what it printed; one that goes on past the deadline is interrupted.

        Raises ScriptFailed for one that raised, and DeviceError.
        """
        said = _Said(time.monotonic() + deadline_s)
        with self._explained("running a script on it"):
            try:
                _, failed = self._transport.exec_raw(script, timeout=deadline_s, data_consumer=said.take)
            except BaseException:
                self._transport.serial.write(_INTERRUPT)
                raise
        if failed:
            lines = failed.decode("utf-8", "replace").strip().splitlines()
            raise ScriptFailed(
                "board-refused",
                f"the board answered: {lines[-1]}",
                "look at the message, then flash it again",
            )
        return said.text()

    def start(self, script: str) -> None:
        """Start ``script`` and wait for no answer."""
        with self._explained("starting a script on it"):
            self._transport.exec_raw_no_follow(script)

    def _enter(self) -> None:
        # mpremote prints what it did not expect; it belongs to no output of ours.
        with self._explained("waiting for its prompt"), contextlib.redirect_stdout(io.StringIO()):
            self._interrupt()
            self._transport.enter_raw_repl(soft_reset=True, timeout_overall=_ENTER_DEADLINE_S)

    def _interrupt(self) -> None:
        """Stop the program and wait for that: what comes with it goes to one that waits for a line."""
        line = self._transport.serial
        heard = b""
        now = time.monotonic()
        end, again = now + _STOP_DEADLINE_S, now
        while not heard.endswith(_PROMPT) and now < end:
            if now >= again:
                # While a board boots it hears none.
                line.write(_INTERRUPT)
                again = now + _STOP_EVERY_S
            heard += line.read(line.in_waiting)
            time.sleep(0.01)
            now = time.monotonic()

    def _close(self) -> None:
        unlock(self._transport.serial)
        with contextlib.suppress(OSError, serial.SerialException):
            self._transport.close()
        # mpremote first touches the control lines, and leaves a port open whose board is gone.
        with contextlib.suppress(OSError, serial.SerialException):
            self._transport.serial.close()

    @contextlib.contextmanager
    def _explained(self, act: str) -> Iterator[None]:
        from mpremote.transport import TransportError  # type: ignore[import-untyped]

        try:
            yield
        except (TransportError, serial.SerialException, OSError, struct.error, TypeError) as error:
            raise DeviceError(
                "board-lost",
                f"lost the board at {self._port} while {act}: {error}",
                "plug it in again, then run the same command: it goes on where it stopped",
            ) from error
