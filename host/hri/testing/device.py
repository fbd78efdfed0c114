"""The service of hri_device on a board, and an authority to provision it into."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from hri.authentication import authenticate
from hri.ca.authority import Authority
from hri.context import Context, utc_now
from hri.elements.board import BoardElement, Hello
from hri.errors import ConfigurationError, PolicyRefusal
from hri.home import Home, Passphrases
from hri.link import SerialLink
from hri.provision import ProvisionResult, provision
from hri.verify.decision import Decision

DEVICE_ID = "device-001"


def temporary_home(folder: Path) -> Home:
    """Return a home with an authority of its own in `folder`, under passphrases that nobody keeps."""
    secret = {name: secrets.token_hex(16) for name in ("HRI_CA_PASSPHRASE", "HRI_ROOT_PASSPHRASE")}
    home = Home(folder, Passphrases(secret), environ={})
    Authority.create(
        folder,
        root_passphrase=home.passphrases.get("root"),
        ca_passphrase=home.passphrases.get("ca"),
        now=utc_now(),
    )
    return home


class HriDevice:
    """The host's end of one board's service; nothing is opened before it is used.

    `home` is asked for when an authority is needed; `may_lock` says of a chip (serial number in hex) why it
    may not be locked, None where it may.
    """

    def __init__(
        self,
        port: Callable[[], str],
        home: Callable[[], Home],
        may_lock: Callable[[str], str | None],
        alone: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._port = port
        self._home = home
        self._may_lock = may_lock
        self._alone = alone
        self._opened = ExitStack()
        self._link: SerialLink | None = None
        self._context: Context | None = None

    @property
    def link(self) -> SerialLink:
        """The open link; the first use opens it and waits for the service. Raises DeviceError."""
        if self._link is None:
            with ExitStack() as opening:
                opening.enter_context(self._alone())
                self._link = opening.enter_context(SerialLink.open(self._port()))
                opening.callback(self._forget_link)
                self._opened.push(opening.pop_all())
        return self._link

    @property
    def element(self) -> BoardElement:
        """The secure element behind the link: one method per request of docs/protocol.md."""
        context = self._context
        return BoardElement(self.link, authorise=context.authorise() if context else None)

    @property
    def context(self) -> Context:
        """The authority with its registry."""
        if self._context is None:
            self._context = self._opened.enter_context(self._home().context(unlocked=True))
        return self._context

    def hello(self) -> Hello:
        """Return what the board and its chip say of themselves."""
        return self.element.hello()

    def provision(self, device_id: str = DEVICE_ID) -> ProvisionResult:
        """Make a device of the board, from a blank chip to its certificate; locks the chip for good.

        A real chip is locked only if it was named by --hri-lock-chip: PolicyRefusal otherwise.
        """
        self.context  # noqa: B018 - opened first, so that the element signs with its operator's key
        hello = self.hello()
        lock = hello.element is not None and not hello.element.data_locked
        if lock and hello.element is not None:
            self._ask_before_locking(hello.element.serial_number.hex())
        return provision(lambda: self.element, self.context, device_id=device_id, lock=lock)

    def authenticate(self, device_id: str | None = None) -> Decision:
        """Challenge the board; return the decision, with its reasons where the answer is no."""
        self.context  # noqa: B018
        return authenticate(self.element, self.context, device_id=device_id)

    def hang_up(self) -> None:
        """Close the link, and what else was opened; the next use opens it again."""
        try:
            self._opened.close()
        finally:
            self._link = self._context = None

    def _forget_link(self) -> None:
        self._link = None

    def _ask_before_locking(self, serial_number: str) -> None:
        why = self._may_lock(serial_number)
        if why is not None:
            raise PolicyRefusal("lock-refused", f"the chip {serial_number} would be locked for good", why)


def no_home() -> Home:
    """Stand in for the authority of a real board where none was given: raises ConfigurationError."""
    raise ConfigurationError(
        "no-home",
        "a real board is provisioned into an authority that stays, as its chip obeys no other afterwards",
        "make one with `hri ca init --home DIR` and add --hri-home DIR, with HRI_CA_PASSPHRASE set",
    )
