"""Evidence that is not as the protocol has it is malformed, and nothing makes it accepted."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hri.verify.cose import MAX_BYTES
from hri.verify.decision import ReasonCode
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.verify import forging
from unit.verify.appraising import birth, state
from unit.verify.forging import Act, EvilChip, canonical, locked_chip, sign1

MALFORMED = (ReasonCode.MALFORMED,)
HONEST_BIRTH = EvilChip().birth()
HONEST_STATE = locked_chip().state()


def payload(proof: Any = None) -> list[Any]:
    return [
        "hri/1 birth",
        forging.VERIFIER,
        forging.DEVICE_ID,
        forging.CHALLENGE,
        EvilChip().proof(Act()) if proof is None else proof,
    ]


def signed(value: Any) -> bytes:
    """An envelope with a good signature around any payload."""
    return sign1(forging.key(1), value if isinstance(value, bytes) else canonical(value))


def changed(**claims: Any) -> bytes:
    return signed(payload(EvilChip().proof(Act(), **claims)))


def without(name: str) -> bytes:
    proof = EvilChip().proof(Act())
    del proof[name]
    return signed(payload(proof))


def raw_map(*pairs: bytes) -> bytes:
    return bytes((0xA0 + len(pairs),)) + b"".join(pairs)


def with_duplicate_key() -> bytes:
    proof = canonical(EvilChip().proof(Act()))
    assert proof[0] == 0xAC - 1  # a map of eleven pairs and the type
    doubled = bytes((proof[0] + 1,)) + proof[1:] + canonical("slot") + b"\x00"
    head = canonical(payload(None))[: -len(proof)]
    return signed(head + doubled)


@pytest.mark.parametrize("cut", [1, 2, 3, 8, 40, 200, len(HONEST_BIRTH) - 1])
def test_truncated(cut: int) -> None:
    assert birth(HONEST_BIRTH[:cut]).codes == MALFORMED


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(HONEST_BIRTH + b"\x00", id="something after the end"),
        pytest.param(HONEST_BIRTH[1:], id="without its tag"),
        pytest.param(b"\xd1" + HONEST_BIRTH[1:], id="COSE_Mac0"),
        pytest.param(bytes(MAX_BYTES + 1), id="too long"),
        pytest.param(b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff" + bytes(64), id="a huge length"),
        pytest.param(b"\x9b\x00\x00\x00\xff\xff\xff\xff\xff" + bytes(64), id="a huge array"),
        pytest.param(b"\x81" * 4000, id="deep"),
        pytest.param(b"\x9f" * 4000, id="indefinite"),
        pytest.param(b"\xd8\x1c\x81\xd8\x1d\x00", id="cyclic"),
        pytest.param(b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01", id="huge decimal"),
        pytest.param(b"\xa1\xa0\x01", id="a map as a key"),
        pytest.param(b"\xf6", id="nil"),
        pytest.param(canonical(cbor2.CBORTag(18, 4)), id="tag on a number"),
        pytest.param(canonical(cbor2.CBORTag(18, [b"\xa1\x01\x26", {}, b""])), id="three parts"),
        pytest.param(
            canonical(cbor2.CBORTag(18, [b"\xa1\x01\x26", {4: b"x"}, b"", bytes(64)])), id="another header"
        ),
        pytest.param(
            canonical(cbor2.CBORTag(18, [b"\xa1\x01\x26", {}, b"", bytes(63)])), id="short signature"
        ),
        pytest.param(sign1(forging.key(1), canonical(payload()), protected=b"\xa1\x01\x38\x22"), id="ES384"),
        pytest.param(sign1(forging.key(1), canonical(payload()), protected=b""), id="no algorithm"),
        pytest.param(canonical(cbor2.CBORTag(18, [b"\xa1\x01\x26", {}, None, bytes(64)])), id="detached"),
    ],
)
def test_envelope_that_is_none(evidence: bytes) -> None:
    assert birth(evidence).codes == MALFORMED
    assert state(evidence).codes == MALFORMED


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(signed(b""), id="empty payload"),
        pytest.param(signed({}), id="a map"),
        pytest.param(signed(payload()[:4]), id="no proof"),
        pytest.param(signed([*payload(), 0]), id="a sixth part"),
        pytest.param(signed([1, *payload()[1:]]), id="purpose is a number"),
        pytest.param(signed([*payload()[:3], bytes(31), payload()[4]]), id="short challenge"),
        pytest.param(signed(payload([])), id="proof is an array"),
        pytest.param(changed(extra=1), id="an extra key"),
        pytest.param(changed(csr=forging.CSR), id="a CSR in a birth"),
        pytest.param(changed(type="tpm"), id="another type"),
        pytest.param(changed(slot=16), id="no such slot"),
        pytest.param(changed(slot=-1), id="negative"),
        pytest.param(changed(slot=True), id="true is not one"),
        pytest.param(changed(slot=0.0), id="a float"),
        pytest.param(changed(attestation_slot=256), id="attestation slot"),
        pytest.param(changed(mode=0x10C), id="mode of two bytes"),
        pytest.param(changed(config=bytes(127)), id="short configuration"),
        pytest.param(changed(config="x" * 128), id="configuration is text"),
        pytest.param(changed(serial_number=bytes(8)), id="short serial number"),
        pytest.param(changed(public_key=bytes(64)), id="no point of the curve"),
        pytest.param(changed(attestation_key=b"\xff" * 64), id="attestation key is no point"),
        pytest.param(changed(signature=bytes(65)), id="long signature"),
        pytest.param(without("random"), id="a key missing"),
        pytest.param(without("type"), id="no type"),
        pytest.param(with_duplicate_key(), id="a duplicate key"),
        pytest.param(signed(cbor2.dumps(payload(), indefinite_containers=True)), id="indefinite lengths"),
        pytest.param(signed(cbor2.dumps(payload())), id="keys not in order"),
    ],
)
def test_payload_that_is_none(evidence: bytes) -> None:
    assert birth(evidence).codes == MALFORMED


def test_state_without_its_csr() -> None:
    act = forging.state_act()
    proof = locked_chip().proof(act)
    del proof["csr"]
    assert state(locked_chip().envelope(act, proof)).codes == MALFORMED


@given(st.integers(min_value=0, max_value=8 * len(HONEST_BIRTH) - 1))
@settings(max_examples=400, deadline=None)
def test_no_single_bit_of_a_birth_can_be_flipped(bit: int) -> None:
    flipped = bytearray(HONEST_BIRTH)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not birth(bytes(flipped)).ok


@given(st.integers(min_value=0, max_value=8 * len(HONEST_STATE) - 1))
@settings(max_examples=200, deadline=None)
def test_no_single_bit_of_a_state_can_be_flipped(bit: int) -> None:
    flipped = bytearray(HONEST_STATE)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not state(bytes(flipped)).ok


SIGNED_FIELDS = ("serial_number", "public_key", "attestation_key", "random", "signature", "config", "csr")


@given(st.sampled_from(SIGNED_FIELDS), st.integers(min_value=0))
@settings(max_examples=200, deadline=None)
def test_no_bit_that_the_chip_signed_can_be_flipped_under_a_fresh_envelope(name: str, bit: int) -> None:
    # Hostile firmware can have the identity key sign any envelope; what the chip attested it cannot change.
    chip, act = locked_chip(), forging.state_act()
    proof = chip.proof(act)
    value = bytearray(proof[name])  # type: ignore[call-overload]
    value[bit // 8 % len(value)] ^= 1 << bit % 8
    assert not state(chip.envelope(act, proof | {name: bytes(value)})).ok


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_malformed_evidence(data: bytes) -> None:
    assert birth(data).codes in (MALFORMED, (ReasonCode.EVIDENCE_MISSING,))


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_payload_is_malformed_evidence(data: bytes) -> None:
    assert birth(signed(data)).codes == MALFORMED
