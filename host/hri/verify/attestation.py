"""Where does this key live? The appraisal of births and states (docs/protocol.md, RFC 9334).

Two questions are asked apart. Did the chip sign exactly what the evidence claims (`chip_signed`)? And is what
it claims acceptable (all other rules)? So every forgery is refused for its own reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri.elements.atecc.profile import Profile

from . import proof_rules as rules
from .answer import CHALLENGE_BYTES, challenge_is, device_id_is, purpose_is, verifier_is
from .atecc608 import Proof, birth_message, num_in, state_message
from .cose import MalformedError, Sign1, decode, encode, public_key
from .decision import Reason, ReasonCode
from .endorsement import EndorsementClaim

BIRTH = "hri/1 birth"
STATE = "hri/1 state"
# In a birth no CSR can exist yet, because its key does not (docs/protocol.md, "The nonce").
_NO_CSR = sha256(b"").digest()
_TYPES = {0x02: "atecc608a", 0x03: "atecc608b"}


@dataclass(frozen=True, slots=True)
class AttestationPolicy:
    """What evidence has to show: the chip profile, whose endorsement counts, which slots hold identities.

    `identity_slots` defaults to the profile's. Raises ValueError for a policy that would accept nothing, or
    an attestation slot as an identity.
    """

    profile: Profile
    accepted_endorsements: frozenset[str]
    identity_slots: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if not self.accepted_endorsements:
            raise ValueError("a policy must name at least one kind of endorsement")
        if not self.slots or not self.slots <= self.profile.identity_slots:
            raise ValueError("identity slots must be some of the profile's own")

    @property
    def slots(self) -> frozenset[int]:
        """The slots that may hold an identity key."""
        return self.profile.identity_slots if self.identity_slots is None else self.identity_slots


@dataclass(frozen=True, slots=True)
class BirthClaims:
    """What accepted evidence says about a key and its chip.

    `serial_number` 9 bytes, `revision` 4, keys 64 (X ‖ Y), `config` 128. `revision`, and with it
    `element_type`, is what the firmware read out; no signature of the chip covers it.
    """

    element_type: str
    serial_number: bytes
    revision: bytes
    slot: int
    public_key: bytes
    attestation_slot: int
    attestation_key: bytes
    config: bytes

    @property
    def element_serial(self) -> str:
        """The serial number in lower-case hex, as the registry keeps it."""
        return self.serial_number.hex()

    @property
    def derived_device_id(self) -> str:
        """SHA-256 of the key's SubjectPublicKeyInfo in lower-case hex: the device id where none is given."""
        key = public_key(self.public_key)
        return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The result of an appraisal; `claims` is None unless all of them are proved."""

    reasons: tuple[Reason, ...]
    claims: BirthClaims | None

    def __post_init__(self) -> None:
        if bool(self.reasons) == (self.claims is not None):
            raise ValueError("an appraisal has either reasons against it or claims that are proved")

    @property
    def ok(self) -> bool:
        return self.claims is not None

    def __bool__(self) -> bool:
        return self.ok

    @property
    def codes(self) -> tuple[ReasonCode, ...]:
        """The codes of the reasons, in the order in which the rules stand."""
        return tuple(reason.code for reason in self.reasons)


def appraise_birth(
    evidence: bytes | None,
    *,
    challenge: bytes,
    verifier: str,
    device_id: str,
    policy: AttestationPolicy,
    endorsements: Sequence[EndorsementClaim],
    element_serial: bytes | None = None,
) -> Appraisal:
    """Was this key made inside the chip, in answer to this challenge, in a slot that never lets it out?

    `device_id` is the one given by the operator, or empty while it is not yet known; `element_serial` is the
    9-byte serial number of the chip expected, where one is.
    """

    try:
        said = _Evidence.from_bytes(evidence, BIRTH)
    except _Refusal as refusal:
        return Appraisal((refusal.reason,), None)
    number_in = num_in(said.purpose, said.challenge, said.verifier, said.device_id, _NO_CSR)
    return _appraisal(
        said.proof,
        *_envelope_rules(said, verifier, device_id, challenge),
        rules.chip_signed(birth_message(said.proof, number_in), said.proof),
        rules.born_by_genkey(said.proof),
        rules.serial_is(said.proof, element_serial),
        *_chip_rules(said.proof, policy, endorsements),
        rules.slots_are_locked(said.proof, (policy.profile.attestation_slot,)),
    )


def appraise_state(
    evidence: bytes | None,
    *,
    challenge: bytes,
    verifier: str,
    device_id: str,
    csr_sha256: bytes,
    policy: AttestationPolicy,
    endorsements: Sequence[EndorsementClaim],
    birth: BirthClaims,
    require_locked: bool = True,
) -> Appraisal:
    """Is the key of that birth still in its chip, locked as the profile wants it, and asking for this CSR?

    `birth` is what the accepted birth proved. `require_locked=False` is for the moment before the permanent
    slot is locked; both zones and the attestation slot have to be locked even then.
    """
    try:
        said = _Evidence.from_bytes(evidence, STATE)
    except _Refusal as refusal:
        return Appraisal((refusal.reason,), None)
    csr = said.proof.csr or _NO_CSR
    number_in = num_in(said.purpose, said.challenge, said.verifier, said.device_id, csr)
    profile = policy.profile
    locked = (profile.attestation_slot, *((profile.identity_slot,) if require_locked else ()))
    return _appraisal(
        said.proof,
        *_envelope_rules(said, verifier, device_id, challenge),
        rules.chip_signed(state_message(said.proof, number_in), said.proof),
        rules.digest_by_genkey(said.proof),
        rules.csr_is(said.proof, csr_sha256),
        *_birth_rules(said.proof, birth),
        *_chip_rules(said.proof, policy, endorsements),
        rules.slots_are_locked(said.proof, locked),
    )


def challenge_of(evidence: bytes) -> bytes | None:
    """Return the challenge (32 bytes) that state evidence says it answers, None for what is no such evidence.

    Nothing of it is believed yet; this is for finding the challenge in the single-use store.
    """
    try:
        return _Evidence.from_bytes(evidence, STATE).challenge
    except _Refusal:
        return None


class _Refusal(Exception):
    """The evidence cannot be appraised at all, for one reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Evidence:
    """`[purpose, verifier, device_id, challenge, proof]` in its envelope, taken apart but not believed."""

    envelope: Sign1
    payload: bytes
    purpose: str
    verifier: str
    device_id: str
    challenge: bytes
    proof: Proof

    @classmethod
    def from_bytes(cls, data: bytes | None, expected_purpose: str) -> _Evidence:
        if not data:
            raise _Refusal(Reason(ReasonCode.EVIDENCE_MISSING, "there is no evidence"))
        try:
            said = cls._parse(data)
        except MalformedError as error:
            raise _Refusal(Reason(ReasonCode.MALFORMED, f"the evidence: {error}")) from error
        # Evidence of another kind is not looked into: its proof is laid out for other rules.
        if wrong := purpose_is(said.purpose, expected_purpose):
            raise _Refusal(wrong)
        return said

    @classmethod
    def _parse(cls, data: bytes) -> _Evidence:
        envelope = Sign1.from_bytes(data)
        if envelope.payload is None:
            raise MalformedError("evidence carries its payload")
        parts = decode(envelope.payload)
        if not isinstance(parts, (list, tuple)) or len(parts) != 5:
            raise MalformedError("evidence has five parts")
        purpose, verifier, device_id, challenge, value = parts
        if type(purpose) is not str or type(verifier) is not str or type(device_id) is not str:
            raise MalformedError("purpose, verifier and device id are text")
        if type(challenge) is not bytes or len(challenge) != CHALLENGE_BYTES:
            raise MalformedError(f"a challenge has {CHALLENGE_BYTES} bytes")
        proof = Proof.from_value(value, with_csr=purpose == STATE)
        if encode([purpose, verifier, device_id, challenge, proof.as_value()]) != envelope.payload:
            raise MalformedError("the payload is not deterministic CBOR")
        return cls(envelope, envelope.payload, purpose, verifier, device_id, challenge, proof)


