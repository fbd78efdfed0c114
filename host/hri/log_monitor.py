"""Was everything logged that was issued, and issued that was logged?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from hri.audit.entry import Entry
from hri.checkpoint import Checkpoint
from hri.finding import Finding
from hri.registry import LoggedCertificate, Registry
from hri.registry.database import to_micros
from hri.signed_note import NoteError, NoteVerifier
from hri.transparency.merkle import ProofError, inclusion_proof, leaf_hash, verify_inclusion
from hri.transparency.tiles import WIDTH, node_of

_PAGE = 4 * WIDTH
MAX_DELAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A proof that a certificate is in the log: its place, the path of hashes, and the checkpoint."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class _Acts:
    """What the audit log tells: SHA-256 -> serial number and µs since 1970 of what was issued; what ended."""

    issued: dict[bytes, tuple[str, int]]
    revoked: set[str]


def monitor_registry(registry: Registry, now: datetime, max_delay: timedelta = MAX_DELAY) -> list[Finding]:
    """Compare certificates, log and acts, each with the others. Raises StorageError."""
    # In this order: what is issued meanwhile has its act before it is looked for.
    size, pending = registry.log_head().size, registry.pending()
    acts = _acts(registry)
    seen: set[bytes] = set()
    findings: list[Finding] = []
    latest = to_micros(now - max_delay)
    for row in pending:
        findings += _against_act(row, acts, seen)
        if row.issued_at < latest:
            findings.append(
                Finding("not-logged", f"certificate {row.serial_number} has waited longer than {max_delay}")
            )
    for begin in range(0, size, _PAGE):
        end = min(begin + _PAGE, size)
        rows = {row.index: row for row in registry.log_entries(begin, end)}
        for index in range(begin, end):
            entry = rows.get(index)
            if entry is None:
                findings.append(Finding("no-issuance", f"no certificate is recorded for log entry {index}"))
            else:
                findings += _against_act(entry, acts, seen)
    return [*findings, *_unseen(registry, acts, seen), *_still_good(registry, acts)]


def _against_act(row: LoggedCertificate, acts: _Acts, seen: set[bytes]) -> Iterator[Finding]:
    digest = hashlib.sha256(row.leaf.certificate).digest()
    seen.add(digest)
    what = f"certificate {row.serial_number}" + ("" if row.index is None else f", log entry {row.index}")
    told = acts.issued.get(digest)
    if told is None and not row.leaf.before_log:
        yield Finding("no-issuance", f"{what}: the audit log has no act of its issue")
    elif told is not None and (told != (row.serial_number, row.issued_at) or row.leaf.before_log):
        yield Finding("edited", f"{what}: it was issued at another time or under another number")
    elif told is None and _serial_number(row.leaf.certificate) != row.serial_number:
        yield Finding("edited", f"{what}: the certificate itself has another number")


def _unseen(registry: Registry, acts: _Acts, seen: set[bytes]) -> Iterator[Finding]:
    """Report certificates that the audit log tells of and that neither are in the log nor wait for it."""
    for digest, (serial, _) in acts.issued.items():
        if digest in seen:
            continue
        row = registry.log_entry_of(serial)
        if row is None or hashlib.sha256(row.leaf.certificate).digest() != digest:
            what = f"certificate {serial} was issued, by the audit log, and is not recorded"
            yield Finding("not-logged", what)


def _still_good(registry: Registry, acts: _Acts) -> Iterator[Finding]:
    for serial in sorted(acts.revoked):
        record = registry.certificate(int(serial, 16))
        if record is not None and record.state != "revoked":
            yield Finding("not-revoked", f"certificate {serial} was revoked, and is {record.state} again")


def _serial_number(der: bytes) -> str | None:
    try:
        return f"{x509.load_der_x509_certificate(der).serial_number:040x}"
    except ValueError:
        return None


def monitor_certificate(
    registry: Registry, verifier: NoteVerifier, certificate: x509.Certificate, issuing: x509.Certificate
) -> Inclusion | Finding:
    """Prove that a certificate that turned up somewhere is in the log, or say what is wrong with it.

    Raises StorageError.
    """
    der = certificate.public_bytes(Encoding.DER)
    try:
        certificate.verify_directly_issued_by(issuing)
    except (ValueError, TypeError, InvalidSignature):
        return Finding("not-ours", "the certificate is not signed by this authority")
    serial = f"{certificate.serial_number:040x}"
    row = registry.log_entry_of(serial)
    if row is None or row.index is None:
        what = "waits for its place in the log" if row else "is signed by this authority and was never issued"
        return Finding("not-logged", f"certificate {serial} {what}")
    if row.leaf.certificate != der:
        return Finding("not-logged", f"another certificate than this is in the log as {serial}")
    head = registry.log_head()
    try:
        signed = Checkpoint.opened(head.checkpoint or "", verifier)
        entry = leaf_hash(row.leaf.to_bytes())
        proof = inclusion_proof(
            row.index, signed.size, lambda height, at: node_of(height, at, registry.log_tile)
        )
        verify_inclusion(entry, row.index, signed.size, proof, signed.digest)
    except (NoteError, ProofError, ValueError) as error:
        return Finding("not-logged", f"certificate {serial} is not provably in the log: {error}")
    return Inclusion(row.index, tuple(proof), head.checkpoint or "")


def _acts(registry: Registry) -> _Acts:
    acts = _Acts({}, set())
    # What was put on record again from the exported log says itself when it was issued.
    for name in ("issue", "replay", "revoke"):
        for row in registry.audit_entries(act=name):
            try:
                entry = Entry.from_bytes(row.entry)
            except ValueError:
                # For `hri audit verify` to tell of; here it vouches for nothing.
                continue
            digest, serial = entry.act.details.get("sha256"), entry.act.details.get("certificate")
            if isinstance(digest, bytes) and isinstance(serial, str):
                acts.issued[digest] = serial, entry.act.details.get("issued_at", entry.at)
            acts.revoked.update(entry.act.details.get("certificates", ()))
    return acts
