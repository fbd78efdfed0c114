"""What the command line and the ini file ask for, checked before any test runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class BadOption(Exception):
    """An option makes no sense; the message says which, and what to write."""


@dataclass(frozen=True, slots=True)
class Options:
    """A run's boards and what they are to carry.

    `boards` are virtual kinds; `port` is a real board's, and excludes them. `timing` is the chip's: "none",
    "typical", "max" or a factor. `firmware` is the folder with the project's own files, None for none.
    `lock_chip` is the serial number (hex) of the one real chip that may be locked. `home` holds the authority
    for real boards.
    """

    boards: tuple[str, ...] = ()
    port: str | None = None
    chip: str = "atecc608b"
    timing: str | float = "none"
    firmware: Path | None = None
    compiled: bool = False
    flash: bool = False
    lock_chip: str | None = None
    home: Path | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The boards that each test runs on, by the names that tests are parametrised with."""
        return (REAL,) if self.port is not None else self.boards

    def check(self) -> None:
        """Raise BadOption for what cannot be served; needs the rig where there are virtual boards."""
        if self.boards:
            self._check_virtual()
        if self.firmware is not None and not self.firmware.is_dir():
            raise BadOption(f"--hri-firmware: {self.firmware} is no folder")

    def _check_virtual(self) -> None:
        from hri.rig.atecc.timing import Timing
        from hri.rig.atecc.variants import variant_named
        from hri.testing.kinds import kinds

        for name in self.boards:
            if name not in kinds():
                raise BadOption(
                    f"--hri-board: no virtual board is called {name!r}; there are {', '.join(kinds())}"
                )
        try:
            Timing.parse(self.timing)
            variant_named(self.chip, None)
        except ValueError as error:
            raise BadOption(f"--hri-chip, --hri-timing: {error}") from error


REAL = "port"
"""The kind of a real board."""


def names(texts: list[str]) -> tuple[str, ...]:
    """Return the names in `texts`, each a name or several with commas between, without repetitions."""
    found = [name.strip() for text in texts for name in text.split(",")]
    return tuple(dict.fromkeys(name for name in found if name))


def timing(text: str) -> str | float:
    """Return a factor as a number, a name as it is."""
    try:
        return float(text)
    except ValueError:
        return text
