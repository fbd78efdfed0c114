"""A new variant is data: a chip from a TOML file of one's own, and what such a file may not say."""

import base64
import json

import pytest
from cryptography import x509
from hri.rig.atecc import open_chip
from hri.rig.atecc.variants import variants, variants_with

OWN = """
[template.pump]
id = 5
years = 10
key_slot = 2
common_name = "pump {serial}"

[variant.pump-controller]
like = "atecc608b-tngtls"
part_number = "PUMP-1"
serial_end = "42"
otp = "50554D50"
device_template = "pump"
config = \"\"\"
00000000 00000000 00000000 00615500
48000000 85008200 85208520 85200F8F
8F0F8F8F 0F0F8F0F 0F8F0F8F 0F8F8F8F
8F8F8F8F FFFFFFFF 00000000 FFFFFFFF
00000000 000000F7 00697600 00000000
00000000 00000000 FFFF0E60 00000000
53005300 73007300 73001C00 7C001C00
3C001A00 1C001000 1C001C00 1C001C00
\"\"\"

[variant.pump-controller.slots]
2 = "private-key"
8 = "48 65 6C 6C 6F"
10 = "device-certificate"
11 = "signer-public-key"
12 = "signer-certificate"
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_chip_of_ones_own_is_a_table_in_a_file(written, connect, factory):
    chip = connect("pump-controller", 0x24, definitions=written(OWN))
    assert chip.serial_number()[8] == 0x42
    assert chip.otp() == b"PUMP" + bytes(60)
    assert chip.slot(8) == b"Hello".ljust(416, b"\0")
    assert chip.call(0x30) == bytes.fromhex("00006003")
    assert chip.slot(10)[69] == 0x50
    payload = factory.manifest[0]["payload"]
    element = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert element["partNumber"] == "PUMP-1"
    (key,) = element["publicKeySet"]["keys"]
    assert key["kid"] == "2"
    device = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))
    device.verify_directly_issued_by(factory.signer_certificate)
    assert f"CN=pump {chip.serial_number().hex().upper()}" in device.subject.rfc4514_string()
    assert device.not_valid_after_utc.year == 2036


def test_a_blank_chip_of_ones_own_needs_three_lines(written, connect):
    path = written('[variant.old]\nlike = "atecc608a"\nrevision = "00006001"\n')
    assert connect("old", 0x60, definitions=path).call(0x30) == bytes.fromhex("00006001")


def test_the_built_in_ones_stay(written):
    assert variants_with(written(OWN)).keys() == variants().keys() | {"pump-controller"}
    assert list(variants()) == [
        "atecc608a",
        "atecc608b",
        "atecc608b-tngtls",
        "atecc608a-tngtls",
        "atecc608b-tflxtls",
        "atecc608a-tflxtls",
    ]


def test_an_unknown_name_lists_the_known_ones(written):
    with pytest.raises(ValueError, match="pump-controller"):
        open_chip("valve", definitions=written(OWN))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("variant = 3", r"write \[variant.NAME\]"),
        ("[chips.x]", "'chips'"),
        ('[variant.atecc608b]\nlike = "atecc608a"', "built in"),
        ('[variant.x]\nlike = "y"', "like 'y', which there is not"),
        ('[variant.x]\nlike = "x"', "like itself"),
        ('[variant.x]\nlike = "y"\n[variant.y]\nlike = "x"', "like itself"),
        ('[variant.x]\nlike = "atecc608b"\naddress = 3', "'address'"),
        ('[variant.x]\nlike = "atecc608b"\nrevision = "0060"', "4, 128 and 64"),
        ('[variant.x]\nlike = "atecc608b"\nrevision = "zz"', "revision is not hexadecimal"),
        ('[variant.x]\nlike = "atecc608b"\nrevision = 6003', "text as revision"),
        ('[variant.x]\nlike = "atecc608b"\nserial_end = "EEEE"', "serial_end is 1 byte"),
        ('[variant.x]\nmodel = "x"', "text as revision"),
        ('[variant.x]\nlike = "atecc608b"\nslots = 3', r"variant.x.slots"),
        ('[variant.x]\nlike = "atecc608b"\npart_number = "X"\nslots = {0 = "private-key"}', "leaves it open"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {x = "private-key"}', "numbered 0 to 15"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {16 = "eui-48"}', "no slot 16"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {0 = "secret"}', "neither hexadecimal"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {0 = 7}', "neither hexadecimal"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {8 = "private-key"}', "slot 8: a private key"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {0 = "00"}', "slot 0: a private key"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {6 = "signer-certificate"}', "slot 6 has 36 bytes"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {0 = "private-key"}', "go together"),
        ('[variant.x]\nlike = "atecc608b-tngtls"\nslots = {10 = "device-certificate"}', "certifies slot 0"),
        (
            '[variant.x]\nlike = "atecc608b-tngtls"\nslots = {0 = "private-key", 10 = "device-certificate"}',
            "EUI-48",
        ),
        ('[variant.x]\nlike = "atecc608b-tngtls"\ndevice_template = "y"', "no template 'y'"),
        (
            '[variant.x]\nlike = "atecc608b-tngtls"\ndevice_template = "y"\n[template.y]\nid = 1\nyears = 1',
            "number as key_slot",
        ),
        (
            '[variant.x]\nlike = "atecc608b-tngtls"\ndevice_template = "y"\n'
            '[template.y]\nid = 16\nyears = 1\nkey_slot = 0\ncommon_name = "a"',
            "id of 0 to 15",
        ),
        (
            '[variant.x]\nlike = "atecc608b-tngtls"\ndevice_template = "y"\n'
            '[template.y]\nid = 1\nyears = 1\nkey_slot = 0\ncommon_name = "{serial.__class__}"',
            "common name",
        ),
        (
            '[variant.x]\nlike = "atecc608b-tngtls"\ndevice_template = "y"\n'
            '[template.y]\nid = 1\nyears = 1\nkey_slot = 0\ncommon_name = "a"\nalternative_name = "{mac}"',
            "alternative name",
        ),
        ("[variant", "own.toml"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_name(written, text, reason):
    path = written(text)
    with pytest.raises(ValueError, match=reason) as refused:
        variants_with(path)
    assert str(refused.value).startswith(str(path))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        variants_with(tmp_path / "none.toml")
