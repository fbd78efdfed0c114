"""What every command shares that serves something virtual until it is told to stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping

from hri.boards import load_board
from hri.boards.description import Virtual
from hri.cli.output import Output
from hri.errors import ConfigurationError, DeviceError, HriError, StorageError


def parsed_timing(text: str) -> str | float:
    """Return a factor as the number it is, a name as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def say(output: Output, document: Mapping[str, object], line: str) -> None:
    """Tell where to connect: the document with --json, else the line alone."""
    if output.as_json:
        output.json(document)
    else:
        output.raw(f"{line}\n")


@contextlib.contextmanager
def stoppable() -> Iterator[threading.Event]:
    """Yield what SIGTERM and SIGHUP set: like Ctrl-C they stop the board properly and keep what it wrote.

    Entered before anybody is told where to connect, so that no signal comes too early.
    """
    stop = threading.Event()
    signals = (signal.SIGTERM, signal.SIGHUP)
    previous = [signal.signal(number, lambda *_: stop.set()) for number in signals]
    try:
        yield stop
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler)


def address(listen: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT; raises ConfigurationError."""
    host, _, port = listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise ConfigurationError("bad-address", f"{listen!r} is not HOST:PORT", "write 127.0.0.1:4000")
    return host.strip("[]") or "127.0.0.1", int(port)


def virtual_part(name: str) -> Virtual:
    """Return what the rig runs for the board ``name``; raises ConfigurationError where there is none."""
    with explained():
        from hri.rig.boards import board_names
    if name not in board_names():
        known = ", ".join(board_names())
        raise ConfigurationError("unknown-board", f"there is no virtual {name!r}", f"there are {known}")
    virtual = load_board(name).virtual
    if virtual is None:
        raise ConfigurationError("unknown-board", f"there is no virtual {name!r}", "see `hri board list`")
    return virtual


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn the rig's own errors, which know nothing of exit statuses, into ours."""
    try:
        yield
    except HriError:
        raise
    except ImportError as error:
        raise ConfigurationError(
            "rig-missing", f"the rig is not installed: {error.name}", "pip install 'hri[rig]'"
        ) from error
    except ValueError as error:
        raise ConfigurationError("usage", str(error), "see `hri rig --help`") from error
    except OSError as error:
        raise StorageError("rig-failed", str(error).lower(), "choose another file or address") from error
    except Exception as error:
        raise DeviceError("rig-failed", str(error), "see the message; -v tells more") from error
