"""An independent client, adafruit-circuitpython-atecc 1.3.2 as published, on a virtual chip over TCP.

Usable and used here: version, serial_number, locked, info, write_config, lock_all_zones, _random, gen_key,
nonce, ecdsa_sign. Not used, because the client itself is at fault: CFG_TLS (219 bytes with stray 0x20s),
counter (always counter 0), random (never reaches its range), sha_digest with bytes (raises), the CSR helper
(malformed about once in 128): `test_adafruit_faults.py` shows each beside our answer to it.

The client's sleeps are turned into time on the chip's clock, so its fixed delays meet the chip's typical
execution times and nothing depends on the load of this machine.
"""

import hashlib
from types import SimpleNamespace

import adafruit_atecc.adafruit_atecc as client
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock, MonotonicClock
from hri.rig.bus_client import RemoteBus
from hri.rig.bus_server import BusServer

ADDRESS = 0x60


class BlinkaBus:
    """What adafruit_bus_device asks of an I2C bus, over TCP: OSError where the bus does not acknowledge."""

    def __init__(self, remote):
        self._remote = remote

    def try_lock(self):
        return True

    def unlock(self):
        pass

    def writeto(self, address, buffer, *, start=0, end=None):
        if self._remote.write(address, bytes(buffer[start:end])) != 0:
            raise OSError(19, "no acknowledge")

    def readfrom_into(self, address, buffer, *, start=0, end=None):
        end = len(buffer) if end is None else end
        status, data = self._remote.read(address, end - start)
        if status != 0:
            raise OSError(19, "no acknowledge")
        buffer[start:end] = data


@pytest.fixture
def chip(monkeypatch):
    clock = ManualClock()

    def sleep(seconds):
        clock.advance_us(round(seconds * 1_000_000))

    monkeypatch.setattr(client, "time", SimpleNamespace(sleep=sleep))
    with open_chip("atecc608a", clock=clock, timing="typical") as made:
        made.clock = clock
        yield made


@pytest.fixture
def atecc(chip):
    with BusServer(Bus([chip], clock=chip.clock)) as server, RemoteBus(*server.address) as remote:
        yield client.ATECC(BlinkaBus(remote), address=ADDRESS)


def sane_config(chip):
    """The chip's own default, slots 0 to 4 made P-256 keys that sign from outside; slot 0 lockable."""
    config = bytearray(chip.eeprom.config)
    for slot in range(5):
        config[20 + 2 * slot : 22 + 2 * slot] = b"\x81\x20"
        config[96 + 2 * slot : 98 + 2 * slot] = b"\x13\x00"
    config[96] = 0x33
    return config


@pytest.fixture
def provisioned(chip, atecc):
    atecc.write_config(sane_config(chip))
    atecc.lock_all_zones()
    return atecc


def test_version_is_that_of_a_608(atecc):
    assert atecc.version() == 0x6002


def test_the_serial_number_is_the_chips(chip, atecc):
    assert atecc.serial_number == chip.serial_number.hex().upper()


def test_the_lock_state_follows_the_locks(chip, atecc):
    assert atecc.locked is False
    atecc.write_config(sane_config(chip))
    atecc.lock_all_zones()
    assert atecc.locked is True
    assert chip.eeprom.config[16:84] == bytes(sane_config(chip)[16:84])
    assert chip.eeprom.config[88:] == bytes(sane_config(chip)[88:])


def test_a_second_lock_fails(provisioned):
    with pytest.raises(AssertionError, match="Failed locking"):
        provisioned.lock(0)


def test_random_numbers_are_random_once_the_configuration_is_locked(atecc, chip):
    assert bytes(atecc._random(bytearray(16))) == bytes.fromhex("FFFF0000") * 4
    atecc.write_config(sane_config(chip))
    atecc.lock_all_zones()
    assert bytes(atecc._random(bytearray(16))) != bytes(atecc._random(bytearray(16)))


def test_a_key_is_generated_and_signs(provisioned):
    public_key = bytes(provisioned.gen_key(bytearray(64), 0, private_key=True))
    assert bytes(provisioned.gen_key(bytearray(64), 0)) == public_key
    digest = hashlib.sha256(b"signed by an independent client").digest()
    signature = bytes(provisioned.ecdsa_sign(0, bytearray(digest)))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_a_refusal_looks_like_a_crc_error_to_this_client(provisioned):
    """It sizes its buffer for success, so a four-byte refusal is read as a damaged answer."""
    with pytest.raises(RuntimeError, match="CRC Mismatch"):
        provisioned.gen_key(bytearray(64), 1)


def test_the_clients_own_delays_are_long_enough_on_the_machines_clock():
    with (
        open_chip("atecc608b", clock=MonotonicClock(), timing="typical") as chip,
        BusServer(Bus([chip])) as server,
        RemoteBus(*server.address) as remote,
    ):
        assert client.ATECC(BlinkaBus(remote)).version() == 0x6003
