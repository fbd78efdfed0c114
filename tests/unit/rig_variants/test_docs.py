"""docs/virtual-variants.md says what is so: its table of chips, its names, its file of one's own."""

import re
from pathlib import Path

import pytest
from hri.rig.atecc.variants import variants

PAGE = (Path(__file__).parents[3] / "docs" / "virtual-variants.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(atecc\S+)` \| 0x(\w\w) \| (\w{8}) \| (\S+) \|", PAGE, re.MULTILINE)


def test_the_table_has_every_variant():
    assert [row[0] for row in ROWS] == list(variants())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_what_the_bus_gives(connect, row):
    name, address, revision, otp = row
    chip = connect(name, int(address, 16))
    assert chip.call(0x30).hex() == revision
    if "-" in name:
        assert chip.otp()[:8] == otp.strip("`").encode()


def test_the_names_on_the_page_are_those_in_the_certificates(factory):
    for certificate in (factory.root_certificate, factory.log_certificate):
        organisation, common_name = (name.value for name in certificate.subject)
        assert f"O={organisation}, CN={common_name}" in PAGE
    signer = factory.signer_certificate.subject.rfc4514_string()
    assert re.sub(r"[0-9A-F]{4},O", "XXXX,O", signer).split(",")[0] in PAGE


def test_the_variant_on_the_page_can_be_opened(connect, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1], encoding="utf-8")
    chip = connect("pump-controller", 0x35, definitions=own)
    assert chip.slot(8).startswith(b"Hello\0")
    assert chip.serial_number()[8] == 0x42
