"""Size and memory of the device package on the emulated Pico, beside adafruit-circuitpython-atecc.

Both are compiled by the same mpy-cross and imported by the same MicroPython from the same flash.
"""

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_entry import Entry, at_most, reported
from hri.rig.atecc import open_chip
from hri.rig.boards import BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.runtimes import compile_package
from mpremote.transport_serial import SerialTransport

ROOT = Path(__file__).resolve().parent.parent
_PACKAGE = ROOT / "firmware" / "hri_device"
# A board carries the roles, the chip's driver and one port. Never imported on the Pico: the other platforms'
# ports, the store for boards without a writable file system, CRC-32 where binascii has it, the base class of
# other elements, and what only a program of its own asks of the chip.
_NOT_CORE = (
    "hri_device/ports/circuitpython.mpy",
    "hri_device/ports/cpython.mpy",
    "hri_device/chipstore.mpy",
    "hri_device/nvmstore.mpy",
    "hri_device/crc32.mpy",
    "hri_device/element.mpy",
    "hri_device/atecc/standalone.mpy",
)
_ADAFRUIT = ("adafruit_atecc", "adafruit_bus_device", "adafruit_binascii")
_SIZE_GOAL = 20 * 1024
_RAM_GOAL = 40 * 1024


def core(folder: Path) -> dict[str, bytes]:
    """Return the core set, compiled: path on the board to content."""
    compile_package(_PACKAGE, folder / "hri_device")
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.mpy")}
    return {name: data for name, data in files.items() if name not in _NOT_CORE}


def _adafruit(folder: Path) -> dict[str, bytes]:
    sources = folder / "source"
    for name in _ADAFRUIT:
        origin = Path(str(importlib.util.find_spec(name).origin))
        modules = [origin] if origin.name != "__init__.py" else list(origin.parent.rglob("*.py"))
        base = origin.parent if origin.name != "__init__.py" else origin.parent.parent
        for module in modules:
            place = sources / "lib" / module.relative_to(base)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(module.read_bytes())
    out = folder / "compiled"
    compile_package(sources / "lib", out)
    # The SPI half of bus_device is not imported for an I2C chip.
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*.mpy") if p.name != "spi_device.mpy"}


@contextmanager
def pico(package: dict[str, bytes], timing: str = "none") -> Iterator[tuple[SerialTransport, Bus]]:
    """Boot an emulated Pico with `package` and a blank chip; yields its raw REPL and its bus."""
    clock = BoardClock()
    bus = Bus([open_chip("atecc608b", state=None, clock=clock, timing=timing)])
    with open_board("rpi_pico", bus=bus, package=package, clock=clock) as board:
        repl = SerialTransport(board.port)
        try:
            repl.enter_raw_repl(soft_reset=True, timeout_overall=60)
            yield repl, bus
        finally:
            repl.close()


def kept_after(imports: str, package: dict[str, bytes]) -> int:
    """Return the bytes of RAM that `imports` keeps on the Pico, after a collection."""
    with pico(package) as (repl, _):
        said = repl.exec(
            "import gc, micropython\n"
            "gc.collect(); _before = gc.mem_alloc()\n"
            f"{imports}\n"
            "gc.collect(); print(gc.mem_alloc() - _before)"
        )
        return int(said)


def measure() -> dict[str, Entry]:
    """Return sizes and kept RAM."""
    with tempfile.TemporaryDirectory() as scratch:
        ours = core(Path(scratch) / "ours")
        theirs = _adafruit(Path(scratch) / "theirs")
    return {
        "firmware.core_mpy": at_most(sum(map(len, ours.values())), "bytes", _SIZE_GOAL),
        "firmware.ram_after_import": at_most(
            kept_after(
                "import hri_device.service, hri_device.atecc.element, hri_device.certstore, "
                "hri_device.ports.micropython",
                ours,
            ),
            "bytes",
            _RAM_GOAL,
        ),
        "adafruit.mpy": reported(
            sum(map(len, theirs.values())),
            "bytes",
            "adafruit-circuitpython-atecc with its helpers, beside ours",
        ),
        "adafruit.ram_after_import": reported(
            kept_after(
                "import adafruit_atecc.adafruit_atecc, adafruit_atecc.adafruit_atecc_cert_util", theirs
            ),
            "bytes",
            "adafruit-circuitpython-atecc with its helpers, beside ours",
        ),
    }
