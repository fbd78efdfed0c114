"""Where the descriptions and the firmware lie: in a checkout, or in the installed package."""

from __future__ import annotations

from pathlib import Path

from hri.boards.description import BoardDescription, BoardError

# To be copied for a new board; it describes none itself.
TEMPLATE = "template"


_PACKAGED = Path(__file__).parent
_CHECKOUT = _PACKAGED.resolve().parents[2]


def boards_folder() -> Path:
    """Return the folder with one folder a board, each with its ``board.toml`` and its ``wiring.svg``."""
    packaged = _PACKAGED / "data"
    return packaged if packaged.is_dir() else _CHECKOUT / "boards"


def firmware_folder() -> Path:
    """Return the folder with ``hri_device`` and its entry points; FileNotFoundError where there is none."""
    packaged = _PACKAGED / "firmware"
    folder = packaged if packaged.is_dir() else _CHECKOUT / "firmware"
    if not (folder / "hri_device").is_dir():
        raise FileNotFoundError(f"no hri_device in {folder}; install hri again")
    return folder


def board_names() -> list[str]:
    """Return the names of the boards that have a description, in order."""
    return sorted(
        path.parent.name for path in boards_folder().glob("*/board.toml") if path.parent.name != TEMPLATE
    )


def load_board(name: str) -> BoardDescription:
    """Return the description of the board ``name``; BoardError lists the boards there are."""
    if name not in board_names():
        raise BoardError(f"no board is called {name!r}; there are {', '.join(board_names())}")
    text = (boards_folder() / name / "board.toml").read_text(encoding="utf-8")
    return BoardDescription.from_toml(text)
