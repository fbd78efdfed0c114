"""Which configuration a chip has, whoever configured it."""

from __future__ import annotations

import json

import pytest
from hri.elements.atecc.known import factory_zone, identify
from hri.elements.atecc.layout import decode
from hri.elements.atecc.plan import plan
from hri.elements.atecc.profile import load_profile, shipped_profiles
from hri.elements.atecc.words import still_possible
from hri.elements.atecc.zone_file import read_zone
from hri.rig.atecc import open_chip
from unit.chip_config.configs import PROFILE, blank, changed, identified, wanted


@pytest.mark.parametrize("profile", shipped_profiles(), ids=lambda profile: profile.name)
def test_a_chip_of_a_known_configuration_is_recognised(profile) -> None:
    known = identify(profile.config_bytes(blank()))
    assert known.exact
    assert known.profile.title == profile.title


@pytest.mark.parametrize(
    ("chip", "name"),
    [
        ("atecc608a", "blank-608"),
        ("atecc608b", "blank-608"),
        ("atecc608a-tngtls", "tngtls-608b"),
        ("atecc608b-tngtls", "tngtls-608b"),
        ("atecc608b-tflxtls", "trustflex-tls"),
    ],
)
def test_the_rigs_chips_are_recognised(chip: str, name: str) -> None:
    """Written apart from the same documents, rig and host agree on what these chips hold."""
    with open_chip(chip) as opened:
        known = identify(opened.eeprom.config)
    assert (known.profile.name, known.differing) == (name, ())


def test_counters_locks_and_serial_numbers_do_not_matter() -> None:
    assert identify(identified()).profile.name == "hri-device"
    assert identify(changed(identified(), b52=0x7F)).exact


def test_a_chip_that_differs_a_little_is_told_by_where() -> None:
    known = identify(changed(wanted(), b19=0x04, b90=0x07))
    assert (known.profile.name, known.differing) == ("hri-device", (19, 90))
    assert known.words == "like hri device, but for bytes 19, 90"


def test_a_chip_of_nobodys_is_nobodys() -> None:
    assert identify(bytes(range(128))) is None
    with pytest.raises(ValueError, match="128 bytes"):
        identify(bytes(127))


def test_what_a_customer_may_choose_does_not_make_another_chip() -> None:
    trustflex = load_profile("trustflex-tls")
    assert identify(changed(trustflex.config_bytes(blank()), b70=0x00)).exact


@pytest.mark.parametrize("name", ["tngtls-608b", "blank-608", "adafruit-cfg-tls"])
def test_a_description_is_never_written(name: str) -> None:
    the_plan = plan(blank(), load_profile(name))
    assert the_plan.steps == ()
    assert "never written" in the_plan.obstacle


def test_what_can_still_be_set_in_a_provisioned_chip() -> None:
    config = changed(load_profile("tngtls-608b").config_bytes(blank()), b86=0, b87=0)
    said = "; ".join(still_possible(decode(config)))
    assert "slot 2: GenKey may make a new key until the slot is locked" in said
    assert "slot 8: may be written by anybody until the slot is locked" in said
    assert "byte 85: UpdateExtra" in said
    assert "slot 0" not in said


@pytest.mark.parametrize(
    "text",
    ["{hex}", "{spaced}", "{array}", "b'{hex}'"[2:-1], "{hex}\n", "{upper}"],
)
def test_a_zone_is_read_as_people_keep_it(text: str) -> None:
    raw = PROFILE.config_bytes(blank())
    forms = {
        "hex": raw.hex(),
        "upper": raw.hex().upper(),
        "spaced": raw.hex(" ", 4),
        "array": "{" + ", ".join(f"0x{byte:02x}" for byte in raw) + "};",
    }
    assert read_zone(text.format(**forms).encode()) == raw
    assert read_zone(raw) == raw


DUMPS = {
    "rows in brackets": lambda at, row: f"[{at:3}] {row.hex(' ')}",
    "rows with colons": lambda at, row: f"  {at:04x}: {row.hex(' ').upper()}",
    "a commented C array": lambda at, row: (
        "".join(f"0x{byte:02X}, " for byte in row) + f"// {at} to {at + 15}"
    ),
}


@pytest.mark.parametrize("row", DUMPS.values(), ids=DUMPS)
def test_a_dump_is_read_without_its_offsets(row) -> None:
    raw = PROFILE.config_bytes(blank())
    text = "\n".join(row(at, raw[at : at + 16]) for at in range(0, 128, 16))
    assert read_zone(text.encode()) == raw


def test_what_chip_info_printed_is_read() -> None:
    raw = PROFILE.config_bytes(blank())
    assert read_zone(json.dumps({"type": "atecc608b", "config": raw.hex()}).encode()) == raw
    assert read_zone(b'{"config": 5}') == b'{"config": 5}'


@pytest.mark.parametrize(
    ("name", "locked", "words"),
    [
        ("tngtls-608b", 0x00, "provisioned by its maker"),
        ("trustflex-tls", 0x00, "provisioned by its maker"),
        ("blank-608", 0x55, "as it left the factory"),
        ("blank-608", 0x00, "nothing can be made of it"),
        ("adafruit-cfg-tls", 0x00, "nothing can be made of it"),
    ],
)
def test_what_a_chip_is_good_for_is_said_with_its_name(name: str, locked: int, words: str) -> None:
    assert words in identify(changed(load_profile(name).config_bytes(blank()), b87=locked)).words


def test_the_zone_that_profiles_are_tried_on_is_that_of_a_blank_chip() -> None:
    """The rig's blank chip is written apart from the same read-outs."""
    with open_chip("atecc608b") as opened:
        there = opened.eeprom.config
    tried = factory_zone()
    assert identify(tried).words == "blank ATECC608, as it left the factory"
    assert [at for at in range(13, 128) if tried[at] != there[at] and at not in (13, 14)] == []
    assert (tried[13] & 1, tried[14] & 1) == (there[13] & 1, there[14] & 1)


@pytest.mark.parametrize("data", [b"", b"012", b"hello", bytes(range(128, 256)), b"0x1, 0x2"])
def test_what_is_no_hex_is_taken_as_it_is(data: bytes) -> None:
    assert read_zone(data) == data
