"""A profile of one's own, from the file to the locked chip; and why a bad one never gets there."""

import json

import pytest
from hri.elements.atecc.layout import KeyConfig, Slot, SlotConfig
from hri.elements.atecc.profile import _FOLDER, load_profile
from hri.elements.atecc.words import describe_slot


def slot_text(number: int, role: str, title: str, slot_config: int, key_config: int) -> str:
    words = describe_slot(Slot(number, SlotConfig(slot_config), KeyConfig(key_config), locked=False))
    return (
        f"  - slot: {number}\n    role: {role}\n    title: {title}\n    slot_config: {slot_config:#06x}\n"
        f"    key_config: {key_config:#06x}\n    words: {words}\n"
    )


@pytest.fixture
def own(tmp_path):
    """Writes the hri-device profile under another name, with some slots and with its kind replaced."""

    def write(kind: str = "device", **slots: tuple[str, str, int, int]) -> str:
        head, *entries = _FOLDER.joinpath("hri-device.yaml").read_text(encoding="utf-8").split("  - slot: ")
        head = head.replace("name: hri-device", "name: mine").replace("kind: device", f"kind: {kind}")
        texts = [f"  - slot: {entry}" for entry in entries]
        for name, entry in slots.items():
            texts[int(name[1:])] = slot_text(int(name[1:]), *entry)
        file = tmp_path / "mine.yaml"
        file.write_text(head + "".join(texts), encoding="utf-8")
        return str(file)

    return write


OPEN_OPERATOR = {"s14": ("operator", "operator public key", 0x000E, 0x0010)}


def test_a_newcomer_brings_a_blank_chip_to_a_profile_of_their_own(hri, port, board, own):
    hri("ca", "init")
    mine = own(s5=("general-data", "notes of mine", 0x0005, 0x001C))
    chosen, serial = ("--port", port, "--profile", mine), board.serial.hex()

    linted = hri("--json", "chip", "lint", *chosen)
    planned = hri("--json", "chip", "plan", *chosen)
    dry = hri("--json", "chip", "apply", *chosen)
    assert board.changes == []
    applied = hri("--json", "chip", "apply", *chosen, "--serial", serial)
    locked = hri("--json", "chip", "lock", *chosen, "--serial", serial)
    data = hri("--json", "chip", "lock", "--zone", "data", *chosen, "--serial", serial)

    assert [ran.status for ran in (linted, planned, dry, applied, locked, data)] == [0] * 6
    assert planned.json["profile"] == "mine"
    assert dry.json["dry_run"] is True
    assert data.json["data_locked"] is True
    assert bytes.fromhex(locked.json["config"])[106:108] == b"\x1c\x00"


def test_a_refused_profile_is_told_with_all_its_findings_and_touches_nothing(hri, port, board, own):
    hri("ca", "init")
    chosen, serial = ("--port", port, "--profile", own(**OPEN_OPERATOR)), ("--serial", board.serial.hex())

    for command in (
        ("plan",),
        ("apply",),
        ("lock",),
        ("apply", *serial),
        ("lock", *serial),
    ):
        ran = hri("--json", "chip", *command, *chosen)

        assert (ran.status, ran.out, ran.error["code"]) == (1, "", "lint")
        assert (14, "anchor-replaceable") in {(f["slot"], f["code"]) for f in ran.error["findings"]}
    assert "anchor-replaceable" in hri("chip", "apply", *chosen, *serial).out
    assert board.changes == []


def test_a_refused_profile_that_is_in_the_chip_already_is_not_locked_further(hri, port, board, own):
    """Another tool wrote it, or even locked it: hri does not go on."""
    hri("ca", "init")
    mine = own(**OPEN_OPERATOR)
    board.config[:] = load_profile(mine).config_bytes(bytes(board.config))
    chosen = ("--port", port, "--profile", mine, "--serial", board.serial.hex())

    config = hri("--json", "chip", "lock", *chosen)
    board.config[87] = 0
    data = hri("--json", "chip", "lock", "--zone", "data", *chosen)

    assert (config.status, config.error["code"]) == (1, "lint")
    assert (data.status, data.error["code"]) == (1, "lint")
    assert board.changes == []


