"""The drawings: made from the descriptions, and in step with them."""

from __future__ import annotations

from xml.etree import ElementTree

import board_wiring
import pytest
from hri.boards import board_names, load_board


def words(name: str) -> list[str]:
    root = ElementTree.fromstring(board_wiring.draw(load_board(name)))  # noqa: S314 - our own drawing
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_drawing_in_the_tree_is_up_to_date() -> None:
    stale = [str(path) for path, text in board_wiring.drawings().items() if path.read_text() != text]
    assert not stale, "run tools/board_wiring.py"


@pytest.mark.parametrize("name", [name for name in board_names() if load_board(name).wires])
def test_a_drawing_names_both_ends_of_every_wire(name: str) -> None:
    said = words(name)
    for wire in load_board(name).wires:
        assert wire.board in said
        assert wire.chip in said


def test_a_chip_on_the_board_is_drawn_with_its_pins_and_address() -> None:
    said = words("m5stack_core2_aws")
    assert {"SDA, pin 21", "SCL, pin 22", "0x35, on the board", "nothing to wire"} <= set(said)
