"""Answers to challenges and signatures of data, told apart and bound to what they were made for."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hri.verify.answer import verify_answer, verify_data_signature
from hri.verify.decision import Reason, ReasonCode
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.verify import forging
from unit.verify.forging import CHALLENGE, DEVICE_ID, VERIFIER, canonical, key, sign1

PUBLIC = key(1).public_key()


def answer(*parts: Any, number: int = 1) -> bytes:
    said = parts or ("hri/1 authenticate", VERIFIER, DEVICE_ID, CHALLENGE)
    return sign1(key(number), canonical(list(said)))


def check(cose: bytes) -> tuple[Reason, ...]:
    return verify_answer(cose, PUBLIC, device_id=DEVICE_ID, verifier=VERIFIER, challenge=CHALLENGE)


def codes(reasons: tuple[Reason, ...]) -> tuple[ReasonCode, ...]:
    return tuple(reason.code for reason in reasons)


def test_honest_answer_has_nothing_against_it() -> None:
    assert check(answer()) == ()


@pytest.mark.parametrize(
    ("forged", "expected"),
    [
        (answer(number=2), ReasonCode.SIGNATURE_INVALID),
        (answer("hri/1 state", VERIFIER, DEVICE_ID, CHALLENGE), ReasonCode.WRONG_PURPOSE),
        (answer("hri/1 authenticate", "other", DEVICE_ID, CHALLENGE), ReasonCode.VERIFIER_MISMATCH),
        (answer("hri/1 authenticate", VERIFIER, "device-2", CHALLENGE), ReasonCode.DEVICE_ID_MISMATCH),
        (answer("hri/1 authenticate", VERIFIER, DEVICE_ID, bytes(32)), ReasonCode.CHALLENGE_MISMATCH),
        (answer("hri/1 authenticate", VERIFIER, DEVICE_ID, bytes(31)), ReasonCode.MALFORMED),
        (answer("hri/1 authenticate", VERIFIER, DEVICE_ID), ReasonCode.MALFORMED),
        (answer("hri/1 authenticate", VERIFIER, DEVICE_ID, CHALLENGE, 1), ReasonCode.MALFORMED),
        (answer(b"hri/1 authenticate", VERIFIER, DEVICE_ID, CHALLENGE), ReasonCode.MALFORMED),
        (answer("hri/1 data", CHALLENGE), ReasonCode.MALFORMED),
        (b"", ReasonCode.MALFORMED),
        (b"\x00", ReasonCode.MALFORMED),
    ],
)
def test_answer_refused_for_its_own_reason(forged: bytes, expected: ReasonCode) -> None:
    assert codes(check(forged)) == (expected,)


def test_signature_of_data_never_passes_for_an_answer() -> None:
    # The most that `data.sign` will sign for anybody: its own label around whatever it is given.
    as_data = canonical(["hri/1 authenticate", VERIFIER, DEVICE_ID, CHALLENGE])
    assert codes(check(sign1(key(1), canonical(["hri/1 data", as_data])))) == (ReasonCode.MALFORMED,)


@pytest.mark.parametrize("scalars", [(0, 0), (0, 1), (1, 0), (2**256 - 1, 2**256 - 1)])
def test_signature_scalars_out_of_range_are_refused(scalars: tuple[int, int]) -> None:
    payload = canonical(["hri/1 authenticate", VERIFIER, DEVICE_ID, CHALLENGE])
    signature = b"".join(scalar.to_bytes(32, "big") for scalar in scalars)
    forged = canonical(cbor2.CBORTag(18, [b"\xa1\x01\x26", {}, payload, signature]))
    assert codes(check(forged)) == (ReasonCode.SIGNATURE_INVALID,)


HONEST = answer()


@given(st.integers(min_value=0, max_value=8 * len(HONEST) - 1))
@settings(max_examples=300, deadline=None)
def test_no_single_bit_of_an_answer_can_be_flipped(bit: int) -> None:
    flipped = bytearray(HONEST)
    flipped[bit // 8] ^= 1 << bit % 8
    assert check(bytes(flipped))


def detached(data: bytes, *, purpose: str = "hri/1 data", number: int = 1) -> bytes:
    to_be_signed = canonical(["Signature1", b"\xa1\x01\x26", b"", canonical([purpose, data])])
    signature = forging.raw_sign(key(number), to_be_signed)
    return canonical(cbor2.CBORTag(18, [b"\xa1\x01\x26", {}, None, signature]))


def test_signature_of_data() -> None:
    assert verify_data_signature(detached(b"meter 42"), b"meter 42", PUBLIC) == ()


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (detached(b"meter 43"), ReasonCode.SIGNATURE_INVALID),
        (detached(b"meter 42", number=2), ReasonCode.SIGNATURE_INVALID),
        (detached(b"meter 42", purpose="hri/1 authenticate"), ReasonCode.SIGNATURE_INVALID),
        (sign1(key(1), canonical(["hri/1 data", b"meter 42"])), ReasonCode.MALFORMED),
        (b"\xff", ReasonCode.MALFORMED),
    ],
)
def test_signature_of_data_refused(signature: bytes, expected: ReasonCode) -> None:
    assert codes(verify_data_signature(signature, b"meter 42", PUBLIC)) == (expected,)
