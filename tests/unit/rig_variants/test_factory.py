"""The factory: what a seed repeats, what a file keeps, and what is refused."""

import json
import os
from datetime import UTC, datetime

import pytest
from hri.rig.atecc import ChipStateError, Factory, FactoryError, factory_beside, open_chip
from hri.rig.atecc.variants import variant_named
from hri.rig.bus import ManualClock

TNGTLS = "atecc608b-tngtls"


def test_two_chips_have_nothing_in_common(connect):
    first, second = connect(TNGTLS), connect(TNGTLS)
    assert first.serial_number() != second.serial_number()
    for slot in range(5):
        assert first.public_key(slot) != second.public_key(slot)
    assert first.slot(5) != second.slot(5)
    assert first.slot(10) != second.slot(10)
    assert first.slot(12) == second.slot(12)


def test_every_key_of_a_chip_is_another(connect):
    chip = connect(TNGTLS)
    assert len({chip.public_key(slot) for slot in range(5)}) == 5


def test_two_factories_have_nothing_in_common():
    first, second = Factory(), Factory()
    assert first.root_certificate != second.root_certificate
    assert first.signer_certificate.public_key() != second.signer_certificate.public_key()
    assert first.log_certificate.public_key() != second.log_certificate.public_key()


def test_a_seed_makes_the_same_chip_factory_and_manifest_again():
    def made() -> tuple:
        factory = Factory(seed=b"bench 7")
        chip = open_chip(TNGTLS, factory=factory, seed=b"left socket", clock=ManualClock())
        return chip.eeprom, factory.root_pem, factory.log_pem, factory.manifest

    assert made() == made()


def test_a_seed_alone_makes_the_same_chip_again():
    chips = [open_chip(TNGTLS, seed=b"bench 7", clock=ManualClock()).eeprom for _ in range(2)]
    assert chips[0] == chips[1]
    assert open_chip(TNGTLS, seed=b"bench 8", clock=ManualClock()).eeprom != chips[0]


def test_a_seed_makes_the_same_blank_chip_again():
    serials = {open_chip("atecc608a", seed=b"x", clock=ManualClock()).serial_number for _ in range(2)}
    assert len(serials) == 1


def test_a_seed_keeps_its_keys_under_another_serial_number():
    serial = bytes.fromhex("0123456789abcdef01")
    one, other = (
        open_chip(TNGTLS, seed=b"x", serial_number=number, clock=ManualClock()) for number in (None, serial)
    )
    assert other.serial_number == serial
    assert one.eeprom.slots[:5] == other.eeprom.slots[:5]


def test_a_seeded_factory_makes_one_chip_after_another():
    factory = Factory(seed=b"line")
    kind = variant_named(TNGTLS)
    first, second = factory.make(kind), factory.make(kind)
    assert first != second
    again = Factory(seed=b"line")
    assert [again.make(kind), again.make(kind)] == [first, second]


def test_no_key_of_a_seeded_factory_is_also_a_chips():
    factory = Factory(seed=b"line")
    chip = factory.make(variant_named(TNGTLS))
    authority = factory._books.authority
    scalars = {int.from_bytes(slot[4:36], "big") for slot in chip.slots[:5]}
    assert len(scalars | {authority.root, authority.signer, authority.log}) == 8


def test_chips_of_a_file_have_one_root_and_one_manifest(tmp_path):
    path = tmp_path / "factory"
    kind = variant_named(TNGTLS)
    first = Factory(path=path)
    first.make(kind)
    second = Factory(path=path)
    second.make(kind)
    assert second.root_certificate == first.root_certificate
    assert [entry["header"]["uniqueId"] for entry in Factory(path=path).manifest] == [
        entry["header"]["uniqueId"] for entry in second.manifest
    ]
    assert len(second.manifest) == 2


def test_two_open_factories_of_a_file_lose_nothing_of_each_other(tmp_path):
    path = tmp_path / "factory"
    kind = variant_named(TNGTLS)
    first, second = Factory(path=path), Factory(path=path)
    for factory in (first, second, first):
        factory.make(kind)
    assert len(Factory(path=path).manifest) == 3


