"""Templates: shipped ones load, wrong ones are refused with the place of the fault."""

import re

import pytest
from hri.compressed import FieldKind, load_template, pad_public_key, shipped_templates, unpad_public_key
from hri.compressed.errors import CompressedError
from hri.compressed.template import parse_template
from hri.errors import ConfigurationError

GOOD = """
name: test
version: 1
source: A
issuable: true
template_id: 4
chain_id: 15
serial_number: {source: key-hash}
issuer: [{O: Test}, {CN: Test issuing}]
subject: [{CN: "{element_serial}"}]
not_before: utc
not_after: generalized
validity_years: 0
extensions:
  - basic_constraints: {ca: false}
"""


@pytest.mark.parametrize("name", shipped_templates())
def test_a_shipped_template_has_its_fields_in_order_and_apart(name):
    layout = load_template(name).layout(issuer=b"")
    ends = [0]
    for field in layout.fields:
        assert field.offset >= ends[-1]
        assert layout.tbs[field.offset : field.end] == bytes(field.length)
        ends.append(field.end)
    assert {FieldKind.SERIAL_NUMBER, FieldKind.PUBLIC_KEY} <= layout.kinds


def test_only_our_own_templates_may_be_issued_to():
    issuable = {name for name in shipped_templates() if load_template(name).issuable}
    assert issuable == {"hri-device", "hri-element", "hri-signer"}
    assert all(load_template(name).chain_id == 15 for name in issuable)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("chain_id: 15", "chain_id: 16", "chain_id"),
        ("source: key-hash", "source: guess", "not a serial-number source"),
        ("source: key-hash", "source: signer-id", "has 3 octets"),
        ("{element_serial}", "{device}", "{device} is unknown"),
        ("{CN: Test issuing}", "{XX: Test issuing}", "'XX' is unknown"),
        ("{O: Test}", "{C: Test}", "C has 1 to 2 characters"),
        ("not_after: generalized", "not_after: roman", "not_after"),
        ("basic_constraints: {ca: false}", "name_constraints: {ca: false}", "unknown"),
        ("basic_constraints: {ca: false}", "key_usage: [sign]", "not a list of"),
        ("basic_constraints: {ca: false}", "basic_constraints: {ca: 3}", "ca"),
        ("version: 1", "version: 1\nextra: 2", "extra"),
        ("name: test", "name: [", "while parsing"),
        ("extensions:", "extensions:\n  - subject_key_identifier\n  - subject_key_identifier", "named twice"),
    ],
)
def test_a_wrong_template_is_refused_with_the_place(old, new, says):
    assert old in GOOD
    with pytest.raises(ConfigurationError, match=re.escape(says)) as refused:
        parse_template(GOOD.replace(old, new).encode(), "x.yaml")
    assert refused.value.code == "bad-template"


def test_a_template_of_the_operators_own_is_read_by_its_path(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(GOOD)
    assert load_template(path).name == "test"
    assert load_template(str(path)).device_id_from is FieldKind.ELEMENT_SERIAL_LOWER


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(ConfigurationError, match="no certificate template 'nope'") as refused:
        load_template("nope")
    assert "hri-device" in refused.value.hint


def test_a_template_without_an_issuer_asks_for_one():
    with pytest.raises(ConfigurationError, match="takes its issuer from"):
        load_template("hri-device").layout()


def test_a_public_key_slot_is_padded_as_the_chip_has_it():
    key = bytes(range(64))
    slot = pad_public_key(key)
    assert slot == bytes(4) + key[:32] + bytes(4) + key[32:]
    assert unpad_public_key(slot) == key
    assert unpad_public_key(b"\xa0" + slot[1:]) == key


@pytest.mark.parametrize("slot", [bytes(71), b"\x01" * 72, b"\xff" * 72, bytes(36) + b"\x01" + bytes(35)])
def test_a_slot_without_a_padded_key_is_refused(slot):
    with pytest.raises(CompressedError) as refused:
        unpad_public_key(slot)
    assert refused.value.code == "no-public-key"
