"""The chip options of `hri rig`: which chip is on the bus, and the papers that its factory sends with it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hri.errors import ConfigurationError

if TYPE_CHECKING:
    from hri.rig.atecc import Chip, Factory
    from hri.rig.bus import Clock

ChipOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The secure element on the bus: atecc608a or atecc608b (blank), either with -tngtls or -tflxtls "
        "(filled and certified by a test factory), or one of --variants.",
    ),
]
BoardChipOption = Annotated[
    str | None,
    typer.Option(
        "--chip",
        metavar="NAME",
        help="The secure element on the bus, as for `hri rig bus` (default: the one that the board carries).",
    ),
]
VariantsOption = Annotated[Path | None, typer.Option(metavar="FILE", help="TOML file with further chips.")]
FactoryOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Keeps the test factory, which several chips can share (default: beside --state, or forget it).",
    ),
]
ChipSeedOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Makes the same new chip again: serial number, keys, certificates."),
]
ManifestOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Writes the factory's manifest, JSON.")
]
RootsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Writes the factory's test root, PEM.")
]
LogOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Writes the certificate of the key that signs the manifest, PEM."),
]


@dataclass(frozen=True)
class ChipOrder:
    """A chip as the command line asks for it."""

    name: str
    variants: Path | None = None
    factory: Path | None = None
    seed: str | None = None
    manifest: Path | None = None
    roots: Path | None = None
    log_certificate: Path | None = None

    def open(self, *, state: Path | None, clock: Clock | None, timing: str | float, fresh: bool) -> Chip:
        """Open the chip, and write the papers asked for; raises what :func:`hri.rig.atecc.open_chip` does."""
        from hri.rig.atecc import Factory, open_chip
        from hri.rig.atecc.variants import variant_named

        if self._needs_factory() and not variant_named(self.name, self.variants).provisioned:
            raise ConfigurationError(
                "no-papers",
                f"an {self.name} leaves no factory and has no manifest",
                "name a chip with -tngtls or -tflxtls",
            )
        seed = None if self.seed is None else self.seed.encode()
        # With a state file and no factory of its own, the chip's is beside it.
        shared = self.factory is not None or state is None
        factory = Factory(path=self.factory, seed=seed) if self._needs_factory() and shared else None
        chip = open_chip(
            self.name,
            state=state,
            clock=clock,
            timing=timing,
            fresh=fresh,
            definitions=self.variants,
            factory=factory,
            seed=seed,
        )
        try:
            self._write_papers(chip, factory, state)
        except BaseException:
            chip.close()
            raise
        return chip

    def _needs_factory(self) -> bool:
        return self.factory is not None or self._wants_papers()

    def _wants_papers(self) -> bool:
        return any(path is not None for path in (self.manifest, self.roots, self.log_certificate))

    def _write_papers(self, chip: Chip, factory: Factory | None, state: Path | None) -> None:
        from hri.rig.atecc import Factory, factory_beside

        if not self._wants_papers():
            return
        if factory is None and state is not None and factory_beside(state).exists():
            factory = Factory(path=factory_beside(state))
        if factory is None or not factory.delivered(chip.serial_number):
            raise ConfigurationError(
                "no-papers",
                f"chip {chip.serial_number.hex()} is not in this factory's manifest",
                "name the --factory that made it, or take a new chip with --fresh",
            )
        papers = (
            (self.manifest, json.dumps(factory.manifest, indent=1) + "\n"),
            (self.roots, factory.root_pem),
            (self.log_certificate, factory.log_pem),
        )
        for path, text in papers:
            if path is not None:
                _replace(path, text)


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
