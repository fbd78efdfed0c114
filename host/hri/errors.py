"""What goes wrong, said so that somebody can act on it.

Every error that leaves a module of `hri` is one of these. Messages are in lower case and say what happened;
hints say what to do next. Neither ever holds a passphrase, a key or a token.
"""

from __future__ import annotations

from typing import ClassVar


class HriError(Exception):
    """An error with a stable code, a message, what to do about it, and the exit status it leads to."""

    exit_status: ClassVar[int] = 3

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[HriError], tuple[str, str, str]]:
        # BaseException pickles its args alone, which here are not the constructor's; errors cross processes.
        return type(self), (self.code, self.message, self.hint)

    def as_dict(self) -> dict[str, str]:
        """Return the members of the `error` object that `--json` prints."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class PolicyRefusal(HriError):
    """A check said no: the request was understood and is refused (exit status 1)."""

    exit_status = 1


class ConfigurationError(HriError):
    """The command line, the configuration or the home folder does not make sense (exit status 2)."""

    exit_status = 2


class StorageError(HriError):
    """The database or the disk could not be reached or failed (exit status 3)."""

    exit_status = 3


class DeviceError(HriError):
    """The device or its chip could not be reached or failed (exit status 3)."""

    exit_status = 3
