"""The registry: devices, certificates, endorsements, evidence, challenges, leases and both logs, in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hri.registry.audit_log import AuditLog, Recorded
from hri.registry.certificates import (
    REVOCATION_REASONS,
    Certificates,
    ConcurrentIssuance,
    IssuanceState,
    KeyOfAnotherDevice,
    LiveCertificate,
    revocation_reason,
)
from hri.registry.challenges import Challenges
from hri.registry.crls import Crls, PublishedCrl, ShardedUrl
from hri.registry.device_export import DeviceExport, ExportedCertificate, ExportedDevice
from hri.registry.device_import import DeviceImport, Imported, ImportRow
from hri.registry.device_life import DeviceLife
from hri.registry.device_search import DeviceFilter
from hri.registry.device_status import barred, require_not_barred
from hri.registry.devices import DevicePage, Devices
from hri.registry.due import Due, KeyInUse
from hri.registry.leases import Lease, Leases
from hri.registry.log_head import LogHead
from hri.registry.log_replay import LogReplay, Replayed
from hri.registry.merkle_log import LoggedCertificate, MerkleLog
from hri.registry.proofs import Proofs
from hri.registry.records import (
    CertificateRecord,
    CertificateState,
    ChallengeVerdict,
    Device,
    DeviceStatus,
    Endorsement,
    EndorsementKind,
    EvidenceKind,
    EvidenceRecord,
    RevokedEntry,
)
from hri.registry.statuses import CertificateStatus, Statuses
from hri.registry.turns import Turns


class Registry(
    Devices,
    DeviceLife,
    DeviceExport,
    DeviceImport,
    Certificates,
    Due,
    Statuses,
    Crls,
    Proofs,
    Challenges,
    Leases,
    Turns,
    AuditLog,
    MerkleLog,
    LogReplay,
):
    """Everything that is remembered, in one database; safe to share between threads."""


def registry_location(home: Path, environ: Mapping[str, str]) -> str | Path:
    """Return where the registry of a home folder is: HRI_DATABASE_URL if set, else hri.db inside."""
    return environ.get("HRI_DATABASE_URL") or home / "hri.db"


__all__ = [
    "REVOCATION_REASONS",
    "CertificateRecord",
    "CertificateState",
    "CertificateStatus",
    "ChallengeVerdict",
    "ConcurrentIssuance",
    "Device",
    "DeviceFilter",
    "DevicePage",
    "DeviceStatus",
    "Endorsement",
    "EndorsementKind",
    "EvidenceKind",
    "EvidenceRecord",
    "ExportedCertificate",
    "ExportedDevice",
    "ImportRow",
    "Imported",
    "IssuanceState",
    "KeyInUse",
    "KeyOfAnotherDevice",
    "Lease",
    "LiveCertificate",
    "LogHead",
    "LoggedCertificate",
    "PublishedCrl",
    "Recorded",
    "Registry",
    "Replayed",
    "RevokedEntry",
    "ShardedUrl",
    "barred",
    "registry_location",
    "require_not_barred",
    "revocation_reason",
]
