"""What a board prints is not believed: anything else than what was asked for is an error, not a crash."""

from __future__ import annotations

import pytest
from hri.errors import DeviceError
from hri.flash import Installer
from hri.flash.onboard import Onboard


class Liar:
    """A board that says who it is, and then always the same."""

    def __init__(self, said: str, hello: str = "micropython 1.25.0 rp2 6") -> None:
        self._said = [hello, ""]
        self._always = said

    def run(self, script: str) -> str:
        del script
        return self._said.pop(0) if self._said else self._always


@pytest.mark.parametrize("said", ["", "nonsense", "[" * 100_000, "3", "null", '"text"', "[1, 2, 3]", "{}"])
def test_an_answer_of_another_kind_is_an_error(said: str) -> None:
    board = Onboard(Liar(said))
    with pytest.raises(DeviceError, match="the board printed"):
        board.digests("/fw/a", ["x", "y"])
    with pytest.raises(DeviceError, match="the board printed"):
        board.read("/fw/current")


@pytest.mark.parametrize("said", ["", "[]", '"0"', "null"])
def test_free_space_is_a_number(said: str) -> None:
    with pytest.raises(DeviceError, match="the board printed"):
        Onboard(Liar(said)).free()


def test_digests_that_are_no_text_are_none() -> None:
    assert Onboard(Liar("[7, null]")).digests("/fw/a", ["x", "y"]) == {"x": None, "y": None}


@pytest.mark.parametrize("hello", ["", "x", "micropython 1.25.0 rp2 six", "a b c d e"])
def test_a_board_that_does_not_say_what_it_runs_is_told(hello: str) -> None:
    with pytest.raises(DeviceError, match="says of itself"):
        Onboard(Liar("", hello))


def test_a_pointer_full_of_nonsense_names_no_version() -> None:
    with pytest.raises(DeviceError, match="holds no package"):
        Installer(Liar('["../../etc"]')).verify()
