"""The rules that an ATECC608 proof has to keep, one small function each: a Reason, or None if it is kept.

Why each rule is there: docs/threat-model.md. Bytes of the configuration zone are covered by the chip's
signature in a state; in a birth only the two words of the attested slot and its lock bit are, and the rest is
what the firmware read out, which the state proof then has to confirm.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence

from hri.elements.atecc.layout import USER_EXTRA, USER_EXTRA_ADD
from hri.elements.atecc.profile import Profile

from .atecc608 import GENKEY_CREATE_DIGEST, GENKEY_DIGEST, Proof
from .cose import Sign1, is_signature, public_key
from .decision import Reason, ReasonCode
from .endorsement import EndorsementClaim

# What may differ from chip to chip under one profile: made by the manufacturer (0 to 15), counting
# (52 to 67), or free for the owner and without effect while ChipMode bit 0 is clear (84, 85). The lock bytes
# 86 to 89 have rules of their own. Sources: docs/profile.md, DS20005927A (configuration zone).
_FREE = frozenset({*range(16), *range(52, 68), USER_EXTRA, USER_EXTRA_ADD, 86, 87, 88, 89})


def envelope_is_by_the_key(envelope: Sign1, payload: bytes, proof: Proof) -> Reason | None:
    """The envelope is signed by the attested key, which proves possession of it."""
    if envelope.is_signed_by(public_key(proof.public_key), payload):
        return None
    return Reason(ReasonCode.SIGNATURE_INVALID, "the envelope is not signed by the key that it speaks of")


def chip_signed(message: bytes, proof: Proof) -> Reason | None:
    """The attestation slot signed the very message that follows from what the proof claims."""
    if is_signature(public_key(proof.attestation_key), proof.signature, message):
        return None
    return Reason(
        ReasonCode.ATTESTATION_SIGNATURE_INVALID, "the attestation key did not sign what the proof claims"
    )


def element_is_supported(proof: Proof) -> Reason | None:
    """The revision is that of an ATECC608 (third byte 60; public variant pages, Info command)."""
    if proof.revision[:3] == b"\x00\x00\x60":
        return None
    return Reason(
        ReasonCode.ELEMENT_UNSUPPORTED, f"revision {proof.revision.hex()} is not that of an ATECC608"
    )


def serial_is_that_of_the_config(proof: Proof) -> Reason | None:
    """The serial number claimed is the one in the configuration zone."""
    return _serial(proof.chip.serial_number, proof.serial_number, "its own configuration zone")


def serial_is(proof: Proof, expected: bytes | None) -> Reason | None:
    """The chip is the one that was expected, where one was."""
    return None if expected is None else _serial(expected, proof.serial_number, "the chip expected")


def _serial(expected: bytes, claimed: bytes, whose: str) -> Reason | None:
    if claimed == expected:
        return None
    return Reason(
        ReasonCode.SERIAL_MISMATCH,
        f"serial number {claimed.hex()} is not {expected.hex()}, that of {whose}",
    )


def born_by_genkey(proof: Proof) -> Reason | None:
    """A birth is GenKey mode 0C, create and digest in one command: only that excludes a written-in key."""
    if proof.mode == GENKEY_CREATE_DIGEST:
        return None
    return Reason(
        ReasonCode.NOT_BORN_IN_CHIP, f"GenKey mode {proof.mode:#04x} does not create a key (0x0c does)"
    )


def digest_by_genkey(proof: Proof) -> Reason | None:
    """A state is GenKey mode 08; mode 10, above all, would digest the caller's bytes."""
    if proof.mode == GENKEY_DIGEST:
        return None
    return Reason(ReasonCode.WRONG_PURPOSE, f"GenKey mode {proof.mode:#04x} is not that of a state (0x08)")


def slot_is_for_identities(proof: Proof, identity_slots: Collection[int]) -> Reason | None:
    """The attested key is in a slot that policy gives to identity keys."""
    if proof.slot in identity_slots:
        return None
    return Reason(ReasonCode.SLOT_MISMATCH, f"slot {proof.slot} is not for identity keys")


