"""The state file: one writer, whole or not at all, and nothing lost over a power cut."""

import json
import os
import subprocess
import sys

import pytest
from hri.rig.atecc import ChipInUse, ChipStateError, open_chip, store
from hri.rig.bus import ManualClock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chip.json"


def test_everything_that_is_not_volatile_survives(make_wire, path):
    wire = make_wire(state=path)
    wire.personalise()
    public_key = wire.call(0x40, 0x04, 0)
    before = wire.chip.eeprom
    wire.chip.close()
    again = make_wire(state=path, serial_number=None)
    again.wake()
    assert again.chip.eeprom == before
    assert again.call(0x40, 0x00, 0) == public_key
    again.chip.close()


def test_every_change_is_on_disk_before_it_is_answered(make_wire, path):
    wire = make_wire(state=path)
    wire.wake()
    wire.call(0x12, 0, 18, b"\x01\x02\x03\x04")
    assert store.decode(path.read_bytes())[1].config[72:76] == b"\x01\x02\x03\x04"
    wire.chip.close()


def test_a_new_chip_is_on_disk_at_once(path):
    with open_chip(state=path) as chip:
        assert store.decode(path.read_bytes()) == ("atecc608b", chip.eeprom)
    assert path.stat().st_mode & 0o077 == 0


def test_fresh_takes_a_new_chip_whatever_was_there(path):
    path.write_bytes(b"rubbish")
    with open_chip(state=path, fresh=True) as chip:
        first = chip.serial_number
    with open_chip(state=path, fresh=True) as chip:
        assert chip.serial_number != first


def test_a_chip_is_open_once(path):
    with open_chip(state=path), pytest.raises(ChipInUse, match="in use"):
        open_chip(state=path)
    open_chip(state=path).close()


def test_a_chip_is_open_in_one_process(path):
    code = (
        "import sys; from pathlib import Path; from hri.rig.atecc import *\n"
        "try: open_chip(state=Path(sys.argv[1]))\n"
        "except ChipInUse: sys.exit(7)"
    )
    with open_chip(state=path):
        done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False)
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: len(text) // 2], "not JSON"),
        (lambda _: b"[]", "not the state"),
        (lambda text: text.replace(b'"version": 1', b'"version": 2'), "version 2"),
        (lambda text: text.replace(b'"otp": "ff', b'"otp": "fe'), "checksum"),
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(path, damage, reason):
    open_chip(state=path).close()
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(ChipStateError, match=reason):
        open_chip(state=path)
    assert path.read_bytes() == damaged


def test_a_file_with_a_right_checksum_but_wrong_sizes_is_refused(path):
    open_chip(state=path).close()
    fields = json.loads(path.read_bytes())
    del fields["sha256"]
    fields["otp"] = "ff"
    path.write_text(json.dumps({**fields, "sha256": store._checksum(fields)}))
    with pytest.raises(ChipStateError, match="128"):
        open_chip(state=path)


def test_another_variant_or_serial_number_is_refused(path):
    open_chip("atecc608a", state=path).close()
    with pytest.raises(ChipStateError, match="atecc608a"):
        open_chip("atecc608b", state=path)
    with pytest.raises(ChipStateError, match="serial"):
        open_chip("atecc608a", state=path, serial_number=bytes.fromhex("012300000000000000ee")[:8] + b"\xee")


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="atecc608b"):
        open_chip("atecc999")
    with pytest.raises(ValueError, match="serial"):
        open_chip(serial_number=b"123456789")


def test_what_cannot_be_written_did_not_happen(make_wire, path, monkeypatch):
    wire = make_wire(state=path)
    wire.wake()
    before, on_disk = wire.chip.eeprom, path.read_bytes()

    def disk_full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(ChipStateError, match="No space left"):
        wire.call(0x17, 0x80)
    monkeypatch.undo()
    assert wire.chip.eeprom == before
    assert path.read_bytes() == on_disk
    assert [entry.name for entry in path.parent.glob("*.tmp")] == []
    wire.chip.close()


def test_a_closed_chip_writes_no_more(make_wire, path):
    wire = make_wire(state=path)
    wire.wake()
    wire.chip.close()
    with pytest.raises(ChipStateError, match="closed"):
        wire.call(0x17, 0x80)


def test_a_clone_has_the_keys_but_not_the_file(make_wire, path):
    wire = make_wire(state=path)
    wire.personalise()
    wire.call(0x40, 0x04, 0)
    clone = wire.chip.unsafe_clone()
    clone.unsafe_set_private_key(0, 5)
    assert clone.unsafe_private_key(0) == 5
    assert wire.chip.unsafe_private_key(0) != 5
    wire.chip.unsafe_load(clone.eeprom)
    assert wire.chip.unsafe_private_key(0) == 5
    assert wire.chip.state == "asleep"
    wire.chip.close()


def test_without_a_file_there_is_nothing_to_save():
    with pytest.raises(ChipStateError, match="no state file"):
        open_chip(clock=ManualClock()).save()
