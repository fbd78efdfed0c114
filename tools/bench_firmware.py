"""Size and memory of the device package on the emulated Pico, beside adafruit-circuitpython-atecc.

Both are compiled by the same mpy-cross and imported by the same MicroPython from the same flash. Each feature
of the driver is a file of its own, so each has a row of its own, which a new file brings with it.
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
# A board carries the roles, the chip's driver and one port. Never imported by the service on the Pico: the
# other platforms' ports, the stores for boards without a writable file system, CRC-32 where binascii has it,
# the base class of other elements, and compressed certificates.
_PORTS = "hri_device/ports/"
_OTHER_PORTS = ("adafruit", "circuitpython", "cpython")
_NOT_CORE = ("chipstore", "compressed", "crc32", "element", "nvmstore", "sha1")
# Of the chip's driver only what the service needs; every other file there is a feature.
_CHIP = "hri_device/atecc/"
_CHIP_CORE = ("__init__", "packet", "session", "commands", "element")
# What a program without the service carries, which is what Adafruit's library is for.
_DRIVER = ("hri_device/__init__.mpy", "hri_device/errors.mpy", "hri_device/ports/__init__.mpy")
_PORT = f"{_PORTS}circuitpython.mpy"
_ADAFRUIT = ("adafruit_atecc", "adafruit_bus_device", "adafruit_binascii")
_SIZE_GOAL = 20 * 1024
_RAM_GOAL = 40 * 1024


def compiled(folder: Path) -> dict[str, bytes]:
    """Return the whole package, compiled: path on the board to content."""
    compile_package(_PACKAGE, folder / "hri_device")
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.mpy"))}


def features(package: dict[str, bytes]) -> dict[str, str]:
    """Return what a board can leave out, first of the chip's driver: name to path on the board."""
    chip = {path.removeprefix(_CHIP).removesuffix(".mpy"): path for path in package if path.startswith(_CHIP)}
    found = {name: path for name, path in chip.items() if name not in _CHIP_CORE}
    return found | {name: f"hri_device/{name}.mpy" for name in _NOT_CORE}


def core(folder: Path) -> dict[str, bytes]:
    """Return the core set, compiled: path on the board to content."""
    package = compiled(folder)
    without = {*features(package).values(), *(f"{_PORTS}{name}.mpy" for name in _OTHER_PORTS)}
    return {path: data for path, data in package.items() if path not in without}


def driver(package: dict[str, bytes]) -> int:
    """Return the bytes of the driver alone, with one port, without the service and without features."""
    chip = [f"{_CHIP}{name}.mpy" for name in _CHIP_CORE]
    return sum(len(package[path]) for path in (*_DRIVER, _PORT, *chip))


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


def kept_by_each(modules: list[str], first: str, package: dict[str, bytes]) -> list[int]:
    """Return the bytes of RAM that each of `modules` keeps on the Pico, imported in turn after `first`."""
    with pico(package) as (repl, _):
        said = repl.exec(
            "import gc, micropython\n"
            f"import {first}\n"
            f"for _name in {modules!r}:\n"
            "    gc.collect(); _before = gc.mem_alloc()\n"
            "    __import__(_name)\n"
            "    gc.collect(); print(gc.mem_alloc() - _before)"
        )
        return [int(line) for line in said.split()]


def measure_features(package: dict[str, bytes]) -> dict[str, Entry]:
    """Return the size of each feature, and the RAM that it adds to a running driver."""
    paths = features(package)
    modules = [path.removesuffix(".mpy").replace("/", ".") for path in paths.values()]
    kept = kept_by_each(modules, "hri_device.atecc.element", package)
    entries = {}
    for (name, path), ram in zip(paths.items(), kept, strict=True):
        entries[f"firmware.feature.{name}.mpy"] = reported(
            len(package[path]), "bytes", "a file that a board can leave out"
        )
        entries[f"firmware.feature.{name}.ram"] = reported(
            ram, "bytes", "what it adds to a driver with the features named before it"
        )
    return entries


def measure() -> dict[str, Entry]:
    """Return sizes and kept RAM."""
    with tempfile.TemporaryDirectory() as scratch:
        ours = core(Path(scratch) / "ours")
        package = compiled(Path(scratch) / "package")
        theirs = _adafruit(Path(scratch) / "theirs")
    return {
        "firmware.driver_mpy": reported(
            driver(package), "bytes", "the driver and one port alone, beside Adafruit's"
        ),
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
        **measure_features(package),
    }
