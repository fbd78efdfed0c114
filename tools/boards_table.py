"""Write the table of boards into docs/boards.md; ``--check`` only says whether it is up to date."""

import argparse
import sys
from pathlib import Path

from hri.boards import BoardDescription, board_names, load_board

PAGE = Path(__file__).resolve().parent.parent / "docs" / "boards.md"
_BEGIN, _END = "<!-- boards: begin -->\n", "<!-- boards: end -->\n"
_HEAD = "\n| board | bus | chip | runtime goes on by | what was done |\n|---|---|---|---|---|\n"


def _row(board: BoardDescription) -> str:
    i2c, chip = board.i2c, board.chip
    pins = "no pins" if i2c.sda is None else f"SDA {i2c.sda}, SCL {i2c.scl}"
    where = "on the board" if chip.on_board else "breakout"
    ways = {
        "uf2": f"UF2 drive `{board.flashing.drive}`",
        "esptool": f"esptool at `{hex(board.flashing.offset or 0)}`",
        "none": "nothing to flash",
    }
    done = "; ".join(f"{proof.how} ({proof.on})" for proof in board.proven)
    cells = (
        f"`{board.name}` {board.title}",
        f"I2C {i2c.id}, {pins}",
        f"`0x{chip.address:02X}`, {where}",
        ways[board.flashing.method],
        done,
    )
    return f"| {' | '.join(cells)} |\n"


def with_table(page: str) -> str:
    """Return ``page`` with the table as the descriptions are now."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    if not after:
        raise SystemExit(f"{PAGE} lacks the marks around the table")
    rows = "".join(_row(load_board(name)) for name in board_names())
    return f"{before}{_BEGIN}{_HEAD}{rows}\n{_END}{after}"


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_table(page)
    if check:
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
