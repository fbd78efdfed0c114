"""The chip that `hri rig` opens, and the papers that it writes."""

import json

import pytest
from cryptography import x509
from hri.cli.rig_chip import ChipOrder
from hri.errors import ConfigurationError
from hri.rig.atecc import Factory, factory_beside, open_chip

TNGTLS = "atecc608b-tngtls"


@pytest.fixture
def order(tmp_path):
    """Opens the chip of a :class:`ChipOrder` once, with the papers in ``tmp_path``."""

    def take(name=TNGTLS, *, state=None, fresh=False, papers=True, **options):
        if papers:
            names = {"manifest": "m.json", "roots": "root.pem", "log_certificate": "log.pem"}
            options = {option: tmp_path / file for option, file in names.items()} | options
        with ChipOrder(name, **options).open(state=state, clock=None, timing="none", fresh=fresh) as chip:
            return chip

    return take


def delivered(tmp_path):
    return [entry["header"]["uniqueId"] for entry in json.loads((tmp_path / "m.json").read_text())]


def test_the_papers_are_those_of_the_chip_on_the_bus(order, tmp_path):
    chip = order()
    assert delivered(tmp_path) == [chip.serial_number.hex()]
    root = x509.load_pem_x509_certificate((tmp_path / "root.pem").read_bytes())
    log = x509.load_pem_x509_certificate((tmp_path / "log.pem").read_bytes())
    log.verify_directly_issued_by(root)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.pem", "m.json", "root.pem"]


def test_a_kept_chip_gets_the_same_papers_again(order, tmp_path):
    state = tmp_path / "chip"
    order(state=state, papers=False)
    order(state=state)
    first = [(tmp_path / file).read_bytes() for file in ("m.json", "root.pem", "log.pem")]
    order(state=state)
    assert [(tmp_path / file).read_bytes() for file in ("m.json", "root.pem", "log.pem")] == first


def test_chips_of_a_shared_factory_have_one_manifest(order, tmp_path):
    shared = tmp_path / "factory"
    chips = [order(name, state=tmp_path / name, factory=shared) for name in (TNGTLS, "atecc608a-tflxtls")]
    assert delivered(tmp_path) == [chip.serial_number.hex() for chip in chips]
    assert not factory_beside(tmp_path / TNGTLS).exists()


def test_a_seed_gives_the_same_papers(order, tmp_path):
    order(seed="bench 7")
    first = (tmp_path / "m.json").read_bytes()
    order(seed="bench 7")
    assert (tmp_path / "m.json").read_bytes() == first


def test_a_chip_from_a_file(order, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('[variant.mine]\nlike = "atecc608b-tngtls"\nserial_end = "77"\n')
    chip = order("mine", variants=own)
    assert chip.serial_number[8] == 0x77
    assert delivered(tmp_path) == [chip.serial_number.hex()]


def test_a_blank_chip_is_opened_as_ever(order, tmp_path):
    assert order("atecc608a", papers=False).variant.name == "atecc608a"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["factory", "manifest", "roots", "log_certificate"])
def test_a_blank_chip_has_no_papers(order, tmp_path, option):
    with pytest.raises(ConfigurationError, match="manifest"):
        order("atecc608b", state=tmp_path / "chip", papers=False, **{option: tmp_path / "paper"})
    assert list(tmp_path.iterdir()) == []


def test_papers_of_another_factory_are_not_written(order, tmp_path):
    state = tmp_path / "chip"
    open_chip(TNGTLS, state=state, factory=Factory()).close()
    with pytest.raises(ConfigurationError, match="not in this factory's manifest") as refused:
        order(state=state)
    assert "--fresh" in refused.value.hint
    with pytest.raises(ConfigurationError, match="not in this factory's manifest"):
        order(state=state, factory=tmp_path / "other")
    assert not (tmp_path / "m.json").exists()
    open_chip(TNGTLS, state=state).close()


def test_a_paper_that_cannot_be_written_leaves_nothing_and_frees_the_chip(order, tmp_path):
    state = tmp_path / "chip"
    with pytest.raises(OSError, match="No such file"):
        order(state=state, manifest=tmp_path / "nowhere" / "m.json")
    open_chip(TNGTLS, state=state).close()


def test_an_unknown_chip_is_named_before_anything_is_made(order, tmp_path):
    with pytest.raises(ValueError, match="atecc608b-tngtls"):
        order("atecc999", state=tmp_path / "chip")
    assert list(tmp_path.iterdir()) == []
