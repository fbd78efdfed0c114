"""A program's own adafruit_atecc.ATECC, handed over: both drivers on one bus and one chip, by turns.

The client is adafruit-circuitpython-atecc 1.3.2 as published, on the machine's own clock, so that its delays
and our polling meet a chip that takes its typical times.
"""

import hashlib
from contextlib import ExitStack
from types import SimpleNamespace

import adafruit_atecc.adafruit_atecc as client
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from hri.rig.atecc import open_chip
from hri.rig.bus import ACK, Bus, MonotonicClock
from hri.rig.bus_client import RemoteBus
from hri.rig.bus_server import BusServer
from hri_device.atecc.element import ATECC608
from hri_device.errors import BusError, CommandError
from hri_device.ports import circuitpython
from hri_device.ports.adafruit import bus_of

DIGEST = hashlib.sha256(b"signed by turns").digest()


class LockingBus:
    """A busio.I2C over TCP whose lock is a lock: who transfers without it fails the test."""

    def __init__(self, remote):
        self._remote = remote
        self._locked = False
        self.locks = 0
        self.transfers = []

    @property
    def is_free(self):
        return not self._locked

    def try_lock(self):
        if self._locked:
            return False
        self._locked = True
        self.locks += 1
        return True

    def unlock(self):
        assert self._locked, "unlocked twice"
        self._locked = False

    def writeto(self, address, buffer, *, start=0, end=None):
        self._transfer("write", address)
        if self._remote.write(address, bytes(buffer[start:end])) != ACK:
            raise OSError(19, "no acknowledge")

    def readfrom_into(self, address, buffer, *, start=0, end=None):
        self._transfer("read", address)
        end = len(buffer) if end is None else end
        outcome, data = self._remote.read(address, end - start)
        if outcome != ACK:
            raise OSError(19, "no acknowledge")
        buffer[start:end] = data

    def _transfer(self, kind, address):
        assert self._locked, "a transfer on a bus that is not locked"
        self.transfers.append((kind, address))


class BuiltInI2CDevice:
    """An I2CDevice as CircuitPython has it built in: it sends and reads, and shows no bus and no address."""

    __slots__ = ("__address", "__i2c")

    def __init__(self, i2c, device_address, probe=True):
        assert not probe
        self.__i2c = i2c
        self.__address = device_address

    def __enter__(self):
        while not self.__i2c.try_lock():
            pass
        return self

    def __exit__(self, *_exc_info):
        self.__i2c.unlock()

    def write(self, buffer, **span):
        self.__i2c.writeto(self.__address, buffer, **span)

    def readinto(self, buffer, **span):
        self.__i2c.readfrom_into(self.__address, buffer, **span)


@pytest.fixture
def served():
    """Serve a bus with a chip of each variant named; returns its LockingBus."""
    with ExitStack() as opened:

        def serve(*variants):
            chips = [
                opened.enter_context(open_chip(variant, clock=MonotonicClock(), timing="typical"))
                for variant in variants
            ]
            server = opened.enter_context(BusServer(Bus(chips)))
            return LockingBus(opened.enter_context(RemoteBus(*server.address)))

        yield serve


@pytest.fixture
def i2c(served):
    return served("atecc608b")


@pytest.fixture(params=["in Python", "built in"])
def atecc(i2c, request, monkeypatch):
    if request.param == "built in":
        monkeypatch.setattr(client, "I2CDevice", BuiltInI2CDevice)
    return client.ATECC(i2c)


def sane_config(element):
    """The chip's own configuration, its slots 0 to 4 made P-256 keys that sign from outside."""
    config = bytearray(element.read_config())
    for slot in range(5):
        config[20 + 2 * slot : 22 + 2 * slot] = b"\x81\x20"
        config[96 + 2 * slot : 98 + 2 * slot] = b"\x13\x00"
    return bytes(config)


def provision(atecc, element):
    element.write_config(sane_config(element))
    atecc.lock_all_zones()


def verify(public_key, signature):
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + bytes(public_key))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), DIGEST, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_both_read_the_same_chip_by_turns(atecc, i2c):
    element = ATECC608(bus_of(atecc))
    for _ in range(3):
        config = element.read_config()
        assert atecc.serial_number == (config[:4] + config[8:13]).hex().upper()
        assert atecc.version() == 0x6003
        assert element.revision() == config[4:8]
    assert i2c.is_free


