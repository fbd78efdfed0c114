"""Births: the honest one is accepted, every forged one is refused for its own reason."""

from __future__ import annotations

import pytest
from hri.verify.attestation import AttestationPolicy
from hri.verify.decision import ReasonCode
from hri.verify.endorsement import VENDOR_MANIFEST, EndorsementClaim
from unit.verify import forging
from unit.verify.appraising import POLICY, PROFILE, birth, endorsement
from unit.verify.forging import Act, EvilChip, configuration

CODE = ReasonCode


def test_honest_birth_is_accepted_with_what_it_proves() -> None:
    appraisal = birth(EvilChip().birth())

    assert appraisal.ok
    assert appraisal.reasons == ()
    assert appraisal.claims is not None
    assert appraisal.claims.element_type == "atecc608b"
    assert appraisal.claims.element_serial == forging.SERIAL.hex()
    assert appraisal.claims.slot == 0
    assert appraisal.claims.public_key == forging.raw_public(forging.key(1))
    assert appraisal.claims.attestation_key == forging.raw_public(forging.key(2))


@pytest.mark.parametrize("slot", [2, 3, 4])
def test_birth_in_a_rotatable_slot_is_accepted(slot: int) -> None:
    chip = EvilChip(config=configuration(locked=(0, 1)))
    assert birth(chip.birth(Act(slot=slot))).ok


def test_birth_without_a_device_id_is_bound_to_none() -> None:
    assert birth(EvilChip().birth(Act(device_id="")), device_id="").ok


def test_derived_device_id_is_the_digest_of_the_public_key_info() -> None:
    claims = birth(EvilChip().birth()).claims
    assert claims is not None
    # SPKI of a P-256 key: a fixed 26-byte head (RFC 5480), 04, X, Y.
    head = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    assert claims.derived_device_id == forging.sha256(head + b"\x04" + claims.public_key).hexdigest()


@pytest.mark.parametrize("evidence", [None, b""])
def test_no_evidence(evidence: bytes | None) -> None:
    assert birth(evidence).codes == (CODE.EVIDENCE_MISSING,)


def test_software_key_with_a_software_attestation_key() -> None:
    chip = EvilChip(identity=forging.key(77), attestation=forging.key(78))
    assert birth(chip.birth()).codes == (CODE.UNENDORSED,)


def test_software_key_with_the_attestation_key_of_a_real_chip_merely_named() -> None:
    chip = EvilChip(identity=forging.key(77), attestation=forging.key(78))
    claimed = forging.raw_public(forging.key(2))
    assert birth(chip.birth(attestation_key=claimed)).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_software_key_put_into_the_evidence_of_a_real_chip() -> None:
    real = EvilChip()
    act = Act()
    proof = real.proof(act, public_key=forging.raw_public(forging.key(77)))
    forged = EvilChip(identity=forging.key(77)).envelope(act, proof)
    assert birth(forged).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_key_swapped_between_envelope_and_proof() -> None:
    act = Act()
    forged = EvilChip(identity=forging.key(77)).envelope(act, EvilChip().proof(act))
    assert birth(forged).codes == (CODE.SIGNATURE_INVALID,)


def test_other_chip_where_another_was_expected() -> None:
    serial = bytes.fromhex("0123ffffffffffffee")
    chip = EvilChip(config=configuration(serial))
    appraisal = birth(chip.birth(), element_serial=forging.SERIAL, endorsements=(endorsement(serial=serial),))
    assert appraisal.codes == (CODE.SERIAL_MISMATCH,)


def test_other_chip_endorsed_for_its_own_serial_number_only() -> None:
    chip = EvilChip(config=configuration(bytes.fromhex("0123ffffffffffffee")))
    assert birth(chip.birth()).codes == (CODE.UNENDORSED,)


def test_serial_number_of_another_chip_claimed() -> None:
    claimed = bytes.fromhex("0123ffffffffffffee")
    appraisal = birth(EvilChip().birth(serial_number=claimed), endorsements=(endorsement(serial=claimed),))
    assert appraisal.codes == (CODE.ATTESTATION_SIGNATURE_INVALID, CODE.SERIAL_MISMATCH)


def test_written_in_key_attested_without_creation() -> None:
    assert birth(EvilChip().birth(Act(mode=0x08))).codes == (CODE.NOT_BORN_IN_CHIP,)