def _envelope_rules(
    said: _Evidence, verifier: str, device_id: str, challenge: bytes
) -> tuple[Reason | None, ...]:
    """The evidence is for this verifier, device and challenge, and by the key it speaks of."""
    return (
        verifier_is(said.verifier, verifier),
        device_id_is(said.device_id, device_id),
        challenge_is(said.challenge, challenge),
        rules.envelope_is_by_the_key(said.envelope, said.payload, said.proof),
    )


def _chip_rules(
    proof: Proof, policy: AttestationPolicy, endorsements: Sequence[EndorsementClaim]
) -> tuple[Reason | None, ...]:
    """The chip is known, configured and locked as policy wants it."""
    return (
        rules.element_is_supported(proof),
        rules.serial_is_that_of_the_config(proof),
        rules.slot_is_for_identities(proof, policy.slots),
        rules.attested_by_attestation_slot(proof, policy.profile),
        rules.key_is_private(proof),
        rules.attestation_slot_refuses_external_sign(proof),
        rules.config_is_the_profile(proof, policy.profile),
        rules.config_zone_is_locked(proof),
        rules.data_zone_is_locked(proof),
        rules.attestation_key_is_endorsed(proof, endorsements),
        rules.endorsement_is_accepted(proof, endorsements, policy.accepted_endorsements),
    )


def _birth_rules(proof: Proof, birth: BirthClaims) -> tuple[Reason | None, ...]:
    """A state leans on the record of the birth, so it must speak of the same chip, slot and keys."""
    return (
        rules.serial_is(proof, birth.serial_number),
        _same(ReasonCode.SLOT_MISMATCH, proof.slot == birth.slot, "the slot"),
        _same(ReasonCode.KEY_MISMATCH, proof.public_key == birth.public_key, "the key"),
        _same(
            ReasonCode.ATTESTATION_KEY_MISMATCH,
            proof.attestation_key == birth.attestation_key,
            "the attestation key",
        ),
    )


def _same(code: ReasonCode, is_same: bool, what: str) -> Reason | None:
    return None if is_same else Reason(code, f"{what} is not that of the recorded birth")


def _appraisal(proof: Proof, *kept: Reason | None) -> Appraisal:
    reasons = tuple(reason for reason in kept if reason is not None)
    if reasons:
        return Appraisal(reasons, None)
    claims = BirthClaims(
        element_type=_TYPES.get(proof.revision[3], "atecc608"),
        serial_number=proof.serial_number,
        revision=proof.revision,
        slot=proof.slot,
        public_key=proof.public_key,
        attestation_slot=proof.attestation_slot,
        attestation_key=proof.attestation_key,
        config=proof.config,
    )
    return Appraisal((), claims)
