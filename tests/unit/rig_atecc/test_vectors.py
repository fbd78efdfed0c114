"""The virtual chip against the byte vectors that drivers and verifiers read too."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from hri.rig.atecc import Snapshot
from hri.rig.atecc.packet import crc16, group

VECTORS = Path(__file__).parents[2] / "vectors"
PACKETS = json.loads((VECTORS / "atecc_packets.json").read_text())
MESSAGES = json.loads((VECTORS / "atecc_messages.json").read_text())


@pytest.mark.parametrize("vector", PACKETS["crc16"], ids=lambda vector: vector["data"][:16] or "empty")
def test_crc(vector):
    assert crc16(bytes.fromhex(vector["data"])) == vector["crc"]


@pytest.mark.parametrize("vector", PACKETS["replies"], ids=lambda vector: vector["name"])
def test_reply(vector):
    assert group(bytes((vector["status"],))).hex() == vector["group"]


@pytest.mark.parametrize("vector", PACKETS["commands"], ids=lambda vector: vector["name"])
def test_every_command_packet_is_understood(wire, vector):
    packet = bytes.fromhex(vector["group"])
    assert wire.bus.write(0x60, b"\x03" + packet) == 0
    assert wire.receive() not in (b"\xff", b"\x03")
    assert dict(wire.chip.commands) == {vector["opcode"]: 1}


def test_every_vector_names_its_source():
    for packet in PACKETS["crc16"] + PACKETS["replies"] + PACKETS["commands"]:
        assert packet["source"]
    for part in ("nonce", "birth", "state"):
        assert MESSAGES[part]["source"]


def attest(make_wire, part, *, create):
    """Play the vector's inputs to a chip; return the signature over what it built."""
    scalar = MESSAGES["identity_scalar"].to_bytes(32, "big")
    draws = iter([bytes.fromhex(MESSAGES["random_out"]), scalar])
    wire = make_wire(random=lambda _size: next(draws))
    config = bytearray.fromhex(MESSAGES[part]["config"])
    blank = wire.chip.eeprom
    wire.chip.unsafe_load(Snapshot(bytes(config), blank.otp, blank.slots))
    wire.chip.unsafe_set_private_key(1, MESSAGES["attestation_scalar"])
    if not create:
        wire.chip.unsafe_set_private_key(0, MESSAGES["identity_scalar"])
    wire.wake()
    wire.call(0x16, 0, 0, bytes.fromhex(MESSAGES["num_in"]))
    if not create:
        for block in range(4):
            assert wire.call(0x15, 0, block) == b"\0"
    public_key = wire.call(0x40, MESSAGES[part]["genkey_mode"], 0)
    assert public_key.hex() == MESSAGES["identity_public_key"]
    return wire.call(0x41, 0x40, 1)


@pytest.mark.parametrize(("part", "create"), [("birth", True), ("state", False)])
def test_attestation_signs_the_published_message(make_wire, part, create):
    signature = attest(make_wire, part, create=create)
    key = ec.derive_private_key(MESSAGES["attestation_scalar"], ec.SECP256R1()).public_key()
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    digest = bytes.fromhex(MESSAGES[part]["digest"])
    key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))
