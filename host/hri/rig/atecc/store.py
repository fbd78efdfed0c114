"""The file that holds a virtual chip's EEPROM, written atomically and opened by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from hri.errors import StorageError
from hri.rig.atecc.eeprom import Snapshot

_FORMAT, _VERSION = "hri-virtual-atecc", 1


class ChipStateError(StorageError):
    """A chip's state file cannot be used."""


class ChipInUse(ChipStateError):
    """Another process, or another object here, has the chip open."""


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def encode(variant: str, snapshot: Snapshot) -> bytes:
    """Return the text of a state file."""
    fields: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "variant": variant,
        "config": snapshot.config.hex(),
        "otp": snapshot.otp.hex(),
        "slots": [slot.hex() for slot in snapshot.slots],
    }
    return json.dumps({**fields, "sha256": _checksum(fields)}, indent=1).encode() + b"\n"


def decode(text: bytes) -> tuple[str, Snapshot]:
    """Return variant and EEPROM of a state file; raises ValueError saying what is wrong with it."""
    try:
        fields = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
        raise ValueError("it is not the state of a virtual chip")
    if fields.get("version") != _VERSION:
        raise ValueError(f"it has version {fields.get('version')!r}, this program reads version {_VERSION}")
    checksum = fields.pop("sha256", None)
    if checksum != _checksum(fields):
        raise ValueError("its checksum is wrong")
    snapshot = Snapshot(
        bytes.fromhex(fields["config"]),
        bytes.fromhex(fields["otp"]),
        tuple(bytes.fromhex(slot) for slot in fields["slots"]),
    )
    return str(fields["variant"]), snapshot


class StateFile:
    """A state file held open against others by a lock on ``<name>.lock`` beside it.

    The lock is the operating system's and ends with the process. The lock file itself stays: removing it
    would let two processes lock two different files of that name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        if not self.path.parent.is_dir():
            raise ChipStateError(
                "chip-state",
                f"there is no folder {self.path.parent} for the chip's state",
                "make it, or correct the path: a new chip in a new place is seldom what is meant",
            )
        try:
            self._lock = os.open(self._beside(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ChipStateError(
                "chip-state", f"the chip's state {path} cannot be opened: {error.strerror}"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ChipInUse(
                "chip-in-use",
                f"the chip {path} is in use by another program",
                "stop that one, or give this one another state file",
            ) from None

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def close(self) -> None:
        """Let go of the lock; safe to call twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def load(self) -> tuple[str, Snapshot] | None:
        """Return what the file holds, None when there is none; raises ChipStateError when it is damaged."""
        try:
            return decode(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ChipStateError(
                "chip-state",
                f"the chip's state {self.path} cannot be read: {error}",
                "restore it from a copy, or start a new chip",
            ) from error
        except OSError as error:
            raise ChipStateError(
                "chip-state", f"the chip's state {self.path} cannot be read: {error.strerror}"
            ) from error

    def save(self, variant: str, snapshot: Snapshot) -> None:
        """Replace the file, whole or not at all; raises ChipStateError, with the old file untouched."""
        if self._lock < 0:
            raise ChipStateError("chip-state", f"the chip {self.path} was closed")
        temporary = self._beside(".tmp")
        try:
            with open(temporary, "wb", opener=_private) as file:
                file.write(encode(variant, snapshot))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
            self._sync_folder()
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise ChipStateError(
                "chip-state",
                f"the chip's state {self.path} cannot be written: {error.strerror}",
                "make room, or repair the permissions; the chip is as it was before",
            ) from error

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
