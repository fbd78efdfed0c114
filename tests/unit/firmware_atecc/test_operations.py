"""Every operation of the element, byte for byte, from tests/vectors/driver_operations.json."""

import inspect
import json
from pathlib import Path

import pytest
from hri_device.atecc.element import ATECC608
from hri_device.atecc.standalone import StandaloneATECC608
from hri_device.element import SecureElement
from hri_device.errors import SecureElementError
from unit.firmware_atecc.scripted_bus import SLEEP, ScriptedBus, awake, exchange

_FILE = Path(__file__).parents[2] / "vectors" / "driver_operations.json"
_VECTORS = json.loads(_FILE.read_text())["vectors"]
# Tested step by step in test_config.py, test_power_loss.py and test_session.py.
_ELSEWHERE = {"write_config", "lock_config", "config_crc", "lock_slot_holding", "type"}


def decoded(value):
    if isinstance(value, list):
        return tuple(decoded(part) for part in value)
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: vector["name"])
def test_operation_is_one_waking_with_exactly_these_bytes(vector):
    steps = [
        exchange(bytes.fromhex(pair["command"]), bytes.fromhex(pair["reply"])) for pair in vector["exchanges"]
    ]
    bus = ScriptedBus(awake(), *steps, SLEEP)
    result = getattr(StandaloneATECC608(bus), vector["method"])(*decoded(vector["args"]))
    assert result == decoded(vector["result"])
    assert bus.left == []


def public(cls):
    return {name for name in dir(cls) if not name.startswith("_")}


def test_every_operation_has_a_vector():
    assert {vector["method"] for vector in _VECTORS} == public(StandaloneATECC608) - _ELSEWHERE


@pytest.mark.parametrize("name", sorted(public(SecureElement) - {"type"}))
def test_the_chip_offers_what_every_element_offers(name):
    offered = inspect.signature(getattr(ATECC608, name))
    assert offered == inspect.signature(getattr(SecureElement, name))


@pytest.mark.parametrize("name", sorted(public(SecureElement) - {"type"}))
def test_an_element_says_what_it_does_not_offer(name):
    method = getattr(SecureElement(), name)
    required = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
    with pytest.raises(SecureElementError, match="not offered"):
        method(*required)


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("sign", (0, bytes(31))),
        ("verify", (0, bytes(33), bytes(64))),
        ("verify", (0, bytes(32), bytes(63))),
        ("verify_external", (bytes(65), bytes(32), bytes(64))),
        ("birth", (0, bytes(32), 1)),
        ("state", (0, bytes(19), 1)),
        ("sign", (16, bytes(32))),
        ("public_key", (-1,)),
        ("generate_key", (16,)),
        ("birth", (0, bytes(20), 16)),
        ("state", (16, bytes(20), 1)),
        ("lock_slot", (16,)),
        ("is_slot_locked", (16,)),
        ("read_slot", (0, 37)),
        ("read_slot", (8, 1, 416)),
        ("read_slot", (8, -1)),
        ("read_slot", (8, 4, -4)),
        ("write_slot", (9, bytes(76))),
        ("write_slot", (9, bytes(4), 72)),
        ("write_slot", (9, bytes(5))),
        ("write_slot", (9, bytes(4), 2)),
        ("write_slot", (9, bytes(4), -4)),
        ("write_config", (bytes(127),)),
        ("config_crc", (bytes(129),)),
    ],
)
def test_an_argument_out_of_range_never_reaches_the_chip(method, args):
    bus = ScriptedBus(awake())
    with pytest.raises(ValueError, match=r"bytes|slot"):
        getattr(StandaloneATECC608(bus), method)(*args)
    assert len(bus.left) == 2
