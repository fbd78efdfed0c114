"""Is this report whole, and by whom is it? A verdict with reasons."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from hri.ca.files import read_input
from hri.errors import ConfigurationError
from hri.testing.report.document import DOCUMENT, FORMAT, SIGNATURE
from hri.testing.report.signature import is_by, read_public, spki_sha256

_LARGEST = 1 << 28


class ReportFault(StrEnum):
    """Why a report is not taken as evidence."""

    UNSIGNED = "unsigned"
    SIGNATURE_MISSING = "signature-missing"
    SIGNATURE_INVALID = "signature-invalid"
    ANOTHER_KEY = "another-key"
    FILE_MISSING = "file-missing"
    FILE_CHANGED = "file-changed"


@dataclass(frozen=True, slots=True)
class ReportReason:
    """One reason, with what it is about in words."""

    code: ReportFault
    detail: str


@dataclass(frozen=True, slots=True)
class ReportVerdict:
    """True where nothing speaks against the report. `signer` is the SPKI's SHA-256 that the report names.

    `known` says that the caller named the key; without that, whose key it is remains to be seen.
    """

    reasons: tuple[ReportReason, ...]
    signer: str | None
    known: bool
    totals: dict[str, Any]

    def __bool__(self) -> bool:
        return not self.reasons


def check_report(folder: Path, key: ec.EllipticCurvePublicKey | None) -> ReportVerdict:
    """Check signature and files of the report in `folder`, by `key` or else by the one that it names itself.

    Raises ConfigurationError for a folder without a report that can be read, and StorageError.
    """
    data = read_input(folder / DOCUMENT, "the report", limit=_LARGEST)
    signature = None
    if (folder / SIGNATURE).exists():
        signature = read_input(folder / SIGNATURE, "the signature")
    if key is not None and signature is not None and not is_by(key, data, signature):
        # Before anything is read out of a document that may be anybody's.
        return ReportVerdict((_not_by(key, data, signature),), None, True, {})
    report = _read(data)
    signer = report.get("signer")
    named = signer if isinstance(signer, dict) else None
    reasons = [*_signed(named, key, data, signature), *_files(folder, report)]
    totals = report.get("totals")
    return ReportVerdict(
        tuple(reasons),
        str(named.get("spki_sha256")) if named else None,
        key is not None,
        totals if isinstance(totals, dict) else {},
    )


def _not_by(key: ec.EllipticCurvePublicKey, data: bytes, signature: bytes) -> ReportReason:
    """Return why the signature does not hold under `key`: another key's, or data or signature changed."""
    try:
        own = _own_key(_read(data).get("signer"))
    except ConfigurationError:
        own = None
    if own is not None and spki_sha256(own) != spki_sha256(key) and is_by(own, data, signature):
        return ReportReason(
            ReportFault.ANOTHER_KEY, f"signed by the key {spki_sha256(own)}, not by the one given"
        )
    return ReportReason(ReportFault.SIGNATURE_INVALID, f"{SIGNATURE} is no signature of this {DOCUMENT}")


def _read(data: bytes) -> dict[str, Any]:
    try:
        report = json.loads(data)
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise ConfigurationError(
            "bad-report", f"{DOCUMENT} is no report of the format {FORMAT}", "give the folder of --hri-report"
        )
    return report


def _own_key(signer: object) -> ec.EllipticCurvePublicKey | None:
    pem = signer.get("public_key") if isinstance(signer, dict) else None
    return read_public(pem.encode(), "the report's own key") if isinstance(pem, str) else None


def _signed(
    signer: dict[str, Any] | None,
    key: ec.EllipticCurvePublicKey | None,
    data: bytes,
    signature: bytes | None,
) -> list[ReportReason]:
    if signer is None:
        return [ReportReason(ReportFault.UNSIGNED, "the report says that nobody signed it")]
    if signature is None:
        return [ReportReason(ReportFault.SIGNATURE_MISSING, f"{SIGNATURE} is not there")]
    own = key or _own_key(signer)
    if own is None or not is_by(own, data, signature):
        return [
            ReportReason(ReportFault.SIGNATURE_INVALID, f"{SIGNATURE} is no signature of this {DOCUMENT}")
        ]
    if spki_sha256(own) != signer.get("spki_sha256"):
        return [
            ReportReason(ReportFault.ANOTHER_KEY, f"as its signer's it names {signer.get('spki_sha256')}")
        ]
    return []


def _files(folder: Path, report: dict[str, Any]) -> list[ReportReason]:
    files = report.get("files")
    reasons = []
    for name, digest in (files if isinstance(files, dict) else {}).items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            reasons.append(ReportReason(ReportFault.FILE_MISSING, f"{name} is not there"))
        elif hashlib.sha256(read_input(path, "a part", limit=_LARGEST)).hexdigest() != digest:
            reasons.append(
                ReportReason(ReportFault.FILE_CHANGED, f"{name} is not the one that the report names")
            )
    return reasons
