"""hri_device.attestation builds the evidence of docs/protocol.md, "What is signed"."""

import hashlib

import cbor2
import pytest
from hri_device import attestation
from unit.firmware_service import fake_element
from unit.firmware_service.fake_element import FakeElement, verifies

CHALLENGE = bytes(range(32))
CSR_DIGEST = hashlib.sha256(b"a csr").digest()


@pytest.fixture
def element():
    element = FakeElement()
    element.generate_key(1)
    return element


def _opened(evidence, public_key):
    """Return the payload of a COSE_Sign1 whose signature was verified without hri_device's help."""
    message = cbor2.loads(evidence)
    assert message.tag == 18
    protected, unprotected, payload, signature = message.value
    assert (cbor2.loads(protected), unprotected) == ({1: -7}, {})
    tbs = cbor2.dumps(["Signature1", protected, b"", payload])
    assert verifies(public_key, hashlib.sha256(tbs).digest(), signature)
    return cbor2.loads(payload)


def _num_in(purpose, device_id, csr_digest):
    return hashlib.sha256(cbor2.dumps([purpose, CHALLENGE, "station", device_id, csr_digest])).digest()[:20]


def test_birth_binds_challenge_and_key(element):
    evidence = attestation.birth(element, 0, 1, CHALLENGE, "station", "")

    public = element.public_key(0)
    purpose, verifier, device_id, challenge, proof = _opened(evidence, public)
    assert (purpose, verifier, device_id, challenge) == ("hri/1 birth", "station", "", CHALLENGE)
    nonce = _num_in("hri/1 birth", "", hashlib.sha256(b"").digest())
    temp_key = fake_element.nonce_digest(proof["random"], nonce)
    digest = fake_element.genkey_digest(temp_key, 0x0C, 0, element.serial_number, public)
    assert verifies(element.public_key(1), digest, proof["signature"])
    assert proof == {
        "type": "atecc608",
        "serial_number": element.serial_number,
        "revision": bytes.fromhex("00006003"),
        "slot": 0,
        "attestation_slot": 1,
        "public_key": public,
        "attestation_key": element.public_key(1),
        "random": proof["random"],
        "signature": proof["signature"],
        "mode": 0x0C,
        "config": bytes(element.config),
    }


def test_state_binds_csr_and_configuration(element):
    public = element.generate_key(2)

    evidence = attestation.state(element, CSR_DIGEST, 2, 1, CHALLENGE, "station", "device-7")

    purpose, verifier, device_id, challenge, proof = _opened(evidence, public)
    assert (purpose, verifier, device_id, challenge) == ("hri/1 state", "station", "device-7", CHALLENGE)
    nonce = _num_in("hri/1 state", "device-7", CSR_DIGEST)
    temp_key = fake_element.gendig_config(
        fake_element.nonce_digest(proof["random"], nonce), bytes(element.config)
    )
    digest = fake_element.genkey_digest(temp_key, 0x08, 2, element.serial_number, public)
    assert verifies(proof["attestation_key"], digest, proof["signature"])
    assert (proof["mode"], proof["csr"], proof["slot"]) == (0x08, CSR_DIGEST, 2)
    assert proof["config"] == bytes(element.config)


def test_state_reads_the_configuration_only_once(element):
    element.generate_key(0)
    element.calls.clear()
    attestation.state(element, CSR_DIGEST, 0, 1, CHALLENGE, "station", "d")
    assert element.calls == ["state", "sign"]


def test_num_in_differs_where_concatenation_would_not():
    one = attestation.num_in("p", CHALLENGE, "ab", "c", CSR_DIGEST)
    other = attestation.num_in("p", CHALLENGE, "a", "bc", CSR_DIGEST)
    assert len(one) == 20
    assert one != other