def test_a_file_counts_before_the_seed(tmp_path):
    path = tmp_path / "factory"
    root = Factory(path=path, seed=b"one").root_pem
    assert Factory(path=path, seed=b"two").root_pem == root == Factory(seed=b"one").root_pem


def test_the_file_is_for_its_owner_alone(tmp_path):
    Factory(path=tmp_path / "factory")
    assert (tmp_path / "factory").stat().st_mode & 0o077 == 0


def test_a_chip_with_a_state_file_keeps_its_factory_beside_it(tmp_path):
    state = tmp_path / "chip"
    with open_chip(TNGTLS, state=state, clock=ManualClock()) as chip:
        before = chip.eeprom
    with open_chip(TNGTLS, state=state, clock=ManualClock()) as chip:
        assert chip.eeprom == before
    factory = Factory(path=factory_beside(state))
    assert factory.delivered(chip.serial_number)
    with open_chip(TNGTLS, state=state, fresh=True, clock=ManualClock()) as another:
        assert another.serial_number != chip.serial_number
    assert len(Factory(path=factory_beside(state)).manifest) == 2


def test_a_blank_chip_has_no_factory(tmp_path):
    open_chip("atecc608b", state=tmp_path / "chip", clock=ManualClock()).close()
    assert not factory_beside(tmp_path / "chip").exists()
    with pytest.raises(ValueError, match="blank"):
        Factory().make(variant_named("atecc608b"))


def test_a_state_file_is_not_opened_as_another_variant(tmp_path):
    open_chip(TNGTLS, state=tmp_path / "chip", clock=ManualClock()).close()
    with pytest.raises(ChipStateError, match="atecc608b-tngtls, not an atecc608b"):
        open_chip("atecc608b", state=tmp_path / "chip")


def test_a_serial_number_has_the_variants_end():
    blank = bytes.fromhex("0123456789abcdefee")
    with pytest.raises(ValueError, match="end with 01"):
        open_chip(TNGTLS, serial_number=blank)
    with pytest.raises(ValueError, match="end with EE"):
        open_chip("atecc608b", serial_number=blank[:8] + b"\x01")
    with pytest.raises(ValueError, match=blank.hex()):
        Factory().make(variant_named(TNGTLS), serial_number=blank)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: len(text) // 2], "not JSON"),
        (lambda _: b'{"format": "hri-virtual-atecc"}', "not a virtual factory"),
        (lambda text: text.replace(b'"version": 1', b'"version": 2'), "version 2"),
        (lambda text: text.replace(b'"signer_id": ', b'"signer_id": 1'), "checksum"),
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path, damage, reason):
    path = tmp_path / "factory"
    Factory(path=path)
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    with pytest.raises(FactoryError, match=reason):
        Factory(path=path)
    assert path.read_bytes() == damaged


def test_a_key_that_is_none_is_refused(tmp_path):
    path = tmp_path / "factory"
    Factory(path=path)
    from hri.rig.atecc import factory_file

    fields = json.loads(path.read_bytes())
    del fields["sha256"]
    fields["keys"]["root"] = "00"
    path.write_text(json.dumps({**fields, "sha256": factory_file._checksum(fields)}))
    with pytest.raises(FactoryError, match="private key"):
        Factory(path=path)


def test_what_cannot_be_entered_is_not_delivered(tmp_path, monkeypatch):
    path, state = tmp_path / "factory", tmp_path / "chip"
    factory = Factory(path=path)
    before = path.read_bytes()

    def disk_full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(FactoryError, match="No space left"):
        open_chip(TNGTLS, state=state, factory=factory)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert factory.manifest == []
    assert not state.exists()
    assert list(tmp_path.glob("*.tmp")) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FactoryError, match="cannot be opened"):
        Factory(path=tmp_path / "file" / "factory")


def test_after_2031_the_format_ends(connect):
    with pytest.raises(ValueError, match="2031"):
        connect(TNGTLS, factory=Factory(now=lambda: datetime(2032, 1, 1, tzinfo=UTC)))


def test_a_clock_that_went_back_does_not_outdate_the_signer(connect):
    times = iter((datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)))
    factory = Factory(now=lambda: next(times))
    chip = connect(TNGTLS, factory=factory)
    assert chip.slot(10)[64:66] == chip.slot(12)[64:66]
