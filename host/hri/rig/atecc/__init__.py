"""Virtual ATECC608A and ATECC608B, exact on the wire."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from hri.rig.atecc.chip import Chip
from hri.rig.atecc.eeprom import Eeprom, Snapshot
from hri.rig.atecc.entropy import seeded
from hri.rig.atecc.factory import Factory, draw_serial_number
from hri.rig.atecc.factory_file import FactoryError
from hri.rig.atecc.store import ChipInUse, ChipStateError, StateFile
from hri.rig.atecc.timing import Timing
from hri.rig.atecc.variants import Variant, variant_named
from hri.rig.atecc.volatile import Volatile
from hri.rig.bus import Clock, MonotonicClock

__all__ = [
    "Chip",
    "ChipInUse",
    "ChipStateError",
    "Factory",
    "FactoryError",
    "Snapshot",
    "Volatile",
    "factory_beside",
    "open_chip",
]


def open_chip(
    variant: str = "atecc608b",
    *,
    state: Path | None = None,
    clock: Clock | None = None,
    timing: str | float = "none",
    random: Callable[[int], bytes] = secrets.token_bytes,
    fresh: bool = False,
    serial_number: bytes | None = None,
    definitions: Path | None = None,
    factory: Factory | None = None,
    seed: bytes | None = None,
) -> Chip:
    """Open the chip kept in ``state``, or take a new one out of the tray.

    ``state`` is its EEPROM file, None to keep it in memory; a file that is not there yet, or ``fresh``,
    makes a new chip. ``variant`` is one of ``variants.toml`` or of the file ``definitions``; one that comes
    filled, locked and certified is made by ``factory``, by default one kept beside ``state``
    (:func:`factory_beside`), and forgotten with a chip in memory. ``timing`` is "typical", "max", "none" or a
    factor of typical, measured on ``clock``. ``random`` is the chip's random source while it runs.
    ``serial_number`` (9 bytes, from 01 23 to the variant's last byte) and keys are drawn at random for a new
    chip unless ``seed`` makes the same one again; for an existing chip the serial number must agree.

    Raises ValueError for an argument that makes no sense, ChipInUse when the file is open elsewhere,
    ChipStateError when it is damaged or belongs to another variant, FactoryError when the factory's is.
    """
    kind = variant_named(variant, definitions)
    if serial_number is not None and not kind.is_serial_number(serial_number):
        raise ValueError(
            f"a serial number is nine bytes that begin with 01 23 and end with {kind.serial_end:02X}"
        )
    speed = Timing.parse(timing)
    file = None if state is None else StateFile(state)
    try:
        snapshot = _kept(kind, file, serial_number) if file is not None and not fresh else None
        if snapshot is None:
            snapshot = _new(kind, state, factory, serial_number, seed)
        chip = Chip(
            kind,
            Eeprom(snapshot),
            clock=MonotonicClock() if clock is None else clock,
            timing=speed,
            random=random,
            file=file,
        )
        if file is not None:
            chip.save()
    except BaseException:
        if file is not None:
            file.close()
        raise
    return chip


def factory_beside(state: Path) -> Path:
    """Return the file of the factory that :func:`open_chip` keeps for a chip's state file."""
    return state.with_name(state.name + ".factory")


def _new(
    kind: Variant,
    state: Path | None,
    factory: Factory | None,
    serial_number: bytes | None,
    seed: bytes | None,
) -> Snapshot:
    if not kind.provisioned:
        random = secrets.token_bytes if seed is None else seeded(seed, f"chip {kind.name}")
        return kind.untouched(serial_number or draw_serial_number(kind, random))
    if factory is None:
        factory = Factory(seed=seed, path=None if state is None else factory_beside(state))
    return factory.make(kind, serial_number=serial_number, seed=seed)


def _kept(kind: Variant, file: StateFile, serial_number: bytes | None) -> Snapshot | None:
    found = file.load()
    if found is None:
        return None
    name, snapshot = found
    if name != kind.name:
        raise ChipStateError(
            "chip-state",
            f"the state file holds an {name}, not an {kind.name}",
            "name that chip, or start a new one",
        )
    if serial_number is not None and Eeprom(snapshot).serial_number != serial_number:
        raise ChipStateError("chip-state", "the state file holds a chip with another serial number")
    return snapshot