def attested_by_attestation_slot(proof: Proof, profile: Profile) -> Reason | None:
    """The signature is by the slot that the profile sets aside for attestation."""
    if proof.attestation_slot == profile.attestation_slot:
        return None
    return Reason(
        ReasonCode.SLOT_MISMATCH,
        f"attested by slot {proof.attestation_slot}, not by slot {profile.attestation_slot}",
    )


def key_is_private(proof: Proof) -> Reason | None:
    """KeyConfig says private P-256 key: a slot for data would hold whatever was written to it."""
    if proof.key_slot.p256_private:
        return None
    return Reason(ReasonCode.KEY_NOT_PRIVATE, f"slot {proof.slot} is not configured for a private P-256 key")


def attestation_slot_refuses_external_sign(proof: Proof) -> Reason | None:
    """ReadKey bit 0 of the attestation slot is clear, or any 55 bytes could be signed as a proof."""
    if not proof.chip.slot(proof.attestation_slot).slot_config.signs_externally:
        return None
    return Reason(
        ReasonCode.ATTESTATION_KEY_SIGNS_EXTERNALLY,
        f"slot {proof.attestation_slot} also signs digests that it is given",
    )


def config_is_the_profile(proof: Proof, profile: Profile) -> Reason | None:
    """Every byte of the configuration zone that is not the chip's own is as the profile has it."""
    wanted = profile.config_bytes(proof.config)
    differing = [at for at in range(len(wanted)) if at not in _FREE and wanted[at] != proof.config[at]]
    if not differing:
        return None
    places = ", ".join(str(at) for at in differing[:8]) + (", …" if len(differing) > 8 else "")
    return Reason(
        ReasonCode.POLICY_MISMATCH, f"the configuration is not that of {profile.name}: bytes {places}"
    )


def config_zone_is_locked(proof: Proof) -> Reason | None:
    """LockConfig is set: the configuration can never be changed again."""
    if proof.chip.config_locked:
        return None
    return Reason(ReasonCode.CONFIG_UNLOCKED, "the configuration zone is not locked")


def data_zone_is_locked(proof: Proof) -> Reason | None:
    """LockValue is set: before that, PrivWrite does not heed SlotConfig."""
    if proof.chip.data_locked:
        return None
    return Reason(ReasonCode.DATA_UNLOCKED, "the data zone is not locked")


def slots_are_locked(proof: Proof, slots: Sequence[int]) -> Reason | None:
    """The keys in these slots can never be replaced."""
    unlocked = [number for number in slots if not proof.chip.slot(number).locked]
    if not unlocked:
        return None
    return Reason(ReasonCode.SLOT_UNLOCKED, f"not locked: slot {', '.join(map(str, unlocked))}")


def attestation_key_is_endorsed(proof: Proof, endorsements: Sequence[EndorsementClaim]) -> Reason | None:
    """Somebody vouches that this attestation key lives in the chip of this serial number."""
    if any(_speaks_of(endorsement, proof) for endorsement in endorsements):
        return None
    return Reason(
        ReasonCode.UNENDORSED, f"nobody vouches for this attestation key in chip {proof.serial_number.hex()}"
    )


def endorsement_is_accepted(
    proof: Proof, endorsements: Sequence[EndorsementClaim], accepted: Collection[str]
) -> Reason | None:
    """Of those who vouch for the attestation key, at least one is of a kind that policy names."""
    kinds = sorted({endorsement.kind for endorsement in endorsements if _speaks_of(endorsement, proof)})
    if not kinds or any(kind in accepted for kind in kinds):
        return None
    return Reason(
        ReasonCode.ENDORSEMENT_NOT_ACCEPTED,
        f"endorsed as {', '.join(kinds)}; accepted is {', '.join(sorted(accepted))}",
    )


def _speaks_of(endorsement: EndorsementClaim, proof: Proof) -> bool:
    same_chip = endorsement.element_serial == proof.serial_number.hex()
    return same_chip and hmac.compare_digest(endorsement.attestation_key, proof.attestation_key)


def csr_is(proof: Proof, csr_sha256: bytes) -> Reason | None:
    """The proof was made for this very CSR."""
    if proof.csr is not None and hmac.compare_digest(proof.csr, csr_sha256):
        return None
    return Reason(ReasonCode.CSR_MISMATCH, "the proof was made for another CSR")
