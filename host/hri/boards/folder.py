"""Where the descriptions lie: one folder a board, with its ``board.toml`` and its ``wiring.svg``."""

from __future__ import annotations

from pathlib import Path

from hri.boards.description import BoardDescription, BoardError

# To be copied for a new board; it describes none itself.
TEMPLATE = "template"


def boards_folder() -> Path:
    """Return the folder with one folder a board: the copy in the installed package, or the checkout's."""
    packaged = Path(__file__).parent / "data"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "boards"


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
