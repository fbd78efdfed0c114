"""After a restore: what the exported log and the published lists know, and the registry no longer does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri.audit.recorder import Recorder
from hri.ca.files import disk_errors
from hri.checkpoint import Checkpoint
from hri.errors import ConfigurationError, PolicyRefusal
from hri.registry import Registry, RevokedEntry
from hri.registry.database import to_micros
from hri.registry.log_replay import Replayed, ReplayedEntry
from hri.signed_note import NoteError, NoteVerifier
from hri.transparency.leaf import Leaf
from hri.transparency.tiles import WIDTH, tiles_of, unbundle
from hri.verify.leaf import DEVICE_URI


@dataclass(frozen=True, slots=True)
class PublishedSince:
    """What was revoked, by lists that were published after the backup, and the largest of their numbers."""

    revoked: tuple[RevokedEntry, ...] = ()
    number: int = 0


def replay_log(
    registry: Registry,
    verifier: NoteVerifier,
    folder: Path,
    now: datetime,
    *,
    lists: PublishedSince,
    kept: Sequence[str] = (),
    recorder: Recorder,
) -> Replayed:
    """Put on record again what the log in `folder` (`hri log export`) has and the registry has not.

    The log goes on as it was signed and published: it is never forked. `kept` are checkpoints from elsewhere,
    none of which may know more than the folder.

    Raises ConfigurationError (no such log, or another's), PolicyRefusal (it does not continue this registry,
    or a checkpoint tells of more), StorageError.
    """
    note = _read(folder / "checkpoint").decode("utf-8", "replace")
    checkpoint = _opened(note, verifier, str(folder / "checkpoint"))
    head = registry.log_head()
    known = [_opened(one, verifier, "the checkpoint kept elsewhere") for one in kept]
    longest = max((one.size for one in known), default=0)
    if longest > max(checkpoint.size, head.size):
        raise PolicyRefusal(
            "log-incomplete",
            f"a checkpoint of {longest} entries was signed, and {folder} has {checkpoint.size}",
            "find the newest export of the log: what was handed out would stay unknown",
        )
    return registry.replay_log(
        note,
        (checkpoint, *known),
        tuple(_entries(folder, head.size, checkpoint.size)),
        lists.revoked,
        lists.number,
        now,
        since=head.size,
        recorder=recorder,
    )


def published_since(lists: Sequence[bytes], issuers: Sequence[x509.Certificate]) -> PublishedSince:
    """Read revocation lists (DER or PEM) that CAs of ours signed. Raises ConfigurationError for others."""
    revoked: dict[int, RevokedEntry] = {}
    number = 0
    for data in lists:
        found = _list(data, issuers)
        try:
            said = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        except x509.ExtensionNotFound:
            said = 0
        number = max(number, said)
        for one in found:
            try:
                flag = one.extensions.get_extension_for_class(x509.CRLReason).value.reason
                reason = flag.value
            except x509.ExtensionNotFound:
                reason = "unspecified"
            revoked[one.serial_number] = RevokedEntry(one.serial_number, one.revocation_date_utc, reason)
    return PublishedSince(tuple(revoked.values()), number)


def _list(data: bytes, issuers: Sequence[x509.Certificate]) -> x509.CertificateRevocationList:
    try:
        pem = b"-----BEGIN" in data
        found = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
    except ValueError as error:
        raise ConfigurationError("no-crl", "that is no revocation list", "give one in DER or PEM") from error
    for issuer in issuers:
        key = issuer.public_key()
        if issuer.subject == found.issuer and found.is_signature_valid(key):  # type: ignore[arg-type]
            return found
    raise ConfigurationError(
        "foreign-crl", "that revocation list is not signed by this authority", "give the lists of its CAs"
    )


def _entries(folder: Path, begin: int, end: int) -> Iterator[ReplayedEntry]:
    """Return the entries with `begin` <= index < `end`, out of their bundles."""
    for tile in tiles_of(end):
        first = tile.index * WIDTH
        if tile.level or first + tile.width <= begin:
            continue
        path = folder / tile.bundle_path
        if not path.exists():
            # A later export has replaced the partial bundle by the full one.
            path = folder / tile.bundle_path.partition(".p/")[0]
        try:
            bundle = unbundle(_read(path))[: tile.width]
            leaves = [Leaf.from_bytes(entry) for entry in bundle]
        except ValueError as error:
            raise _torn(path) from error
        if len(leaves) != tile.width:
            raise _torn(path)
        for leaf in leaves[max(0, begin - first) :]:
            yield _entry(leaf, path)


def _entry(leaf: Leaf, path: Path) -> ReplayedEntry:
    try:
        found = x509.load_der_x509_certificate(leaf.certificate)
        spki = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        serial = f"{found.serial_number:040x}"
        return ReplayedEntry(
            leaf,
            serial,
            _device_named(found, serial),
            hashlib.sha256(spki).hexdigest(),
            to_micros(found.not_valid_before_utc),
            to_micros(found.not_valid_after_utc),
            _issuer(found),
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _torn(path) from error


def _device_named(certificate: x509.Certificate, serial: str) -> str:
    """Return whose certificate it is: by its URI, else its common name, else a name made of its number."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    devices = [uri.removeprefix(DEVICE_URI) for uri in uris if uri.startswith(DEVICE_URI)]
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    found = [name for name in (*devices, *(str(one.value) for one in common)) if 0 < len(name) <= 64]
    return found[0] if found else f"certificate-{serial}"


def _issuer(certificate: x509.Certificate) -> str | None:
    try:
        value = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None
    return None if value.key_identifier is None else value.key_identifier.hex()


def _opened(note: str, verifier: NoteVerifier, what: str) -> Checkpoint:
    try:
        return Checkpoint.opened(note, verifier)
    except NoteError as error:
        raise ConfigurationError(
            "another-log", f"{what} is not this log's: {error}", "give what this authority exported"
        ) from error


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise _torn(path)
    with disk_errors(path):
        return path.read_bytes()


def _torn(path: Path) -> ConfigurationError:
    return ConfigurationError(
        "log-torn", f"{path} is not there, or not as it was exported", "copy the exported log again, in full"
    )