def test_a_key_that_the_client_made_signs_for_us_and_the_other_way_round(atecc):
    element = ATECC608(bus_of(atecc))
    provision(atecc, element)
    theirs = bytes(atecc.gen_key(bytearray(64), 0, private_key=True))
    ours = element.generate_key(2)
    assert (element.public_key(0), bytes(atecc.gen_key(bytearray(64), 2))) == (theirs, ours)
    verify(theirs, element.sign(0, DIGEST))
    verify(ours, bytes(atecc.ecdsa_sign(2, bytearray(DIGEST))))
    verify(theirs, element.sign(0, DIGEST))


def test_a_refusal_to_one_leaves_the_other_a_chip_that_answers(atecc, i2c):
    element = ATECC608(bus_of(atecc))
    provision(atecc, element)
    with pytest.raises(RuntimeError, match="CRC Mismatch"):
        atecc.gen_key(bytearray(64), 1)  # Left awake, with the refusal as its reply.
    assert element.revision() == bytes.fromhex("00006003")
    with pytest.raises(CommandError, match="status"):
        element.public_key(1)
    assert atecc.version() == 0x6003
    assert i2c.is_free


def test_every_transfer_of_ours_is_locked_for_itself(atecc, i2c):
    element = ATECC608(bus_of(atecc))
    i2c.locks, i2c.transfers = 0, []
    element.read_config()
    assert i2c.locks == len(i2c.transfers)
    assert ("write", 0) in i2c.transfers
    assert {address for _, address in i2c.transfers} == {0, 0x60}
    assert i2c.is_free


def test_what_the_client_left_in_tempkey_does_not_outlive_a_call_of_ours(atecc):
    """As the docstring warns: our session ends in sleep, so its nonce is gone and its sign is refused."""
    element = ATECC608(bus_of(atecc))
    provision(atecc, element)
    element.generate_key(0)
    atecc.nonce(bytearray(DIGEST), 3)
    element.revision()
    with pytest.raises(RuntimeError, match="CRC Mismatch"):
        atecc.sign(0)
    verify(element.public_key(0), element.sign(0, DIGEST))


def test_an_i2c_bus_may_be_handed_over_itself(i2c):
    element = ATECC608(bus_of(i2c))
    assert element.revision() == bytes.fromhex("00006003")


def test_the_clients_own_address_is_found(served):
    atecc = client.ATECC(served("atecc608b-tngtls"), address=0x35)
    assert ATECC608(bus_of(atecc)).read_config()[16] == 0x35 << 1


def test_another_chip_on_the_clients_bus_is_reached_at_its_address(served):
    atecc = client.ATECC(served("atecc608b", "atecc608a-tngtls"))
    element = ATECC608(bus_of(atecc), 0x35)
    assert element.revision() == bytes.fromhex("00006002")
    assert atecc.version() == 0x6003


def test_the_wake_pulse_which_nobody_acknowledges_is_no_error(atecc, i2c):
    i2c.transfers = []
    bus_of(atecc).wake()
    assert i2c.transfers == [("write", 0)]
    assert i2c.is_free


def test_an_older_release_keeps_its_bus_beside_the_device(i2c):
    older = SimpleNamespace(_i2c_bus=i2c, _i2c_device=object())
    assert ATECC608(bus_of(older)).revision() == bytes.fromhex("00006003")


def test_a_bus_that_somebody_keeps_locked_is_not_used(i2c, monkeypatch):
    monkeypatch.setattr(circuitpython, "_LOCK_MS", 1)
    element = ATECC608(bus_of(i2c))
    assert i2c.try_lock()
    with pytest.raises(BusError):
        element.revision()
    assert i2c.transfers == []
    i2c.unlock()
    assert element.revision() == bytes.fromhex("00006003")


@pytest.mark.parametrize("owner", [None, object(), b"", SimpleNamespace(_i2c_device=object())])
def test_what_has_no_bus_is_refused_at_once(owner):
    with pytest.raises(TypeError, match=r"adafruit_atecc\.ATECC or a busio\.I2C"):
        bus_of(owner)
