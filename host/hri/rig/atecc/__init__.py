"""Virtual ATECC608A and ATECC608B, exact on the wire."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from hri.rig.atecc.chip import Chip
from hri.rig.atecc.eeprom import Eeprom, Snapshot
from hri.rig.atecc.store import ChipInUse, ChipStateError, StateFile
from hri.rig.atecc.timing import Timing
from hri.rig.atecc.variants import Variant, variants
from hri.rig.atecc.volatile import Volatile
from hri.rig.bus import Clock, MonotonicClock

__all__ = ["Chip", "ChipInUse", "ChipStateError", "Snapshot", "Volatile", "open_chip"]


def open_chip(
    variant: str = "atecc608b",
    *,
    state: Path | None = None,
    clock: Clock | None = None,
    timing: str | float = "none",
    random: Callable[[int], bytes] = secrets.token_bytes,
    fresh: bool = False,
    serial_number: bytes | None = None,
) -> Chip:
    """Open the chip kept in ``state``, or take a new blank one out of the tray.

    ``state`` is its EEPROM file, None to keep it in memory; a file that is not there yet, or ``fresh``,
    makes a blank chip at address 0x60. ``timing`` is "typical", "max", "none" or a factor of typical,
    measured on ``clock``. ``random`` is the chip's random source. ``serial_number`` (9 bytes, 01 23 … EE)
    is drawn at random for a new chip unless given; for an existing one it must agree.

    Raises ValueError for an argument that makes no sense, ChipInUse when the file is open elsewhere,
    ChipStateError when it is damaged or belongs to another variant.
    """
    try:
        kind = variants()[variant]
    except KeyError:
        raise ValueError(f"no chip is called {variant!r}; there are {', '.join(variants())}") from None
    if serial_number is not None and not _is_serial_number(serial_number):
        raise ValueError("a serial number is nine bytes that begin with 01 23 and end with EE")
    speed = Timing.parse(timing)
    file = None if state is None else StateFile(state)
    try:
        snapshot = _snapshot(kind, file, fresh, serial_number)
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


def _snapshot(kind: Variant, file: StateFile | None, fresh: bool, serial_number: bytes | None) -> Snapshot:
    found = None if file is None or fresh else file.load()
    if found is None:
        serial = serial_number or b"\x01\x23" + secrets.token_bytes(6) + b"\xee"
        return Eeprom.blank(kind.blank_config(serial)).snapshot()
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


def _is_serial_number(value: bytes) -> bool:
    return len(value) == 9 and value[:2] == b"\x01\x23" and value[8] == 0xEE
