"""States: what a chip is now, bound to one CSR and to the record of its birth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hri.verify.attestation import AttestationPolicy
from hri.verify.decision import ReasonCode
from hri.verify.endorsement import VENDOR_MANIFEST
from unit.verify import forging
from unit.verify.appraising import POLICY, PROFILE, birth, born, endorsement, state
from unit.verify.forging import EvilChip, configuration, locked_chip, state_act

CODE = ReasonCode


def test_honest_state_is_accepted() -> None:
    appraisal = state(locked_chip().state())

    assert appraisal.ok
    assert appraisal.claims is not None
    assert appraisal.claims.public_key == born().public_key


def test_state_of_a_rotatable_slot_leans_on_its_own_birth() -> None:
    chip = locked_chip()
    record = birth(chip.birth(forging.Act(slot=3))).claims
    assert record is not None
    assert state(chip.state(state_act(slot=3)), record=record).ok


@pytest.mark.parametrize("evidence", [None, b""])
def test_no_evidence(evidence: bytes | None) -> None:
    assert state(evidence).codes == (CODE.EVIDENCE_MISSING,)


def test_birth_offered_as_a_state() -> None:
    assert state(EvilChip().birth()).codes == (CODE.WRONG_PURPOSE,)


def test_csr_swapped() -> None:
    assert state(locked_chip().state(state_act(csr=bytes(32)))).codes == (CODE.CSR_MISMATCH,)


def test_csr_swapped_after_the_chip_has_signed() -> None:
    evidence = locked_chip().state(state_act(csr=bytes(32)), csr=forging.CSR)
    assert state(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_replayed_state() -> None:
    assert state(locked_chip().state(state_act(challenge=bytes(32)))).codes == (CODE.CHALLENGE_MISMATCH,)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"verifier": "attacker.example"}, CODE.VERIFIER_MISMATCH),
        ({"device_id": "device-2"}, CODE.DEVICE_ID_MISMATCH),
    ],
)
def test_state_for_somebody_else(change: dict[str, Any], code: ReasonCode) -> None:
    assert state(locked_chip().state(state_act(**change))).codes == (code,)


def test_other_chip_than_the_one_born() -> None:
    serial = bytes.fromhex("0123ffffffffffffee")
    chip = EvilChip(config=configuration(serial, locked=(0, 1)))
    assert state(chip.state(), endorsements=(endorsement(serial=serial),)).codes == (CODE.SERIAL_MISMATCH,)


def test_other_key_than_the_one_born() -> None:
    chip = locked_chip()
    chip.identity = forging.key(9)
    assert state(chip.state()).codes == (CODE.KEY_MISMATCH,)


def test_other_slot_than_the_one_born() -> None:
    assert state(locked_chip().state(state_act(slot=2))).codes == (CODE.SLOT_MISMATCH,)


def test_other_attestation_key_than_at_the_birth() -> None:
    chip = locked_chip()
    chip.attestation = forging.key(9)
    evidence = chip.state()
    assert state(evidence, endorsements=(endorsement(number=9),)).codes == (CODE.ATTESTATION_KEY_MISMATCH,)


def test_key_made_anew_while_it_is_attested() -> None:
    assert state(locked_chip().state(state_act(mode=0x0C))).codes == (CODE.WRONG_PURPOSE,)


def test_genkey_over_the_callers_own_bytes() -> None:
    act = state_act(mode=0x10, other_data=bytes((0x08, 0, 0)))
    assert state(locked_chip().state(act)).codes == (CODE.ATTESTATION_SIGNATURE_INVALID, CODE.WRONG_PURPOSE)


@pytest.mark.parametrize("blocks", [(), (0,), (0, 1, 2), (1, 2, 3), (0, 1, 3, 2), (0, 0, 1, 2, 3)])
def test_configuration_not_wholly_mixed_in(blocks: tuple[int, ...]) -> None:
    evidence = locked_chip().state(state_act(gendig_blocks=blocks))
    assert state(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


@pytest.mark.parametrize("at", [*range(16, 52), *range(68, 128)])
def test_every_byte_of_the_configuration_is_proved(at: int) -> None:
    # The chip really holds something else than the profile; the evidence shows the profile.
    config = configuration(locked=(0, 1))
    config[at] ^= 0x01
    evidence = EvilChip(config=config).state(config=bytes(configuration(locked=(0, 1))))
    assert state(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


@pytest.mark.parametrize("at", [*range(16, 52), *range(68, 84), *range(90, 128)])
def test_every_byte_of_the_configuration_must_be_the_profiles(at: int) -> None:
    config = configuration(locked=(0, 1))
    config[at] ^= 0x08
    assert CODE.POLICY_MISMATCH in state(EvilChip(config=config).state()).codes


@pytest.mark.parametrize("at", [13, 14, 15, *range(52, 68), 84, 85])
def test_what_differs_from_chip_to_chip_is_free(at: int) -> None:
    config = configuration(locked=(0, 1))
    config[at] ^= 0x01
    assert state(EvilChip(config=config).state()).ok


def test_attestation_slot_that_signs_for_anyone_cannot_be_hidden_in_a_state() -> None:
    # In a birth only the words of the born key's slot are signed, so this passes there ...
    config = configuration()
    config[22] |= 0x01
    assert birth(EvilChip(config=config).birth(config=bytes(configuration()))).ok

    # ... and is found when the whole configuration is proved.
    config = configuration(locked=(0, 1))
    config[22] |= 0x01
    evidence = EvilChip(config=config).state(config=bytes(configuration(locked=(0, 1))))
    assert state(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_attestation_slot_that_signs_for_anyone_told_as_it_is() -> None:
    config = configuration(locked=(0, 1))
    config[22] |= 0x01
    assert state(EvilChip(config=config).state()).codes == (
        CODE.ATTESTATION_KEY_SIGNS_EXTERNALLY,
        CODE.POLICY_MISMATCH,
    )


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (configuration(config_lock=0x55, locked=(0, 1)), CODE.CONFIG_UNLOCKED),
        (configuration(value_lock=0x55, locked=(0, 1)), CODE.DATA_UNLOCKED),
        (configuration(locked=(1,)), CODE.SLOT_UNLOCKED),
        (configuration(locked=(0,)), CODE.SLOT_UNLOCKED),
    ],
)
def test_something_not_locked(config: bytearray, code: ReasonCode) -> None:
    assert state(EvilChip(config=config).state()).codes == (code,)


def test_before_the_last_lock_only_the_identity_slot_may_be_open() -> None:
    before = EvilChip(config=configuration(locked=(1,))).state()
    too_early = EvilChip(config=configuration(locked=())).state()

    assert state(before, require_locked=False).ok
    assert state(too_early, require_locked=False).codes == (CODE.SLOT_UNLOCKED,)


def test_endorsement_withdrawn_since_the_birth() -> None:
    assert state(locked_chip().state(), endorsements=()).codes == (CODE.UNENDORSED,)


def test_endorsement_of_a_kind_no_longer_accepted() -> None:
    policy = AttestationPolicy(PROFILE, frozenset({VENDOR_MANIFEST}))
    assert state(locked_chip().state(), policy=policy).codes == (CODE.ENDORSEMENT_NOT_ACCEPTED,)


def test_policy_may_narrow_the_slots_after_the_birth() -> None:
    policy = replace(POLICY, identity_slots=frozenset({2, 3, 4}))
    assert state(locked_chip().state(), policy=policy).codes == (CODE.SLOT_MISMATCH,)
