"""Draw ``boards/<name>/wiring.svg`` from each ``board.toml``.

Run it after a change of a description; ``--check`` only says which drawings are out of date.
"""

import argparse
import sys
from html import escape
from pathlib import Path

from hri.boards import BoardDescription, board_names, boards_folder, load_board

# The wires of a STEMMA QT or Qwiic cable.
_COLOURS = {"3V3": "#d13438", "GND": "#24292f", "SDA": "#1f6feb", "SCL": "#e3a008"}
_ORDER = ("3V3", "GND", "SDA", "SCL")
_WIDTH, _HEIGHT = 760, 300
_TOP, _STEP = 118, 42
_LEFT_EDGE, _RIGHT_EDGE = 300, 520
_STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;fill:#24292f}"
    ".t{font-size:17px;font-weight:bold}.s{font-size:12.5px;fill:#57606a}.p{font-size:14px}"
    ".b{fill:#f6f8fa;stroke:#57606a;stroke-width:1.5}.c{fill:#24292f}text.w{fill:#fff}"
)


def _text(x: float, y: float, kind: str, words: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str = "b") -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" class="{kind}"/>'


def _bus(board: BoardDescription) -> str:
    return f"I2C {board.i2c.id}, {board.i2c.hz // 1000} kHz (wake pulse at {board.i2c.wake_hz // 1000} kHz)"


def _wired(board: BoardDescription) -> list[str]:
    """Return the elements of a board and a breakout with four wires between them."""
    parts = [
        _box(20, 62, _LEFT_EDGE - 20, 206),
        _box(_RIGHT_EDGE, 62, 220, 206),
        _text(36, 88, "t", board.mcu),
        _text(_RIGHT_EDGE + 204, 88, "t", "breakout", "end"),
        _box(_RIGHT_EDGE + 118, 128, 84, 84, "c"),
        _text(_RIGHT_EDGE + 160, 166, "s w", "ATECC608", "middle"),
        _text(_RIGHT_EDGE + 160, 185, "s w", f"0x{board.chip.address:02X}", "middle"),
    ]
    by_signal = {wire.signal: wire for wire in board.wires}
    for row, signal in enumerate(_ORDER):
        y, wire, colour = _TOP + row * _STEP, by_signal[signal], _COLOURS[signal]
        parts += [
            f'<path d="M{_LEFT_EDGE} {y}H{_RIGHT_EDGE}" stroke="{colour}" stroke-width="4"/>',
            *(f'<circle cx="{x}" cy="{y}" r="6" fill="{colour}"/>' for x in (_LEFT_EDGE, _RIGHT_EDGE)),
            _text(_LEFT_EDGE - 14, y + 5, "p", wire.board, "end"),
            _text(_RIGHT_EDGE + 14, y + 5, "p", wire.chip),
            _text((_LEFT_EDGE + _RIGHT_EDGE) / 2, y - 8, "s", signal, "middle"),
        ]
    return parts


def _built_in(board: BoardDescription) -> list[str]:
    """Return the elements of a board with the chip on it: nothing to wire, but pins to know."""
    parts = [
        _box(20, 62, 720, 206),
        _box(60, 118, 190, 100, "c"),
        _text(155, 174, "t w", board.mcu, "middle"),
        _box(510, 118, 190, 100, "c"),
        _text(605, 162, "t w", board.chip.part.partition(" ")[0], "middle"),
        _text(605, 186, "s w", f"0x{board.chip.address:02X}, on the board", "middle"),
    ]
    for row, (signal, pin) in enumerate((("SDA", board.i2c.sda), ("SCL", board.i2c.scl))):
        y = 146 + row * 44
        parts += [
            f'<path d="M250 {y}H510" stroke="{_COLOURS[signal]}" stroke-width="4"/>',
            _text(380, y - 9, "p", f"{signal}, pin {pin}", "middle"),
        ]
    parts.append(_text(380, 250, "s", "nothing to wire", "middle"))
    return parts


def draw(board: BoardDescription) -> str:
    """Return the drawing of `board` as SVG."""
    parts = _built_in(board) if board.chip.on_board else _wired(board)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            f'width="{_WIDTH}" height="{_HEIGHT}" role="img">',
            f"<title>{escape(board.title)}: wiring</title>",
            f"<style>{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
            _text(20, 32, "t", board.title),
            _text(20, 51, "s", f"{_bus(board)}; {board.chip.part}"),
            *parts,
            "</svg>\n",
        ]
    )


def drawings() -> dict[Path, str]:
    """Return every drawing by its path; a board without pins has none."""
    boards = (load_board(name) for name in board_names())
    return {
        boards_folder() / board.name / "wiring.svg": draw(board)
        for board in boards
        if board.i2c.sda is not None
    }


def main() -> int:
    """Write the drawings, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where one is out of date")
    check = parser.parse_args().check
    stale = [
        path
        for path, text in drawings().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path.parent.name}/{path.name}")
        if not check:
            path.write_text(drawings()[path], encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
