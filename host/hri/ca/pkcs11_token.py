"""A token reached through PKCS#11: one session, opened once and again after the token was away.

A module is loaded once a process and may not be called from two threads at the same time unless it was told
so, which python-pkcs11 does not do. So each module has one thread, and whoever calls waits for it, though no
longer than a deadline: the thread may hang in the vendor's code, the caller must not.
"""

from __future__ import annotations

import hmac
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hri.errors import ConfigurationError, DeviceError, HriError

if TYPE_CHECKING:
    from pkcs11 import Session

Result = TypeVar("Result")
TIMEOUT_S = 30.0
# What a session, or a handle in it, says when the token was restarted, pulled out or logged out under it.
_LOST = frozenset(
    {
        "DeviceError",
        "DeviceRemoved",
        "GeneralError",
        "KeyHandleInvalid",
        "ObjectHandleInvalid",
        "PKCS11Error",
        "SessionClosed",
        "SessionHandleInvalid",
        "SlotIDInvalid",
        "TokenNotPresent",
        "UserNotLoggedIn",
    }
)
_PIN_ERRORS = frozenset({"PinIncorrect", "PinInvalid", "PinLenRange", "PinLocked", "PinExpired"})


@dataclass(frozen=True, slots=True)
class Token:
    """A token (`label`) behind a module (the path of its shared library); `pin` is asked for when needed.

    A call takes `timeout` seconds at most.
    """

    module: str
    label: str
    pin: Callable[[], bytes]
    timeout: float = TIMEOUT_S

    def call(self, work: Callable[[Session], Result], what: str, *, repeatable: bool = True) -> Result:
        """Do `work` in the token's session and return what it returns; `what` names it in errors.

        Where the token was away since the last call, the session is opened again and `work` repeated, unless
        it is not `repeatable`; then only a new session is opened before it.

        Raises DeviceError (gone, slow, or it refused) and ConfigurationError (no such module or token, PIN).
        """
        pin = self.pin()
        return _module(self.module).run(
            lambda module: module.in_session(self, pin, work, what, repeatable), self.timeout, what
        )


class _Module:
    """A loaded module, its thread, and the session of each of its tokens."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._waiting: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._sessions: dict[str, tuple[bytes, Session]] = {}
        # A daemon: the end of the process does not wait for a vendor's code that hangs.
        threading.Thread(target=self._work, name=f"pkcs11 {path}", daemon=True).start()

    def run(self, work: Callable[[_Module], Result], timeout: float, what: str) -> Result:
        """Do `work` in the module's thread. Raises DeviceError after `timeout` seconds."""
        future: Future[Result] = Future()
        self._waiting.put((lambda: work(self), future))
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise DeviceError(
                "hsm-timeout",
                f"the token did not answer within {timeout:g} s: {what}",
                "look at the token and the network to it, then run the same command again",
            ) from None

    def in_session(
        self, token: Token, pin: bytes, work: Callable[[Session], Result], what: str, repeatable: bool
    ) -> Result:
        """Do `work` in the session of a token; in the module's own thread only."""
        try:
            if not repeatable:
                self._probe(token.label)
            try:
                return work(self._session(token.label, pin))
            except Exception as error:
                if not repeatable or type(error).__name__ not in _LOST:
                    raise
            self._restart()
            return work(self._session(token.label, pin))
        except HriError:
            raise
        except Exception as error:
            raise _explained(error, token, what) from error

    def _session(self, label: str, pin: bytes) -> Session:
        known = self._sessions.get(label)
        if known is not None:
            if not hmac.compare_digest(known[0], pin):
                raise _wrong_pin(label)
            return known[1]
        try:
            text = pin.decode()
        except UnicodeDecodeError:
            raise _wrong_pin(label) from None
        session: Session = _library(self._path).get_token(token_label=label).open(rw=True, user_pin=text)
        self._sessions[label] = pin, session
        return session

    def _probe(self, label: str) -> None:
        """Find out whether a session is still good, before something that must not be done twice."""
        known = self._sessions.get(label)
        if known is None:
            return
        try:
            known[1].generate_random(64)
        except Exception as error:
            if type(error).__name__ not in _LOST:
                raise
            self._restart()

    def _restart(self) -> None:
        """Forget every session and begin again, as for a module that was just loaded."""
        self._sessions.clear()
        library = _library(self._path)
        try:
            library.reinitialize()
        except Exception:  # noqa: BLE001 - what cannot be finalised may still be initialised
            library.initialize()

    def _work(self) -> None:
        while True:
            work, future = self._waiting.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whatever it is, who waits must hear of it
                future.set_exception(error)


# Of the process, as the modules themselves are.
_modules: dict[str, _Module] = {}
_modules_lock = threading.Lock()


def _module(path: str) -> _Module:
    with _modules_lock:
        if path not in _modules:
            _modules[path] = _Module(path)
        return _modules[path]


def _library(path: str) -> Any:
    try:
        import pkcs11
    except ImportError as error:
        raise ConfigurationError(
            "no-pkcs11", "keys in tokens need python-pkcs11", "pip install 'hri[pkcs11]'"
        ) from error
    return pkcs11.lib(path)


def _explained(error: Exception, token: Token, what: str) -> HriError:
    name = type(error).__name__
    if name in _PIN_ERRORS:
        return _wrong_pin(token.label)
    if name == "NoSuchToken":
        return DeviceError(
            "no-such-token",
            f"there is no token {token.label!r} behind {token.module}",
            "plug it in or connect it; `pkcs11-tool --list-token-slots` shows those that are there",
        )
    if name == "MultipleTokensReturned":
        return ConfigurationError(
            "ambiguous-token", f"there are several tokens {token.label!r}", "give each a label of its own"
        )
    if "loading" in str(error):
        return ConfigurationError(
            "no-pkcs11-module",
            f"{token.module} cannot be loaded as a PKCS#11 module",
            "give the path of the vendor's shared library",
        )
    return DeviceError(
        "hsm-failed",
        f"the token {token.label!r} failed: {what}: {name}",
        "look at the token and the network to it, then run the same command again",
    )


def _wrong_pin(label: str) -> ConfigurationError:
    return ConfigurationError(
        "wrong-pin",
        f"the token {label!r} refuses the PIN",
        "give the user's PIN; tokens lock themselves after a few wrong ones, so check before trying again",
    )
