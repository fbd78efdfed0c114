"""The keys that sign both logs' checkpoints: Ed25519, encrypted under the CA passphrase, in one file.

Ed25519 because C2SP tlog-tiles asks for it; keys of their own because a log that its own CA's key could
rewrite says less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from hri.audit.recorder import LogKeys
from hri.ca.files import disk_errors, sync_folder, write_atomically
from hri.errors import ConfigurationError
from hri.registry.folder_lock import exclusive
from hri.signed_note import NoteError, NoteSigner, NoteVerifier

_LOGS = ("certificates", "audit")
# A line before each key, which readers of PEM pass over; the file is whole or not there.
_VERIFIER = "# verifier: "


@dataclass(frozen=True, slots=True)
class LogVerifiers:
    """The public halves, by which checkpoints of the two logs are read."""

    certificates: NoteVerifier
    audit: NoteVerifier


def open_log_keys(
    home: Path, passphrase: bytes, root: x509.Certificate, begin: Callable[[LogKeys], None]
) -> LogKeys:
    """Open the keys of a home folder; where there are none, make them and have both logs begun with them.

    `begin` signs what the logs hold now. The keys take their place after that, so that keys in place have
    signed: a log without their signature was changed by somebody else. A process killed in between leaves a
    draft of them, with which the next one begins again. They are named by the authority's `root`.

    Raises ConfigurationError, StorageError, and what `begin` raises.
    """
    path = _path(home)
    if path.exists():
        return _read(path, passphrase)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with disk_errors(path), exclusive(path.parent, "making the keys of the logs"):
        if path.exists():
            return _read(path, passphrase)
        draft = path.with_suffix(".draft")
        if not draft.exists():
            write_atomically(draft, _made(passphrase, root), 0o600)
        keys = _read(draft, passphrase)
        begin(keys)
        draft.replace(path)
        sync_folder(path.parent)
        return keys


def _made(passphrase: bytes, root: x509.Certificate) -> bytes:
    if not passphrase:
        raise ConfigurationError(
            "empty-passphrase", "the keys of the logs need a passphrase", "give one that is not empty"
        )
    name = root.fingerprint(hashes.SHA256()).hex()[:16]
    parts = []
    for log in _LOGS:
        key = Ed25519PrivateKey.generate()
        # A name that is a URL, as C2SP wants it, and that nobody can own (RFC 2606 section 2).
        verifier = NoteSigner(f"hri.invalid/{name}/{log}", key).verifier.to_text()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
        parts.append(f"{_VERIFIER}{verifier}\n".encode() + pem)
    return b"".join(parts)


def log_verifiers(home: Path) -> LogVerifiers | None:
    """Return the public halves of a home's keys, None where it has none yet; needs no passphrase.

    Raises ConfigurationError and StorageError.
    """
    path = _path(home)
    if not path.exists():
        return None
    verifiers, _ = _parts(path)
    return LogVerifiers(*verifiers)


def _read(path: Path, passphrase: bytes) -> LogKeys:
    verifiers, keys = _parts(path)
    signers = []
    for verifier, pem in zip(verifiers, keys, strict=True):
        try:
            key = load_pem_private_key(pem, passphrase)
        except (TypeError, ValueError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(
                "wrong-passphrase",
                f"the passphrase does not open the keys of the logs, or {path} is damaged",
                "give the CA passphrase, or restore the file from a backup",
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise _broken(path)
        signer = NoteSigner(verifier.name, key)
        if signer.verifier != verifier:
            raise _broken(path)
        signers.append(signer)
    return LogKeys(*signers)


def _parts(path: Path) -> tuple[list[NoteVerifier], list[bytes]]:
    with disk_errors(path):
        text = path.read_bytes().decode("ascii", "replace")
    _, *parts = text.split(_VERIFIER)
    if len(parts) != len(_LOGS):
        raise _broken(path)
    lines = [part.partition("\n") for part in parts]
    try:
        return [NoteVerifier.from_text(line) for line, _, _ in lines], [pem.encode() for _, _, pem in lines]
    except NoteError as error:
        raise _broken(path) from error


def _broken(path: Path) -> ConfigurationError:
    return ConfigurationError("ca-broken", f"{path} is damaged", "restore the folder ca from a backup")


def _path(home: Path) -> Path:
    return home / "ca" / "log-signers.pem"
