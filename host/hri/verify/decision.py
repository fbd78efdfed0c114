"""A decision is a value with typed reasons: never a bare False, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ReasonCode(StrEnum):
    """Why something was refused; the values are part of the public interface (`--json`, HTTP, audit)."""

    # Anything at all
    MALFORMED = "malformed"
    SIGNATURE_INVALID = "signature-invalid"
    WRONG_PURPOSE = "wrong-purpose"
    DEVICE_ID_MISMATCH = "device-id-mismatch"
    VERIFIER_MISMATCH = "verifier-mismatch"
    KEY_MISMATCH = "key-mismatch"
    KEY_UNSUPPORTED = "key-unsupported"
    # Certificates
    CHAIN_INVALID = "chain-invalid"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation-unknown"
    # Challenges
    CHALLENGE_UNKNOWN = "challenge-unknown"
    CHALLENGE_EXPIRED = "challenge-expired"
    CHALLENGE_USED = "challenge-used"
    CHALLENGE_MISMATCH = "challenge-mismatch"
    # Attestation
    EVIDENCE_MISSING = "evidence-missing"
    ELEMENT_UNSUPPORTED = "element-unsupported"
    NOT_BORN_IN_CHIP = "not-born-in-chip"
    ATTESTATION_SIGNATURE_INVALID = "attestation-signature-invalid"
    ATTESTATION_KEY_SIGNS_EXTERNALLY = "attestation-key-signs-externally"
    ATTESTATION_KEY_MISMATCH = "attestation-key-mismatch"
    KEY_NOT_PRIVATE = "key-not-private"
    SLOT_MISMATCH = "slot-mismatch"
    POLICY_MISMATCH = "policy-mismatch"
    CONFIG_UNLOCKED = "config-unlocked"
    DATA_UNLOCKED = "data-unlocked"
    SLOT_UNLOCKED = "slot-unlocked"
    UNENDORSED = "unendorsed"
    ENDORSEMENT_NOT_ACCEPTED = "endorsement-not-accepted"
    SERIAL_MISMATCH = "serial-mismatch"
    CSR_MISMATCH = "csr-mismatch"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that was broken: the `code` is for programs, the `detail` for people."""

    code: ReasonCode
    detail: str

    def as_dict(self) -> dict[str, str]:
        """The reason as `--json` gives it."""
        return {"code": self.code.value, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is trusted, and if not, every reason why not.

    `device_id` is None where none could be established. `evidence` holds what the decision rests on, as
    values that JSON can carry. Raises ValueError if a trusted decision has reasons or an untrusted one none.
    """

    trusted: bool
    device_id: str | None
    reasons: tuple[Reason, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.trusted and self.reasons:
            raise ValueError("a trusted decision cannot carry reasons against it")
        if not self.trusted and not self.reasons:
            raise ValueError("a refusal must say why")

    @classmethod
    def of(
        cls, reasons: tuple[Reason, ...], device_id: str | None, evidence: Mapping[str, Any] | None = None
    ) -> Decision:
        """Trusted if and only if there is no reason against it."""
        return cls(not reasons, device_id, reasons, dict(evidence or {}))

    def __bool__(self) -> bool:
        return self.trusted

    @property
    def codes(self) -> tuple[ReasonCode, ...]:
        """The codes of the reasons, in the order in which the rules stand."""
        return tuple(reason.code for reason in self.reasons)

    def as_dict(self) -> dict[str, Any]:
        """The decision as `--json` gives it: trusted, device_id, reasons, evidence."""
        return {
            "trusted": self.trusted,
            "device_id": self.device_id,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "evidence": dict(self.evidence),
        }
