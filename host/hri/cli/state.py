"""What the global options lead to: the home folder, the way to speak, the board on a port."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hri.cli.output import Output
from hri.context import Context
from hri.elements.board import BoardElement
from hri.errors import ConfigurationError
from hri.home import Home, PassphraseName, Passphrases, keyring_lookup
from hri.link import Deadlines, SerialLink

# A board that answers does so sooner; after this long a person wants to know what is going on.
_PATIENCE_S = 3.0
PortOption = Annotated[
    str | None,
    typer.Option(
        "--port", metavar="PORT", envvar="HRI_PORT", help="Serial port of the board: /dev/ttyACM0, a pty."
    ),
]


@dataclass
class State:
    """One run of the command line."""

    home: Home
    output: Output

    @contextmanager
    def context(self, *, unlocked: bool) -> Iterator[Context]:
        """Open the home for a use case, telling the configuration's warnings."""
        with self.home.context(unlocked=unlocked) as context:
            for warning in context.config.warnings:
                self.output.warning(warning)
            yield context

    def port(self, option: str | None) -> str:
        """Return the serial port: --port, HRI_PORT or the configuration's; raises ConfigurationError."""
        port = option or self.home.config().secure_element.port
        if port is None:
            raise ConfigurationError(
                "no-port", "no serial port was named", "give --port, or see `hri board list`"
            )
        return port

    @contextmanager
    def connected(
        self, option: str | None, context: Context | None = None
    ) -> Iterator[Callable[[], BoardElement]]:
        """Yield what opens the board; the port is let go at the end, whatever happens."""
        opened: list[SerialLink] = []
        port = self.port(option)

        def connect() -> BoardElement:
            patience = threading.Timer(
                _PATIENCE_S, self.output.note, [f"waiting for the board at {port} ..."]
            )
            patience.daemon = True
            patience.start()
            try:
                link = SerialLink.open(port, deadlines=Deadlines.from_environment(os.environ))
            finally:
                patience.cancel()
            opened.append(link)
            if context is None:
                return BoardElement(link)
            authorise = context.authorise() if context.operator else None
            return BoardElement(link, authorise=authorise, retry=context.retry_policy(), sleep=context.sleep)

        try:
            yield connect
        finally:
            for link in opened:
                link.close()


def make_state(home: Path | None, passphrase_file: Path | None, output: Output) -> State:
    """Return the state for the global options."""
    path = Home.locate(home, os.environ)
    files: dict[PassphraseName, Path] = {"ca": passphrase_file} if passphrase_file else {}
    passphrases = Passphrases(os.environ, files=files, keyring=keyring_lookup(path), ask=_ask)
    return State(Home(path, passphrases, environ=os.environ), output)


def state_of(context: typer.Context) -> State:
    """Return the state that the root command made."""
    state = context.find_root().obj
    if not isinstance(state, State):
        raise TypeError("the root command did not run")
    return state


def _ask(name: PassphraseName) -> bytes | None:
    if not sys.stdin.isatty():
        return None
    return str(typer.prompt(f"{name} passphrase", hide_input=True, err=True)).encode()
