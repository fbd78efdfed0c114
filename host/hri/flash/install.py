"""Installs a version of the package beside the current one, and makes it current in one step.

On the board ``/fw/a`` and ``/fw/b`` each hold a version with its manifest; the first character of
``/fw/current`` names the one that main.py (boards/loader) starts, and behind it stands the SHA-256 of its
manifest. A version's manifest is written last and removed first, so that a folder with one is whole, and
``/fw/current`` is only ever renamed into place: whenever the power goes, the board boots the old or the new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hri.errors import ConfigurationError, DeviceError, PolicyRefusal
from hri.flash.onboard import GROUP, Onboard
from hri.flash.package import Entry, FlashPackage, Manifest, digest_of
from hri.flash.repl import Repl

_CURRENT, _NEXT = "/fw/current", "/fw/next"
_MANIFEST = "manifest.json"
_OTHER = {"a": "b", "b": "a"}
_MAIN, _KEPT_MAIN = "/main.py", "/main_before_hri.py"
_SETTINGS = "/hri_board.json"
# What folders and part-filled blocks cost beyond the files' own bytes, each at most a block.
_BLOCK = 4096

OnProgress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes done and the bytes in all."""


def _silent(_name: str, _done: int, _total: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation did: files by what became of each, and the content bytes that crossed the line."""

    version: str
    slot: str
    previous: str | None
    sent: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    bytes_sent: int = 0
    bytes_total: int = 0
    kept_main: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What is wrong with the current version: nothing, or the names of the files that are not as flashed."""

    version: str
    slot: str
    damaged: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.damaged


@dataclass(frozen=True, slots=True)
class _Slot:
    """A version on the board; ``digest`` is that of its manifest's bytes."""

    name: str
    manifest: Manifest
    digest: str


@dataclass(slots=True)
class _Tally:
    sent: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def move_to_sent(self, path: str) -> None:
        for done in (self.copied, self.kept, self.sent):
            if path in done:
                done.remove(path)
        self.sent.append(path)


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _folder(slot: str) -> str:
    return f"/fw/{slot}"


class Installer:
    """Flashes, checks and rolls back the package on the board behind ``repl``."""

    def __init__(self, repl: Repl) -> None:
        self._board = Onboard(repl)

    @property
    def platform(self) -> str:
        """Return the board's sys.platform."""
        return self._board.interpreter.platform

    def install(
        self, package: FlashPackage, settings: bytes | None = None, progress: OnProgress = _silent
    ) -> Installed:
        """Make ``package`` the current version; ``settings`` go to hri_board.json where there is none.

        May be repeated after any interruption, and goes on where that stopped. Raises ConfigurationError for
        a board that cannot take the package, and DeviceError.
        """
        self._refuse_other_runtimes(package)
        manifest = package.manifest
        total = sum(entry.size for entry in manifest.files.values())
        current = self._current()
        if current is not None and current.manifest == manifest and not self._damage(current):
            kept_main = self._finish(package, settings)
            kept = tuple(manifest.files)
            return Installed(
                package.version, current.name, None, kept=kept, bytes_total=total, kept_main=kept_main
            )
        # Never the one that is started, even where its manifest is damaged and it counts as none.
        slot = _OTHER.get(self._started(), "a")
        tally = self._fill(slot, package, current, progress)
        self._make_current(_Slot(slot, manifest, digest_of(manifest.to_json())))
        return Installed(
            package.version,
            slot,
            current.manifest.version if current else None,
            sent=tuple(tally.sent),
            copied=tuple(tally.copied),
            kept=tuple(tally.kept),
            bytes_sent=sum(len(package.files[path]) for path in tally.sent),
            bytes_total=total,
            kept_main=self._finish(package, settings),
        )

    def roll_back(self) -> Installed:
        """Make the version before the current one current again; raises PolicyRefusal where there is none."""
        started = self._started()
        previous = self._slot(_OTHER[started]) if started else None
        if previous is None:
            raise PolicyRefusal(
                "no-previous",
                "the board holds no earlier version",
                "flash the one you want with `hri board flash`",
            )
        damaged = self._damage(previous)
        if damaged:
            raise PolicyRefusal(
                "package-damaged",
                f"the earlier version is damaged: {', '.join(damaged)}",
                "flash the one you want with `hri board flash`",
            )
        current = self._current()
        left = current.manifest.version if current else None
        self._make_current(previous)
        return Installed(previous.manifest.version, previous.name, left)

    def verify(self) -> Check:
        """Hash every file of the current version on the board; raises DeviceError where there is none."""
        started, current = self._started(), self._current()
        if not started:
            raise DeviceError(
                "no-package", "the board holds no package that was flashed", "run `hri board flash`"
            )
        if current is None:
            return Check("", started, (_MANIFEST,))
        return Check(current.manifest.version, started, self._damage(current))

    def _refuse_other_runtimes(self, package: FlashPackage) -> None:
        found = self._board.interpreter
        if found.name != "micropython":
            raise ConfigurationError(
                "wrong-runtime",
                f"the board runs {found.name} {found.version}",
                "use `circup install hri_device` there, or flash MicroPython with --runtime",
            )
        if found.mpy != package.mpy_version:
            raise ConfigurationError(
                "wrong-runtime",
                f"micropython {found.version} takes .mpy files of version {found.mpy}, and these are of"
                f" version {package.mpy_version}",
                "flash a runtime that fits with --runtime",
            )

    def _pointer(self) -> tuple[str, str]:
        """Return the slot that the loader starts, empty for none, and the digest of its manifest."""
        line = self._board.read(_CURRENT)
        if line is None:
            line = self._board.read(_NEXT) or ""
        return line[:1] if line[:1] in _OTHER else "", line[1:].strip()

    def _started(self) -> str:
        return self._pointer()[0]

    def _current(self) -> _Slot | None:
        """Return the version that the loader starts, or None: none yet, or its manifest is not as flashed."""
        name, digest = self._pointer()
        slot = self._slot(name) if name else None
        return slot if slot and slot.digest == digest else None

    def _slot(self, name: str) -> _Slot | None:
        text = self._board.read(f"{_folder(name)}/{_MANIFEST}")
        if text is None:
            return None
        try:
            return _Slot(name, Manifest.from_json(text.encode()), digest_of(text.encode()))
        except ValueError:
            return None

    def _damage(self, slot: _Slot) -> tuple[str, ...]:
        found = self._board.digests(_folder(slot.name), slot.manifest.files)
        return tuple(path for path, entry in slot.manifest.files.items() if found[path] != entry.sha256)

    def _fill(self, name: str, package: FlashPackage, current: _Slot | None, progress: OnProgress) -> _Tally:
        """Make the folder of slot ``name`` hold exactly ``package``, proven by hashes, its manifest last."""
        folder, wanted = _folder(name), package.manifest.files
        sizes = self._board.sizes(folder)
        present = self._present(name, wanted, sizes)
        self._refuse_full(wanted, present, sizes)
        # The manifest goes first: from here on this is no whole version.
        for path in sorted(set(sizes) - set(wanted), key=lambda path: path != _MANIFEST):
            self._board.remove(f"{folder}/{path}")
        tally = self._place(folder, package, present, current, progress)
        found = self._board.digests(folder, wanted)
        for path in (path for path, entry in wanted.items() if found[path] != entry.sha256):
            self._send_again(f"{folder}/{path}", package.files[path])
            tally.move_to_sent(path)
        self._board.replace(f"{folder}/{_MANIFEST}", package.manifest.to_json())
        return tally

    def _present(
        self, name: str, wanted: Mapping[str, Entry], sizes: Mapping[str, int]
    ) -> Mapping[str, str | None]:
        """Return the digests that files of a slot have, or only claim to have: in the end all are hashed."""
        known = self._slot(name)
        if known is not None:
            return {path: entry.sha256 for path, entry in known.manifest.files.items()}
        # An interrupted installation left these: the size tells most of the half-written ones.
        likely = [path for path, entry in wanted.items() if sizes.get(path) == entry.size]
        return self._board.digests(_folder(name), likely)

    def _refuse_full(
        self, wanted: Mapping[str, Entry], present: Mapping[str, str | None], sizes: Mapping[str, int]
    ) -> None:
        kept = {path for path, entry in wanted.items() if present.get(path) == entry.sha256}
        needed = sum(_blocks(entry.size) for path, entry in wanted.items() if path not in kept)
        free = self._board.free() + sum(_blocks(size) for path, size in sizes.items() if path not in kept)
        if needed > free:
            raise DeviceError(
                "board-full",
                f"the board has {free} bytes for the package, which needs up to {needed}",
                "remove files from the board, then run the same command again",
            )

    def _place(
        self,
        folder: str,
        package: FlashPackage,
        present: Mapping[str, str | None],
        current: _Slot | None,
        progress: OnProgress,
    ) -> _Tally:
        wanted = package.manifest.files
        there = current.manifest.files if current else {}
        sources = {entry.sha256: path for path, entry in there.items()}
        total, done, tally = sum(entry.size for entry in wanted.values()), 0, _Tally()
        copies: list[tuple[str, str]] = []
        for path, entry in wanted.items():
            progress(path, done, total)
            if present.get(path) == entry.sha256:
                tally.kept.append(path)
            elif current and entry.sha256 in sources:
                copies.append((f"{_folder(current.name)}/{sources[entry.sha256]}", f"{folder}/{path}"))
                tally.copied.append(path)
            else:
                self._board.write(f"{folder}/{path}", package.files[path])
                tally.sent.append(path)
            done += entry.size
            if len(copies) == GROUP:
                self._board.copy(*copies)
                copies.clear()
        if copies:
            self._board.copy(*copies)
        progress("", done, total)
        return tally

    def _send_again(self, path: str, content: bytes) -> None:
        self._board.write(path, content)
        if self._board.digest(path) != digest_of(content):
            raise DeviceError(
                "flash-damaged",
                f"the board does not keep {path} as it was sent",
                "its flash or the line is at fault: try another cable, then another board",
            )

    def _make_current(self, slot: _Slot) -> None:
        # Where FAT lost the one to a cut, the other is all there is, and must not be written over.
        self._board.rename_if_missing(_NEXT, _CURRENT)
        self._board.replace(_CURRENT, f"{slot.name} {slot.digest}\n".encode(), by=_NEXT)

    def _finish(self, package: FlashPackage, settings: bytes | None) -> str | None:
        """See to main.py and hri_board.json; return where a main.py of the user's own went, if any."""
        if settings is not None and self._board.digest(_SETTINGS) is None:
            self._board.replace(_SETTINGS, settings)
        present = self._board.digest(_MAIN)
        if present == digest_of(package.loader):
            return None
        kept = None
        if present is not None and present not in package.replaceable:
            self._board.copy((_MAIN, _KEPT_MAIN))
            kept = _KEPT_MAIN
        self._board.replace(_MAIN, package.loader)
        return kept
