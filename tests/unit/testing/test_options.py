"""What the command line asks for is checked before any test runs."""

from pathlib import Path

import pytest
from hri.testing.options import REAL, BadOption, Options, names, timing


def test_names_come_with_commas_or_repeated_and_each_counts_once():
    assert names(["unix, rpi_pico", "unix", ""]) == ("unix", "rpi_pico")


@pytest.mark.parametrize(("text", "value"), [("typical", "typical"), ("0.5", 0.5), ("soon", "soon")])
def test_a_timing_is_a_number_or_a_name(text, value):
    assert timing(text) == value


def test_a_real_board_is_the_only_kind():
    assert Options(port="/dev/ttyACM0").kinds == (REAL,)
    assert Options(boards=("unix",)).kinds == ("unix",)
    assert Options().kinds == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(boards=("toaster",)), "no virtual board is called 'toaster'"),
        (Options(boards=("unix",), chip="se050"), "se050"),
        (Options(boards=("unix",), timing="soon"), "soon"),
        (Options(boards=("unix",), timing=-1.0), "factor"),
        (Options(firmware=Path("nowhere")), "nowhere is no folder"),
    ],
)
def test_what_makes_no_sense_is_refused(options, words):
    with pytest.raises(BadOption, match=words):
        options.check()


def test_what_makes_sense_passes(tmp_path):
    Options(boards=("unix", "rpi_pico"), chip="atecc608b-tngtls", timing=2.0, firmware=tmp_path).check()
