"""Draw docs/provisioning-trace.svg: one provisioning on the emulated Pico, as its chip's bus saw it.

The chip takes the typical times of `hri.rig.atecc.timing`, the board its own at 125 MHz; what the host takes
in between is this machine's. Run it again when the provisioning or the picture has changed.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hri.ca.authority import Authority
from hri.ca.operator import OperatorKey
from hri.config import load as load_config
from hri.context import Context, utc_now
from hri.elements.board import BoardElement
from hri.link import SerialLink
from hri.provision import provision
from hri.registry import Registry
from hri.rig.atecc import open_chip
from hri.rig.boards import BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.firmware import device_package
from hri.rig.trace import Header, decode, load, recording
from hri.rig.trace.layout import Mark
from hri.rig.trace.picture import draw
from hri.steps import StepEvent

PICTURE = Path(__file__).parents[1] / "docs" / "provisioning-trace.svg"
TITLE = "One provisioning on the bus of an ATECC608B"
_BOARD, _CHIP = "rpi_pico", "atecc608b"


def record(file: Path, scratch: Path) -> list[Mark]:
    """Record a provisioning to `file`; return when each of its steps began."""
    clock = BoardClock()
    marks: list[Mark] = []

    def on_step(event: StepEvent) -> None:
        if event.phase == "begun":
            marks.append(Mark(clock.now_us(), event.name))

    bus = Bus([open_chip(_CHIP, clock=clock, timing="typical")], clock=clock)
    with (
        recording(bus, file, Header(_CHIP, _BOARD, "board")),
        open_board(_BOARD, bus=bus, package=device_package(), clock=clock) as board,
    ):
        link = SerialLink.open(board.port)
        try:
            with _context(scratch) as context:
                provision(
                    lambda: BoardElement(link), context, device_id="device-001", lock=True, on_step=on_step
                )
        finally:
            link.close()
    return marks


@contextmanager
def _context(folder: Path) -> Iterator[Context]:
    """Yield a context with a CA and a registry of their own."""
    passphrase = b"picture passphrase"
    Authority.create(folder, root_passphrase=b"picture root", ca_passphrase=passphrase, now=utc_now())
    with Registry.open(folder / "hri.db") as registry:
        yield Context(
            load_config(None),
            registry,
            Authority.open(folder, passphrase),
            OperatorKey.open(folder, passphrase),
            station="picture",
        )


def main() -> int:
    """Record and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trace", type=Path, help="keep the trace here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        file = arguments.trace or scratch / "trace.jsonl"
        marks = record(file, scratch / "ca")
        trace = load(file)
        PICTURE.write_text(draw(trace.header, decode(trace.transactions), marks=marks, title=TITLE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
