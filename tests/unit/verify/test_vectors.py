"""The shared evidence vectors: appraised as they say, and still what the independent forging kit makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit.verify import forging
from unit.verify.appraising import birth, endorsement, state
from unit.verify.forging import Act, EvilChip, configuration, locked_chip, state_act

VECTORS = Path(__file__).parents[2] / "vectors" / "attestation_evidence.json"
FILE: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = FILE["cases"]


def made() -> dict[str, bytes]:
    """The same evidence, made anew by the forging kit (its signatures are deterministic, RFC 6979)."""
    open_zones = EvilChip(config=configuration(config_lock=0x55, value_lock=0x55))
    external = configuration()
    external[22] |= 0x01
    return {
        "honest birth": EvilChip().birth(),
        "honest birth in a rotatable slot": locked_chip().birth(Act(slot=3)),
        "written-in key": EvilChip().birth(Act(mode=0x08)),
        "written-in key, creation claimed": EvilChip().birth(Act(mode=0x08), mode=0x0C),
        "old challenge": EvilChip().birth(Act(challenge=bytes(32))),
        "another verifier": EvilChip().birth(Act(verifier="attacker.example")),
        "fixed nonce": EvilChip().birth(Act(fixed_nonce=bytes(32), flags=0x50)),
        "serial number in part": EvilChip().birth(Act(sign_mode=0x00)),
        "software keys": EvilChip(identity=forging.key(77), attestation=forging.key(78)).birth(),
        "attestation slot signs for anyone": EvilChip(config=external).birth(),
        "zones open": open_zones.birth(),
        "truncated": EvilChip().birth()[:-1],
        "honest state": locked_chip().state(),
        "another CSR": locked_chip().state(state_act(csr=bytes(32))),
        "identity slot open": EvilChip(config=configuration(locked=(1,))).state(),
        "last block left out": locked_chip().state(state_act(gendig_blocks=(0, 1, 2))),
    }


def test_vectors_are_what_the_forging_kit_makes() -> None:
    assert {case["name"]: case["evidence"] for case in CASES} == {
        name: evidence.hex() for name, evidence in made().items()
    }


def test_vectors_name_their_inputs() -> None:
    assert FILE["challenge"] == forging.CHALLENGE.hex()
    assert (FILE["verifier"], FILE["device_id"]) == (forging.VERIFIER, forging.DEVICE_ID)
    assert FILE["csr_sha256"] == forging.CSR.hex()
    assert FILE["endorsement"]["element_serial"] == endorsement().element_serial
    assert FILE["endorsement"]["attestation_key"] == endorsement().attestation_key.hex()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vector(case: dict[str, Any]) -> None:
    appraise = {"birth": birth, "state": state}[case["kind"]]
    appraisal = appraise(bytes.fromhex(case["evidence"]))
    assert [code.value for code in appraisal.codes] == case["reasons"]
