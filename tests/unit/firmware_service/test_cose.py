"""hri_device.cose writes and reads ES256 COSE_Sign1 (RFC 9052)."""

import json
from pathlib import Path

import pytest
from hri_device import cose

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "cose_sign1.json").read_text())
CASES = pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])


@CASES
def test_digest_is_that_of_the_sig_structure(case):
    assert cose.digest(bytes.fromhex(case["payload"])).hex() == case["digest"]


@CASES
@pytest.mark.parametrize("detached", [False, True])
def test_signs(case, detached):
    asked = []

    class Element:
        def sign(self, slot, digest):
            asked.append((slot, digest.hex()))
            return bytes.fromhex(case["signature"])

    message = cose.sign1(Element(), 7, bytes.fromhex(case["payload"]), detached)

    assert message.hex() == case["detached" if detached else "sign1"]
    assert asked == [(7, case["digest"])]


@CASES
def test_opens_to_payload_digest_and_signature(case):
    payload, digest, signature = cose.open_sign1(bytes.fromhex(case["sign1"]))
    assert (payload.hex(), digest.hex(), signature.hex()) == (
        case["payload"],
        case["digest"],
        case["signature"],
    )


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_refuses(case):
    with pytest.raises(ValueError, match="cose"):
        cose.open_sign1(bytes.fromhex(case["sign1"]))
