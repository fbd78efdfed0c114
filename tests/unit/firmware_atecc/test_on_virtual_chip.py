"""The driver against the rig's virtual chips, each written from the documents without sight of the other."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus
from hri.rig.bus_server import BusServer
from hri_device.atecc.packet import crc16
from hri_device.atecc.standalone import StandaloneATECC608
from hri_device.errors import BusError, CommandError, LockedError
from hri_device.ports.cpython import SocketBus

_DIGEST = hashlib.sha256(b"challenge").digest()
_PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()))
# docs/profile.md: SlotConfig and KeyConfig of each slot.
_PROFILE = """
    2081:0033 2082:0073 2081:0013 2081:0013 2081:0013 0005:003C 0096:003C 8787:001C
    0008:001C 0099:0038 000A:001C 000B:0010 000C:001C 800D:0010 800E:0010 000F:0030
"""
_PRIVATE = range(5)


def profile_over(config):
    config = bytearray(config)
    for slot, pair in enumerate(_PROFILE.split()):
        slot_config, key_config = (bytes.fromhex(part)[::-1] for part in pair.split(":"))
        config[20 + 2 * slot : 22 + 2 * slot] = slot_config
        config[96 + 2 * slot : 98 + 2 * slot] = key_config
    config[68:72] = bytes.fromhex("000003f7")
    config[88:92] = bytes.fromhex("ffff0660")
    return bytes(config)


def raw(signature):
    return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))


def verify(public_key, digest, signature):
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(public_key[:32], "big"), int.from_bytes(public_key[32:], "big"), ec.SECP256R1()
    )
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    numbers.public_key().verify(encode_dss_signature(r, s), digest, _PREHASHED)


@pytest.fixture(params=["atecc608a", "atecc608b"])
def bus(request):
    server = BusServer(Bus([open_chip(request.param)]))
    server.start()
    bus = SocketBus(*server.address)
    yield bus
    bus.close()
    server.stop()


@pytest.fixture
def element(bus):
    return StandaloneATECC608(bus)


@pytest.fixture
def configured(element):
    """An element whose config zone is that of the profile, and locked."""
    config = profile_over(element.read_config())
    element.write_config(config)
    element.lock_config(crc16(config))
    return element


@pytest.fixture
def operator():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def personalised(configured, operator):
    """An element with both zones locked and the operator's public key in slot 14."""
    numbers = operator.public_key().public_numbers()
    halves = [bytes(4) + number.to_bytes(32, "big") for number in (numbers.x, numbers.y)]
    written = b""
    for slot in range(max(_PRIVATE) + 1, 16):
        size = 36 if slot < 8 else 416 if slot == 8 else 72
        content = b"".join(halves) if slot == 14 else hashlib.shake_256(bytes((slot,))).digest(size)
        configured.write_slot(slot, content)
        written += content
    configured.lock_data(crc16(written + b"\xff" * 64))
    return configured


def test_a_blank_chip_says_who_it_is(element):
    serial = element.serial()
    assert (serial[:2], serial[8]) == (b"\x01\x23", 0xEE)
    assert element.type.startswith("atecc608")
    assert element.revision() == element.read_config()[4:8]
    assert element.random(6) == bytes.fromhex("ffff0000ffff")
    assert not element.is_config_locked()
    assert not element.is_data_locked()


def test_the_profile_is_written_and_locked_once(configured):
    assert configured.is_config_locked()
    with pytest.raises(LockedError):
        configured.write_config(bytes(128))
    assert configured.random() != configured.random()


def test_the_data_zone_locks_over_what_was_written_and_nothing_else(configured):
    with pytest.raises(CommandError) as refused:
        configured.lock_data(0x1234)
    assert refused.value.opcode == 0x17
    assert not configured.is_data_locked()


def test_clear_slots_read_back_as_written(personalised):
    certificate = hashlib.shake_256(b"\x08").digest(416)
    assert personalised.read_slot(8, 416) == certificate
    assert personalised.read_slot(8, 61, 30) == certificate[30:91]
    assert personalised.read_slot(5, 36) == hashlib.shake_256(b"\x05").digest(36)
    personalised.write_slot(8, b"part", 412)
    assert personalised.read_slot(8, 8, 408) == certificate[408:412] + b"part"
    with pytest.raises(CommandError):
        personalised.read_slot(6, 36)


def test_a_key_is_born_attested_used_and_made_permanent(personalised):
    attestation_key = personalised.generate_key(1)
    personalised.lock_slot(1)
    _, public_key, _, by = personalised.birth(0, bytes(20), 1)
    assert by == attestation_key
    personalised.lock_slot(0)
    assert personalised.is_slot_locked(0)
    state = personalised.state(0, bytes(range(20)), 1)
    assert (state[1], state[3], state[4]) == (public_key, attestation_key, personalised.read_config())
    verify(public_key, _DIGEST, personalised.sign(0, _DIGEST))
    for change in (
        lambda: personalised.generate_key(0),
        lambda: personalised.birth(0, bytes(20), 1),
        lambda: personalised.lock_slot(0),
    ):
        with pytest.raises(LockedError, match="slot 0"):
            change()
    assert personalised.public_key(0) == public_key


def test_the_attestation_slot_signs_nothing_from_outside(personalised):
    personalised.generate_key(1)
    with pytest.raises(CommandError) as refused:
        personalised.sign(1, _DIGEST)
    assert refused.value.opcode == 0x41


def test_signatures_are_told_from_forgeries(personalised, operator):
    signature = raw(operator.sign(_DIGEST, _PREHASHED))
    assert personalised.verify(14, _DIGEST, signature)
    assert not personalised.verify(14, bytes(32), signature)
    public_key = personalised.generate_key(2)
    assert personalised.verify_external(public_key, _DIGEST, personalised.sign(2, _DIGEST))
    assert not personalised.verify_external(public_key, _DIGEST, signature)
    with pytest.raises(CommandError):
        personalised.verify_external(b"\x01" * 64, _DIGEST, signature)


def test_at_another_address_there_is_no_chip(bus):
    with pytest.raises(BusError, match="address 35"):
        StandaloneATECC608(bus, 0x35).serial()
