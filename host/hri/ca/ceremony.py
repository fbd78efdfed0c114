"""Making a certification authority: all of it or none of it.

Everything is written into a folder of its own, synced, and renamed into place in one step; a process killed
at any moment leaves either no authority or a whole one, and running the same command again completes it.
A key in a token that nothing names was made by such a process, and harms nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri.ca.ca_certificate import (
    ISSUING_VALIDITY,
    ROOT_TERMS,
    ROOT_VALIDITY,
    CaTerms,
    ca_certificate,
    ca_name,
)
from hri.ca.files import write_atomically
from hri.ca.keys import FileSigners
from hri.ca.placing import Files, place
from hri.ca.signer import KeyKind, NewKey, Signers
from hri.errors import ConfigurationError, HriError
from hri.log import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CeremonyResult:
    """Where a new authority's parts are."""

    folder: Path
    root_key: Path


def root_key_name(root: x509.Certificate) -> str:
    """Return the file name of a root key kept elsewhere; it names its root, so that no two roots collide."""
    return f"hri-root-{root.fingerprint(hashes.SHA256()).hex()[:16]}.key"


@dataclass(frozen=True, slots=True)
class CeremonyPlan:
    """What is to be made: names, kinds of key, how long the certificates are valid.

    The operator's key, which chips verify, is always P-256; so is a root whose key goes into chips.
    """

    organisation: str = "Hardware Rooted Identity"
    common_name: str = "HRI"
    root_kind: KeyKind = KeyKind.P256
    issuing_kind: KeyKind = KeyKind.P256
    root_validity: timedelta = ROOT_VALIDITY
    issuing_validity: timedelta = ISSUING_VALIDITY


def hold_ceremony(
    home: Path, plan: CeremonyPlan, *, root_keys: Signers, keys: Signers, root_out: Path | None, now: datetime
) -> CeremonyResult:
    """Make the root, the issuing CA and the operator key under `home`/ca.

    `root_keys` makes the root's key, `keys` the others. The root's goes to `root_out` where that is given, so
    that it never touches `home`.

    Raises ConfigurationError (an authority is there already, an empty passphrase), StorageError and
    DeviceError (a token).
    """
    folder = home / "ca"
    if folder.exists():
        raise _already_there(folder)
    root_name = ca_name(plan.organisation, f"{plan.common_name} root")
    issuing_name = ca_name(plan.organisation, f"{plan.common_name} issuing")
    with ExitStack() as undo:
        root_key = _made(undo, folder, lambda: root_keys.generate("root CA", plan.root_kind))
        issuing_key = _made(undo, folder, lambda: keys.generate("issuing CA", plan.issuing_kind))
        operator_key = _made(undo, folder, lambda: keys.generate("operator", KeyKind.P256))
        start = now.replace(microsecond=0)
        root = ca_certificate(
            root_name,
            root_key.signer.public_key(),
            issuer=root_name,
            signer=root_key.signer,
            start=start,
            end=start + plan.root_validity,
            terms=ROOT_TERMS,
        )
        issuing = ca_certificate(
            issuing_name,
            issuing_key.signer.public_key(),
            issuer=root_name,
            signer=root_key.signer,
            start=start,
            end=start + min(plan.issuing_validity, plan.root_validity),
            terms=CaTerms(),
        )
        files: Files = {
            "root.pem": (root.public_bytes(Encoding.PEM), 0o644),
            "issuing.pem": (issuing.public_bytes(Encoding.PEM), 0o644),
            f"issuing{issuing_key.suffix}": (issuing_key.content, 0o600),
            "operator.pem": (_public_pem(operator_key), 0o644),
            f"operator{operator_key.suffix}": (operator_key.content, 0o600),
        }
        return CeremonyResult(folder, _write(folder, files, root, root_key, root_out))


def _write(
    folder: Path, files: Files, root: x509.Certificate, root_key: NewKey, root_out: Path | None
) -> Path:
    """Put everything into place and return where the root's key is."""
    if root_out is None:
        name = f"root{root_key.suffix}"
        place(folder, {**files, name: (root_key.content, 0o600)}, lambda: _already_there(folder))
        return folder / name
    path = (root_out / root_key_name(root)).with_suffix(root_key.suffix)
    try:
        # Before the authority: an orphaned root key harms nobody, an authority without its root would.
        write_atomically(path, root_key.content, 0o600)
        place(folder, files, lambda: _already_there(folder))
    except BaseException:
        # Not once the authority is in place, though the sync after that may have failed: it needs its root.
        if not folder.exists():
            path.unlink(missing_ok=True)
        raise
    return path


def adopt_authority(home: Path, root_pem: bytes, issuing_pem: bytes, ca_passphrase: bytes) -> Path:
    """Make `home`/ca of somebody else's certificates and a new operator key; returns the folder.

    Raises ConfigurationError (an authority is there already, an empty passphrase) and StorageError.
    """
    folder = home / "ca"
    if folder.exists():
        raise _already_there(folder)
    operator_key = FileSigners(ca_passphrase).generate("operator", KeyKind.P256)
    files: Files = {
        "root.pem": (root_pem, 0o644),
        "issuing.pem": (issuing_pem, 0o644),
        "operator.pem": (_public_pem(operator_key), 0o644),
        f"operator{operator_key.suffix}": (operator_key.content, 0o600),
    }
    place(folder, files, lambda: _already_there(folder))
    return folder


def _made(undo: ExitStack, folder: Path, make: Callable[[], NewKey]) -> NewKey:
    """Make a key that is taken back if the authority does not come about."""
    made = make()

    def take_back() -> None:
        if folder.exists():
            return
        try:
            made.discard()
        except HriError as error:
            # The failure that led here is what has to be told.
            _log.warning("a key was left in the token", reason=error.message)

    undo.callback(take_back)
    return made


def _public_pem(key: NewKey) -> bytes:
    return key.signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _already_there(folder: Path) -> ConfigurationError:
    return ConfigurationError(
        "ca-exists", f"there is an authority in {folder} already", "use it, or choose another --home"
    )
