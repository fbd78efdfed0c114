"""The values that the registry keeps and gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

DeviceStatus = Literal[
    "registered", "provisioning", "active", "suspended", "transferred", "revoked", "decommissioned"
]
CertificateState = Literal["issued", "active", "superseded", "revoked"]
EndorsementKind = Literal["station-first-seen", "vendor-manifest"]
EvidenceKind = Literal["birth", "state", "authentication"]


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the registry knows it; `element_serial` is lower-case hex, None where no chip is known."""

    device_id: str
    element_type: str
    element_serial: str | None
    status: DeviceStatus
    slot: int | None
    created_at: datetime
    last_authenticated_at: datetime | None = None
    label: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """A certificate that was signed, and where in its life it is.

    `public_key_sha256` is the SHA-256 of the SubjectPublicKeyInfo in lower-case hex; `replaces` is the serial
    number of the certificate that this one supersedes once it is confirmed. It was issued on `evidence`
    (numbers of the registry's), or without any for the operator's reason `unattested`.
    """

    serial_number: int
    device_id: str
    der: bytes
    public_key_sha256: str
    state: CertificateState
    issued_at: datetime
    not_before: datetime
    not_after: datetime
    slot: int | None = None
    revoked_at: datetime | None = None
    reason: str | None = None
    replaces: int | None = None
    evidence: tuple[int, ...] = ()
    unattested: str | None = None


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One entry of a CRL; `reason` is a name of RFC 5280 section 5.3.1."""

    serial_number: int
    revoked_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Endorsement:
    """Somebody's word that an attestation key (64 bytes, X ‖ Y) lives in the chip of this serial number."""

    kind: EndorsementKind
    element_serial: str
    attestation_key: bytes
    seen_at: datetime
    station: str
    chip_state: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """Evidence as received, and what was thought of it; kept so that it can be appraised again offline.

    `public_key` (64 bytes) and `csr_sha256` (32 bytes) are what the evidence speaks of, where it does.
    `verdict` is JSON; its member `trusted` says whether the appraisal accepted the evidence.
    """

    id: int
    device_id: str | None
    element_serial: str
    kind: EvidenceKind
    cose: bytes
    challenge: bytes
    verifier: str
    created_at: datetime
    verdict: Mapping[str, Any]
    public_key: bytes | None = None
    csr_sha256: bytes | None = None


class ChallengeVerdict(StrEnum):
    """What became of an attempt to use a challenge."""

    OK = "ok"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    WRONG_DEVICE = "wrong-device"
    WRONG_VERIFIER = "wrong-verifier"
    WRONG_PURPOSE = "wrong-purpose"
