"""hri_device.cbor accepts exactly what it writes: deterministic CBOR (RFC 8949 section 4.2.1)."""

import json
from pathlib import Path

import cbor2
import pytest
from hri_device import cbor
from hypothesis import given
from hypothesis import strategies as st

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "cbor_rfc8949.json").read_text())

_KEYS = st.text(max_size=30) | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=30)
_LEAVES = st.none() | st.booleans() | _KEYS
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


def _depth(value):
    if isinstance(value, list):
        return 1 + max((_depth(item) for item in value), default=0)
    if isinstance(value, dict):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    return 0


def _deterministic(value):
    # RFC 8949 section 4.2.1 sorts by the encoded bytes; cbor2's canonical mode has the older length-first
    # order.
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(_deterministic, value))
    if isinstance(value, dict):
        pairs = sorted((cbor2.dumps(key), _deterministic(item)) for key, item in value.items())
        return _head(5, len(value)) + b"".join(key + item for key, item in pairs)
    return cbor2.dumps(value)


def _head(major, count):
    head = bytearray(cbor2.dumps(count))
    head[0] |= major << 5
    return bytes(head)


@pytest.mark.parametrize("case", VECTORS["values"], ids=lambda case: case["hex"][:24])
def test_writes_and_reads_the_values_of_appendix_a(case):
    assert cbor.encode(case["value"]).hex() == case["hex"]
    decoded = cbor.decode(bytes.fromhex(case["hex"]))
    assert decoded == case["value"]
    assert type(decoded) is type(case["value"])


@pytest.mark.parametrize("text", VECTORS["bytes"])
def test_reads_byte_strings_of_appendix_a(text):
    raw = bytes.fromhex(text)
    assert cbor.decode(raw) == raw[1:]
    assert cbor.encode(raw[1:]) == raw


def test_maps_may_have_integer_keys():
    case = VECTORS["integer_keys"]
    assert cbor.decode(bytes.fromhex(case["hex"])) == dict(case["pairs"])


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_refuses(case):
    with pytest.raises(ValueError, match=r"cbor|codec"):
        cbor.decode(bytes.fromhex(case["hex"]))


@given(_VALUES)
def test_agrees_with_cbor2(value):
    encoded = cbor.encode(value)
    assert encoded == _deterministic(value)
    if _depth(value) <= 8:
        assert cbor.decode(encoded) == value


@given(st.binary(max_size=60))
def test_what_it_accepts_has_no_other_encoding(data):
    try:
        value = cbor.decode(data)
    except ValueError:
        return
    assert cbor.encode(value) == data


def test_any_cut_of_an_item_is_refused():
    whole = cbor.encode({"a": [1, b"xyz", -1000], "b": "text", "c": {"d": None}})
    for end in range(len(whole)):
        with pytest.raises(ValueError, match="cbor"):
            cbor.decode(whole[:end])


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1])
def test_refuses_to_write_integers_beyond_64_bits(value):
    with pytest.raises(ValueError, match="64 bits"):
        cbor.encode(value)


def test_refuses_to_write_floats():
    with pytest.raises(TypeError, match="float"):
        cbor.encode(1.5)
