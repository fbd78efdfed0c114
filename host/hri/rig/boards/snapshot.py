"""A board and its chip at one moment, as one file: put back, both go on from there."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hri.rig.atecc import Chip, Snapshot
from hri.rig.atecc.store import decode, encode

_VERSION = 1
_ABOUT, _CHIP, _FLASH = "snapshot.json", "chip.json", "flash"
_LARGEST = 1 << 26
# What zipfile and its decompressor raise for bytes that were changed; RuntimeError for one that seems to be
# encrypted, or compressed in a way that it does not know.
_DAMAGED = (ValueError, KeyError, TypeError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class RigSnapshot:
    """The board's name, its flash as `Board.read_flash` returns it, the chip's variant and its EEPROM.

    It holds the virtual chip's private keys.
    """

    board: str
    flash: bytes
    variant: str
    chip: Snapshot

    def to_bytes(self) -> bytes:
        """Return the snapshot as a ZIP archive of three files."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(_ABOUT, json.dumps({"version": _VERSION, "board": self.board}))
            file.writestr(_CHIP, encode(self.variant, self.chip))
            file.writestr(_FLASH, self.flash)
        return archive.getvalue()

    @classmethod
    def from_bytes(cls, archive: bytes) -> Self:
        """Read what `to_bytes` returned; raises ValueError for anything else, or a damaged one."""
        try:
            with zipfile.ZipFile(io.BytesIO(archive)) as file:
                if any(entry.file_size > _LARGEST for entry in file.infolist()):
                    raise ValueError("it is larger than any flash")
                about = json.loads(file.read(_ABOUT))
                variant, chip = decode(file.read(_CHIP))
                flash = file.read(_FLASH)
            if about["version"] != _VERSION:
                raise ValueError(
                    f"it has version {about['version']!r}, this program reads version {_VERSION}"
                )
            return cls(str(about["board"]), flash, variant, chip)
        except _DAMAGED as error:
            raise ValueError(f"this is no snapshot of a board: {error}") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, that only its owner may read; raises OSError."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def same_chip(snapshot: RigSnapshot, chip: Chip) -> None:
    """Raise ValueError where ``snapshot`` is of another variant than ``chip``."""
    if snapshot.variant != chip.variant.name:
        raise ValueError(f"the snapshot has an {snapshot.variant} and this board has an {chip.variant.name}")
