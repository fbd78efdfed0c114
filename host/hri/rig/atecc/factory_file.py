"""The file that keeps a virtual factory: its keys and the manifest of what it delivered."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hri.errors import StorageError
from hri.rig.atecc.authority import Authority
from hri.rig.atecc.entropy import P256_ORDER

_FORMAT, _VERSION = "hri-virtual-factory", 1
_KEYS = ("root", "signer", "log")


class FactoryError(StorageError):
    """A factory's file cannot be used."""


@dataclass(frozen=True, slots=True)
class Books:
    """What a factory keeps: its authority, and the manifest entries by unique id in order of delivery."""

    authority: Authority
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)


class FactoryFile:
    """A file of books, replaced whole or not at all; its writers take turns at ``<name>.lock`` beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def load(self) -> Books | None:
        """Return the books, None when there are none yet; raises FactoryError when they are damaged."""
        try:
            return _decode(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FactoryError(
                "factory-file",
                f"the factory {self.path} cannot be read: {error}",
                "restore it from a copy, or name another file",
            ) from error
        except OSError as error:
            raise self._failed("read", error) from error

    def save(self, books: Books) -> None:
        """Replace the file; call it within :meth:`turn`. Raises FactoryError, with the old file untouched."""
        temporary = self._beside(".tmp")
        try:
            with open(temporary, "wb", opener=_private) as file:
                file.write(_encode(books))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise self._failed("written", error) from error

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other process changes the file, and keep it so."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._beside(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._failed("opened", error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _failed(self, what: str, error: OSError) -> FactoryError:
        return FactoryError("factory-file", f"the factory {self.path} cannot be {what}: {error.strerror}")


def _encode(books: Books) -> bytes:
    authority = books.authority
    fields: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "made": authority.made.isoformat(),
        "signer_id": authority.signer_id,
        "keys": {key: f"{getattr(authority, key):064x}" for key in _KEYS},
        "manifest": list(books.entries.values()),
    }
    return json.dumps({**fields, "sha256": _checksum(fields)}, indent=1).encode() + b"\n"


def _decode(text: bytes) -> Books:
    try:
        fields = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
        raise ValueError("it is not a virtual factory")
    if fields.get("version") != _VERSION:
        raise ValueError(f"it has version {fields.get('version')!r}, this program reads version {_VERSION}")
    if fields.pop("sha256", None) != _checksum(fields):
        raise ValueError("its checksum is wrong")
    keys = {key: int(fields["keys"][key], 16) for key in _KEYS}
    if not all(0 < key < P256_ORDER for key in keys.values()):
        raise ValueError("a key of it is no P-256 private key")
    authority = Authority(
        **keys, signer_id=int(fields["signer_id"]), made=datetime.fromisoformat(fields["made"])
    )
    return Books(authority, {entry["header"]["uniqueId"]: entry for entry in fields["manifest"]})


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
