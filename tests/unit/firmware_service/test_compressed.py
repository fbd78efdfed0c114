"""hri_device.compressed: the board's own rebuilding, on the vectors that the host is held to."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from hri.rig.runtimes import find_runtime
from hri_device import compressed
from hri_device.sha1 import sha1
from hypothesis import given
from hypothesis import strategies as st

TESTS = Path(__file__).parents[2]
VECTORS = json.loads((TESTS / "vectors" / "compressed_certificates.json").read_text())
CASES, REFUSALS = VECTORS["cases"], VECTORS["refusals"]


def arguments(case):
    template = list(case["device_template"])
    template[3] = bytes.fromhex(template[3])
    eui48 = case["eui48"].encode() if case["eui48"] else None
    others = [bytes.fromhex(case[name]) for name in ("public_key", "authority_key", "element_serial")]
    return template, [*others, eui48]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_rebuilds_and_compresses_the_vectors(case):
    template, sources = arguments(case)
    data, certificate = bytes.fromhex(case["compressed"]), bytes.fromhex(case["certificate"])
    assert compressed.rebuild(template, data, *sources) == certificate
    assert compressed.compress(template, certificate, *sources, signer_id=data[67:69]) == data


@pytest.mark.parametrize("refusal", REFUSALS, ids=[one["name"] for one in REFUSALS])
def test_refuses(refusal):
    template, sources = arguments(CASES[refusal["case"]])
    with pytest.raises(ValueError, match=r"^\S"):
        compressed.rebuild(template, bytes.fromhex(refusal["compressed"]), *sources)


@given(st.binary(max_size=700))
def test_no_bytes_are_taken_for_a_certificate_to_the_template(data):
    template, sources = arguments(CASES[0])
    with pytest.raises(ValueError, match=r"^\S"):
        compressed.compress(template, data, *sources)


@given(st.integers(0, 8 * 600 - 1))
def test_a_flipped_bit_of_a_certificate_is_refused(bit):
    template, sources = arguments(CASES[0])
    certificate = bytearray.fromhex(CASES[0]["certificate"])
    certificate[bit // 8 % len(certificate)] ^= 1 << bit % 8
    data = bytes.fromhex(CASES[0]["compressed"])
    try:
        other = compressed.compress(template, bytes(certificate), *sources, signer_id=data[67:69])
    except ValueError:
        return
    # The signature and nothing else may differ: that it does not verify is for others to find.
    assert other[64:] == data[64:]
    assert other[:64] != data[:64]


def test_a_missing_source_is_named():
    case = next(one for one in CASES if one["template"] == "hri-element")
    template, sources = arguments(case)
    sources[2] = None
    with pytest.raises(ValueError, match="missing serial number"):
        compressed.rebuild(template, bytes.fromhex(case["compressed"]), *sources)


def test_a_public_key_slot_gives_its_key():
    key = bytes(range(64))
    assert compressed.public_key_of(b"\xa0" + bytes(3) + key[:32] + bytes(4) + key[32:]) == key
    for slot in (bytes(71), b"\xff" * 72, b"\x01" + bytes(71)):
        with pytest.raises(ValueError, match="no public key"):
            compressed.public_key_of(slot)


@given(st.binary(max_size=200))
def test_sha1_is_sha1(data):
    assert sha1(data) == hashlib.sha1(data, usedforsecurity=False).digest()


_SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from hri_device import compressed
with open(sys.argv[2]) as file:
    vectors = json.load(file)
def arguments(case):
    template = list(case["device_template"])
    template[3] = bytes.fromhex(template[3])
    eui48 = case["eui48"].encode() if case["eui48"] else None
    names = "public_key", "authority_key", "element_serial"
    return template, [bytes.fromhex(case[name]) for name in names] + [eui48]
for case in vectors["cases"]:
    template, sources = arguments(case)
    data, certificate = bytes.fromhex(case["compressed"]), bytes.fromhex(case["certificate"])
    if compressed.rebuild(template, data, *sources) != certificate:
        raise Exception("rebuild: " + case["name"])
    if compressed.compress(template, certificate, *sources, signer_id=data[67:69]) != data:
        raise Exception("compress: " + case["name"])
for refusal in vectors["refusals"]:
    template, sources = arguments(vectors["cases"][refusal["case"]])
    try:
        compressed.rebuild(template, bytes.fromhex(refusal["compressed"]), *sources)
    except ValueError:
        continue
    raise Exception("not refused: " + refusal["name"])
print("passed")
"""


def test_passes_on_micropython(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(_SCRIPT)
    done = subprocess.run(
        [
            find_runtime("unix"),
            script,
            TESTS.parent / "firmware",
            TESTS / "vectors" / "compressed_certificates.json",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["passed"], done.stdout + done.stderr