def test_the_data_zone_of_a_custom_profile_is_left_to_its_author(hri, port, board, own):
    hri("ca", "init")
    chosen = ("--port", port, "--profile", own("custom"), "--serial", board.serial.hex())

    done = [hri("--json", "chip", command, *chosen).status for command in ("apply", "lock")]
    data = hri("--json", "chip", "lock", "--zone", "data", *chosen)

    assert done == [0, 0]
    assert (data.status, data.error["code"]) == (1, "not-a-device-profile")


def test_a_profile_is_judged_without_a_chip(hri, own):
    good = hri("--json", "chip", "lint", "--profile", "hri-device")
    named = hri("--json", "chip", "lint", "--profile", own(**OPEN_OPERATOR))
    as_file = hri("--json", "chip", "lint", own(**OPEN_OPERATOR))
    chipless = hri("--json", "chip", "lint")

    assert (good.status, good.json) == (0, {"ok": True, "findings": []})
    assert (named.status, as_file.status) == (1, 1)
    assert [f["code"] for f in named.json["findings"]] == ["anchor-replaceable"]
    assert named.json == as_file.json
    assert (chipless.status, chipless.error["code"]) == (2, "no-port")


def test_a_profile_and_a_printed_chip_are_decoded_like_any_configuration(hri, port, own, tmp_path):
    printed = tmp_path / "chip.json"
    printed.write_text(hri("--json", "chip", "info", "--port", port).out)

    profile = hri("--json", "chip", "decode", own())
    chip = hri("--json", "chip", "decode", str(printed))

    assert profile.json["known_as"]["profile"] == "hri-device"
    assert chip.json["slots"] == json.loads(printed.read_text())["slots"]


def test_a_configuration_is_judged_by_the_roles_of_the_one_that_it_is(hri):
    """In a Trust&GO chip nothing can be made of slot 0 any more, and that is as its maker wants it."""
    raw = bytearray(load_profile("tngtls-608b").config_bytes(bytes(128)))

    recognised = hri("--json", "chip", "lint", raw.hex())
    judged = hri("--json", "chip", "lint", raw.hex(), "--profile", "hri-device")
    raw[40] |= 0x80
    unreadable = hri("--json", "chip", "lint", raw.hex())

    assert {f["code"] for f in recognised.json["findings"] if f["severity"] == "error"} == {"address-movable"}
    assert (10, "never-readable") in {(f["slot"], f["code"]) for f in unreadable.json["findings"]}
    assert {"never-born", "anchor-unusable"} <= {f["code"] for f in judged.json["findings"]}


def test_a_provisioned_chip_is_told_as_such_with_what_can_still_be_set(hri, port, board):
    config = bytearray(load_profile("trustflex-tls").config_bytes(bytes(board.config)))
    config[86] = config[87] = 0
    board.config[:] = config

    info = hri("chip", "info", "--port", port)
    words = hri("chip", "plan", "--port", port)
    document = hri("--json", "chip", "plan", "--port", port)

    assert "provisioned by its maker" in info.out
    assert "provisioned by its maker" in words.out
    assert "slot 2: GenKey may make a new key until the slot is locked" in words.out
    assert document.json["known_as"]["profile"] == "trustflex-tls"
    assert document.json["obstacle"]
    assert document.json["steps"] == []
    assert board.changes == []


def test_every_rule_can_be_looked_up(hri):
    listed = {rule["code"]: rule for rule in hri("--json", "chip", "rules").json["rules"]}

    assert listed["address-changes"]["severity"] == "error"
    assert listed["anchor-replaceable"]["why"]
    assert "anchor-replaceable" in hri("chip", "rules").out
