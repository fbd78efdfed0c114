"""Seventy-two bytes and a template give the certificate that somebody else encoded, and back."""

from dataclasses import replace

import pytest
from cryptography import x509
from hri.compressed import CompressedError, compress, load_template, rebuild
from unit.compressed.vectors import CASES, REFUSALS, named, sources


@pytest.mark.parametrize("case", CASES, ids=named(CASES))
def test_rebuilds_what_another_encoder_wrote(case):
    rebuilt = rebuild(load_template(case["template"]), bytes.fromhex(case["compressed"]), sources(case))
    assert rebuilt.hex() == case["certificate"]
    assert x509.load_der_x509_certificate(rebuilt).serial_number


@pytest.mark.parametrize("case", CASES, ids=named(CASES))
def test_compresses_to_the_same_bytes(case):
    compressed = bytes.fromhex(case["compressed"])
    given = compress(
        load_template(case["template"]),
        bytes.fromhex(case["certificate"]),
        sources(case),
        signer_id=compressed[67:69],
    )
    assert given == compressed


@pytest.mark.parametrize("case", CASES, ids=named(CASES))
def test_the_devices_form_of_a_template_is_this_one(case):
    version, ids, source, tbs, places = load_template(case["template"]).for_device(
        bytes.fromhex(case["issuer"])
    )
    assert [version, ids, source, tbs.hex(), places] == case["device_template"]


@pytest.mark.parametrize("refusal", REFUSALS, ids=named(REFUSALS))
def test_refuses(refusal):
    case = CASES[refusal["case"]]
    with pytest.raises(CompressedError) as refused:
        rebuild(load_template(case["template"]), bytes.fromhex(refusal["compressed"]), sources(case))
    assert refused.value.code == refusal["refused"]


def test_names_the_first_thing_that_is_not_to_the_template():
    case = CASES[0]
    other = replace(sources(case), authority_key=bytes.fromhex(case["public_key"]))
    with pytest.raises(CompressedError, match="what differs is the authority key id") as refused:
        compress(load_template(case["template"]), bytes.fromhex(case["certificate"]), other)
    assert refused.value.code == "not-to-template"


def test_refuses_the_certificate_of_another_key():
    case = CASES[0]
    other = replace(sources(case), public_key=bytes.fromhex(case["authority_key"]))
    with pytest.raises(CompressedError) as refused:
        compress(load_template(case["template"]), bytes.fromhex(case["certificate"]), other)
    assert refused.value.code == "key-mismatch"


@pytest.mark.parametrize(
    ("template", "missing", "code"),
    [
        ("hri-element", "element_serial", "source-missing"),
        ("tngtls-device", "eui48", "source-missing"),
        ("hri-device", "authority_key", "source-missing"),
    ],
)
def test_says_which_source_is_missing(template, missing, code):
    case = next(one for one in CASES if one["template"] == template)
    given = replace(sources(case), **{missing: None, "authority_key_id": None})
    if missing == "eui48":
        given = replace(given, authority_key=given.public_key)
    with pytest.raises(CompressedError) as refused:
        rebuild(load_template(template), bytes.fromhex(case["compressed"]), given)
    assert refused.value.code == code
