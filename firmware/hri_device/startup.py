"""Puts the parts together as `hri_board.json` says; main.py and code.py bring the port and the bus."""

import json
import sys

from . import __version__
from .atecc.element import ATECC608
from .certstore import FileStore
from .service import Service

# Ticks wrap, each port's at its own power of two; below this one all of them agree (six days).
_TICKS_MASK = 0x1FFFFFFF


def read_settings(name="hri_board.json"):
    """Return the board's settings (a dict), empty where there is no file; ValueError where it is no JSON.

    Known are `board` (its name), `i2c`, `scl`, `sda`, `freq` (hertz), `address` (of the chip, 7 bits; without
    one it is looked for) and `store`: a folder ("hri" at the root), "chip" to keep the certificate in the
    chip's slot 8, or "nvm" for the microcontroller's own non-volatile bytes (CircuitPython).
    """
    try:
        with open(name) as file:
            return json.load(file)
    except OSError:
        return {}


def run(port, bus, settings):
    """Serve the board's secure element over the serial line of `port` (a module of ports) until Ctrl-C."""
    element = ATECC608(bus, settings.get("address"))
    where = settings.get("store", "hri")
    if where == "chip":
        from .chipstore import ChipStore

        store = ChipStore(element)
    elif where == "nvm":
        from .nvmstore import NvmStore

        store = NvmStore(port.nvm())  # type: ignore[assignment]
    else:
        store = FileStore(where)  # type: ignore[assignment]
    board = settings.get("board") or getattr(sys.implementation, "_machine", sys.platform)
    start = port.ticks_ms()
    print("hri_device %s on %s: Ctrl-C for the REPL" % (__version__, board))
    Service(
        element,
        store,
        port.serial_stream(),
        board,
        port.reset_cause(),
        lambda: port.ticks_diff(port.ticks_ms(), start) & _TICKS_MASK,
    ).run()