def test_written_in_key_claimed_to_be_created() -> None:
    evidence = EvilChip().birth(Act(mode=0x08), mode=0x0C)
    assert birth(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_state_offered_as_a_birth() -> None:
    assert birth(forging.locked_chip().state()).codes == (CODE.WRONG_PURPOSE,)


def test_genkey_over_the_callers_own_bytes_in_a_public_key_slot() -> None:
    # Mode 10 digests a public key that was written into slot 11, and mixes in three bytes of the caller's in
    # place of mode and key id. The chip puts slot 11 into flags and words, which gives it away.
    evidence = EvilChip().birth(Act(slot=11, mode=0x10, other_data=bytes((0x0C, 0, 0))), mode=0x0C, slot=0)
    assert birth(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_genkey_over_the_callers_own_bytes_told_as_it_is() -> None:
    evidence = EvilChip().birth(Act(slot=11, mode=0x10, other_data=bytes((0x10, 11, 0))))
    assert birth(evidence).codes == (CODE.NOT_BORN_IN_CHIP, CODE.SLOT_MISMATCH, CODE.KEY_NOT_PRIVATE)


def test_replayed_evidence_answers_an_old_challenge() -> None:
    old = EvilChip().birth(Act(challenge=bytes(32)))
    assert birth(old).codes == (CODE.CHALLENGE_MISMATCH,)


def test_old_proof_under_a_new_challenge() -> None:
    chip = EvilChip()
    old = Act(challenge=bytes(32))
    evidence = chip.envelope(old, chip.proof(old), challenge=forging.CHALLENGE)
    assert birth(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_evidence_for_another_verifier() -> None:
    evidence = EvilChip().birth(Act(verifier="attacker.example"))
    assert birth(evidence).codes == (CODE.VERIFIER_MISMATCH,)


def test_evidence_for_another_device_id() -> None:
    assert birth(EvilChip().birth(Act(device_id="device-2"))).codes == (CODE.DEVICE_ID_MISMATCH,)


def test_verifier_and_device_id_cannot_be_shifted_into_each_other() -> None:
    # Were the nonce a bare concatenation, "ab" + "c" would be "a" + "bc".
    chip = EvilChip()
    act = Act(verifier=forging.VERIFIER + "d", device_id=forging.DEVICE_ID[1:])
    evidence = chip.envelope(act, chip.proof(act), verifier=forging.VERIFIER, device_id=forging.DEVICE_ID)
    assert birth(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_slot_with_an_edited_policy_told_as_it_is() -> None:
    config = configuration()
    config[21] |= 0x40  # PrivWrite allowed in slot 0
    assert birth(EvilChip(config=config).birth()).codes == (CODE.POLICY_MISMATCH,)


def test_slot_with_an_edited_policy_hidden_in_the_evidence() -> None:
    config = configuration()
    config[21] |= 0x40
    evidence = EvilChip(config=config).birth(config=bytes(configuration()))
    assert birth(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_policy_edited_after_the_chip_has_signed() -> None:
    config = configuration()
    config[20] |= 0x04  # ECDH allowed in slot 0
    evidence = EvilChip().birth(config=bytes(config))
    assert birth(evidence).codes == (CODE.ATTESTATION_SIGNATURE_INVALID, CODE.POLICY_MISMATCH)


def test_slot_that_is_not_for_a_private_key() -> None:
    config = configuration()
    config[96] &= ~0x01
    assert birth(EvilChip(config=config).birth()).codes == (CODE.KEY_NOT_PRIVATE, CODE.POLICY_MISMATCH)


def test_attestation_slot_that_signs_for_anyone() -> None:
    config = configuration()
    config[22] |= 0x01
    assert birth(EvilChip(config=config).birth()).codes == (
        CODE.ATTESTATION_KEY_SIGNS_EXTERNALLY,
        CODE.POLICY_MISMATCH,
    )


def test_attestation_by_another_slot() -> None:
    evidence = EvilChip().birth(attestation_slot=0)
    assert birth(evidence).codes == (
        CODE.ATTESTATION_SIGNATURE_INVALID,
        CODE.SLOT_MISMATCH,
        CODE.ATTESTATION_KEY_SIGNS_EXTERNALLY,
    )


def test_slot_outside_the_policy() -> None:
    policy = AttestationPolicy(PROFILE, POLICY.accepted_endorsements, frozenset({2}))
    assert birth(EvilChip().birth(), policy=policy).codes == (CODE.SLOT_MISMATCH,)


def test_nobody_endorses() -> None:
    assert birth(EvilChip().birth(), endorsements=()).codes == (CODE.UNENDORSED,)


def test_endorsed_for_another_key() -> None:
    assert birth(EvilChip().birth(), endorsements=(endorsement(number=9),)).codes == (CODE.UNENDORSED,)


def test_endorsed_by_a_kind_that_policy_does_not_name() -> None:
    only_vendor = AttestationPolicy(PROFILE, frozenset({VENDOR_MANIFEST}))
    assert birth(EvilChip().birth(), policy=only_vendor).codes == (CODE.ENDORSEMENT_NOT_ACCEPTED,)


def test_one_accepted_endorsement_among_others_is_enough() -> None:
    only_vendor = AttestationPolicy(PROFILE, frozenset({VENDOR_MANIFEST}))
    endorsements = (endorsement(), endorsement(kind=VENDOR_MANIFEST))
    assert birth(EvilChip().birth(), policy=only_vendor, endorsements=endorsements).ok


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(Act(fixed_nonce=bytes(32), flags=0x50), id="fixed nonce, source flag set"),
        pytest.param(Act(flags=0x50), id="source flag says fixed"),
        pytest.param(Act(flags=0xC0), id="key under NoMac"),
        pytest.param(Act(flags=0x60), id="GenDig last"),
        pytest.param(Act(flags=0x00), id="no GenKey digest"),
        pytest.param(Act(flags=0x41), id="another KeyID"),
        pytest.param(Act(sign_mode=0x00), id="serial number in part only"),
        pytest.param(Act(gendig_blocks=(0,)), id="something mixed in"),
    ],
)
def test_chip_did_something_else(act: Act) -> None:
    assert birth(EvilChip().birth(act)).codes == (CODE.ATTESTATION_SIGNATURE_INVALID,)


def test_configuration_zone_open() -> None:
    chip = EvilChip(config=configuration(config_lock=0x55))
    assert birth(chip.birth()).codes == (CODE.CONFIG_UNLOCKED,)


def test_data_zone_open() -> None:
    chip = EvilChip(config=configuration(value_lock=0x55))
    assert birth(chip.birth()).codes == (CODE.DATA_UNLOCKED,)


def test_attestation_slot_open() -> None:
    assert birth(EvilChip(config=configuration(locked=())).birth()).codes == (CODE.SLOT_UNLOCKED,)


def test_foreign_profile() -> None:
    config = configuration()
    config[30:40] = bytes(10)
    assert birth(EvilChip(config=config).birth()).codes == (CODE.POLICY_MISMATCH,)


def test_chip_of_another_family() -> None:
    evidence = EvilChip().birth(revision=bytes.fromhex("00005000"))
    assert birth(evidence).codes == (CODE.ELEMENT_UNSUPPORTED,)


def test_every_reason_is_given_not_only_the_first() -> None:
    chip = EvilChip(config=configuration(config_lock=0x55, value_lock=0x55, locked=()))
    evidence = chip.birth(Act(mode=0x08, challenge=bytes(32)))
    assert birth(evidence, endorsements=()).codes == (
        CODE.CHALLENGE_MISMATCH,
        CODE.NOT_BORN_IN_CHIP,
        CODE.CONFIG_UNLOCKED,
        CODE.DATA_UNLOCKED,
        CODE.UNENDORSED,
        CODE.SLOT_UNLOCKED,
    )


def test_a_policy_that_accepts_no_endorsement_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one kind"):
        AttestationPolicy(PROFILE, frozenset())


@pytest.mark.parametrize("slots", [frozenset[int](), frozenset({1}), frozenset({0, 8})])
def test_a_policy_cannot_name_other_slots_than_the_profile(slots: frozenset[int]) -> None:
    with pytest.raises(ValueError, match="identity slots"):
        AttestationPolicy(PROFILE, POLICY.accepted_endorsements, slots)


@pytest.mark.parametrize(
    ("kind", "serial", "key"),
    [
        ("word of mouth", "01" * 9, bytes(64)),
        (VENDOR_MANIFEST, "01" * 8, bytes(64)),
        (VENDOR_MANIFEST, "AB" * 9, bytes(64)),
        (VENDOR_MANIFEST, "01" * 9, bytes(63)),
    ],
)
def test_an_endorsement_is_checked_when_it_is_made(kind: str, serial: str, key: bytes) -> None:
    with pytest.raises(ValueError, match=r"endorsement|serial number|64 bytes"):
        EndorsementClaim(kind, serial, key)
