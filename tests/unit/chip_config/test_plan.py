"""A plan says in words what would be done to this chip, and what of it is for ever."""

from __future__ import annotations

import json

import pytest
from hri.elements.atecc.plan import differing_bytes, plan
from hypothesis import given
from hypothesis import strategies as st
from unit.chip_config.configs import (
    PROFILE,
    SERIAL,
    blank,
    changed,
    configured,
    identified,
    personalised,
    wanted,
)

ALL = (
    "write-config",
    "lock-config",
    "write-data",
    "lock-data",
    "generate-attestation",
    "lock-attestation",
    "generate-identity",
    "lock-identity",
)


def steps(config: bytes) -> tuple[str, ...]:
    return tuple(step.code for step in plan(config, PROFILE).steps)


def test_blank_chip_has_the_whole_ceremony_before_it() -> None:
    the_plan = plan(blank(), PROFILE)
    assert (the_plan.stage, the_plan.serial_number) == ("blank", SERIAL.hex())
    assert steps(blank()) == ALL
    assert the_plan.permanent == (
        "the configuration zone can never be changed again",
        "the data zone can never be opened again: the keys in slots 13 and 14 stay as they are, and no "
        "private key can be written into the chip",
        "the attestation key in slot 1 can never be replaced, and never leaves the chip",
        "the identity key in slot 0 can never be replaced, and never leaves the chip",
    )


@pytest.mark.parametrize(
    ("config", "stage", "done"),
    [
        (wanted(), "blank", 1),
        (configured(), "configured", 2),
        (personalised(), "personalised", 4),
        (changed(personalised(), b88=0xFD), "personalised", 6),
        (identified(), "identified", 8),
    ],
)
def test_what_is_done_is_not_planned_again(config: bytes, stage: str, done: int) -> None:
    assert plan(config, PROFILE).stage == stage
    assert steps(config) == ALL[done:]


def test_a_blank_chip_with_slot_lock_bits_clear_is_not_taken_for_locked() -> None:
    assert steps(changed(blank(), b88=0x00, b89=0x00)) == ALL


def test_chip_locked_with_something_else_has_an_obstacle_and_no_steps() -> None:
    the_plan = plan(changed(configured(), b19=0x01), PROFILE)
    assert the_plan.steps == ()
    assert the_plan.permanent == ()
    assert the_plan.obstacle is not None
    assert "use another chip" in the_plan.obstacle


def test_counters_and_slot_locks_are_no_obstacle() -> None:
    used = changed(identified(), b55=0x7F, b84=0x01, b15=0x01)
    assert plan(used, PROFILE).obstacle is None


def test_slot_is_shown_as_it_is_and_as_it_should_be() -> None:
    line = next(line for line in plan(blank(), PROFILE).table if line.slot == 0)
    assert line.title == "identity key"
    assert line.present == (
        "key of undefined type 0, 36 bytes; read by anybody; written by anybody; cannot be slot-locked"
    )
    assert line.wanted == (
        "P-256 private key; signs digests it is given; GenKey may replace it; never written in; never read; "
        "public key may be read out; can be slot-locked"
    )
    assert line.differs


def test_settings_are_shown_in_words() -> None:
    lines = {line.title: line for line in plan(blank(), PROFILE).table if line.slot is None}
    assert lines["byte 16"].wanted == "I2C address 0x60 (C0)"
    assert not lines["byte 16"].differs
    assert lines["bytes 90 to 91"].wanted == (
        "IO-protection key in slot 6, no self-test at power-on, KDF may use AES, "
        "ECDH output in clear or encrypted, KDF output in clear or encrypted (0660)"
    )
    assert lines["bytes 90 to 91"].differs


def test_finished_chip_differs_in_nothing() -> None:
    the_plan = plan(identified(), PROFILE)
    assert the_plan.differences == ()
    assert [line.present for line in the_plan.table] == [line.wanted for line in the_plan.table]


@given(st.sampled_from([at for at in range(16, 128) if at not in {*range(52, 68), *range(84, 90)}]))
def test_every_byte_that_differs_shows_in_the_table(at: int) -> None:
    config = bytearray(wanted())
    config[at] ^= 0xFF
    assert differing_bytes(bytes(config), wanted()) == (at,)
    assert len(plan(bytes(config), PROFILE).differences) == 1


@given(st.binary(min_size=128, max_size=128))
def test_any_chip_can_be_described(config: bytes) -> None:
    the_plan = plan(config, PROFILE)
    assert all(line.present and line.wanted for line in the_plan.table)
    assert json.loads(json.dumps(the_plan.as_dict()))["stage"] == the_plan.stage


def test_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="128 bytes"):
        plan(bytes(127), PROFILE)
