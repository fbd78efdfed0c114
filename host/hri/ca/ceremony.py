"""Making a certification authority: all of it or none of it.

Everything is written into a folder of its own, synced, and renamed into place in one step; a process killed
at any moment leaves either no authority or a whole one, and running the same command again completes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hri.ca.files import disk_errors, sync_folder, write_atomically
from hri.ca.keys import encrypted_pem
from hri.ca.profiles import KEY_USAGES
from hri.errors import ConfigurationError
from hri.registry.folder_lock import exclusive

ROOT_VALIDITY = timedelta(days=20 * 365 + 5)
ISSUING_VALIDITY = timedelta(days=10 * 365 + 2)
_DRAFT = ".ca-draft-"


@dataclass(frozen=True, slots=True)
class CeremonyResult:
    """Where a new authority's parts are."""

    folder: Path
    root_key: Path


def root_key_name(root: x509.Certificate) -> str:
    """Return the file name of a root key kept elsewhere; it names its root, so that no two roots collide."""
    return f"hri-root-{root.fingerprint(hashes.SHA256()).hex()[:16]}.key"


def hold_ceremony(
    home: Path,
    *,
    organisation: str,
    common_name: str,
    root_passphrase: bytes,
    ca_passphrase: bytes,
    root_out: Path | None,
    now: datetime,
    root_validity: timedelta = ROOT_VALIDITY,
    issuing_validity: timedelta = ISSUING_VALIDITY,
) -> CeremonyResult:
    """Make the root, the issuing CA and the operator key under `home`/ca.

    The root key is encrypted under its own passphrase and goes to `root_out` where that is given, so that it
    never touches `home`.

    Raises ConfigurationError (an authority is there already, an empty passphrase) and StorageError.
    """
    folder = home / "ca"
    if folder.exists():
        raise _already_there(folder)
    root_key, issuing_key, operator_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    start = now.replace(microsecond=0)
    names = _names(organisation, common_name)
    root = _authority_certificate(
        names[0], names[0], root_key.public_key(), root_key, start, root_validity, None
    )
    issuing = _authority_certificate(
        names[1], names[0], issuing_key.public_key(), root_key, start, min(issuing_validity, root_validity), 0
    )
    operator_public = operator_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    files = {
        "root.pem": (root.public_bytes(Encoding.PEM), 0o644),
        "issuing.pem": (issuing.public_bytes(Encoding.PEM), 0o644),
        "issuing.key": (encrypted_pem(issuing_key, ca_passphrase, "issuing CA"), 0o600),
        "operator.pem": (operator_public, 0o644),
        "operator.key": (encrypted_pem(operator_key, ca_passphrase, "operator"), 0o600),
    }
    root_pem = encrypted_pem(root_key, root_passphrase, "root CA")
    if root_out is None:
        root_path = folder / "root.key"
        files["root.key"] = (root_pem, 0o600)
    else:
        root_path = root_out / root_key_name(root)
    try:
        if root_out is not None:
            # Before the authority: an orphaned root key harms nobody, an authority without its root would.
            write_atomically(root_path, root_pem, 0o600)
        _place(folder, files)
    except BaseException:
        # Not once the authority is in place, though the sync after that may have failed: it needs its root.
        if root_out is not None and not folder.exists():
            root_path.unlink(missing_ok=True)
        raise
    return CeremonyResult(folder, root_path)


def adopt_authority(home: Path, root_pem: bytes, issuing_pem: bytes, ca_passphrase: bytes) -> Path:
    """Make `home`/ca of somebody else's certificates and a new operator key; returns the folder.

    Raises ConfigurationError (an authority is there already, an empty passphrase) and StorageError.
    """
    folder = home / "ca"
    if folder.exists():
        raise _already_there(folder)
    operator_key = ec.generate_private_key(ec.SECP256R1())
    operator_public = operator_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    files = {
        "root.pem": (root_pem, 0o644),
        "issuing.pem": (issuing_pem, 0o644),
        "operator.pem": (operator_public, 0o644),
        "operator.key": (encrypted_pem(operator_key, ca_passphrase, "operator"), 0o600),
    }
    _place(folder, files)
    return folder


def _place(folder: Path, files: dict[str, tuple[bytes, int]]) -> None:
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with disk_errors(folder), exclusive(folder.parent, "making an authority"):
        for left_over in folder.parent.glob(f"{_DRAFT}*"):
            # Of a ceremony that was killed: nobody else is at work here now.
            shutil.rmtree(left_over, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder.parent))
        try:
            for name, (data, mode) in files.items():
                write_atomically(draft / name, data, mode)
            try:
                # rename(2) onto a folder that holds something fails: the loser of a race changes nothing.
                os.rename(draft, folder)
            except OSError as error:
                if folder.exists():
                    raise _already_there(folder) from error
                raise
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def _names(organisation: str, common_name: str) -> tuple[x509.Name, x509.Name]:
    for what, value in (("organisation", organisation), ("common name", common_name)):
        if not value.strip() or len(value) > 56 or not value.isprintable():
            raise ConfigurationError(
                "bad-ca-name",
                f"the {what} of the authority has 1 to 56 printable characters",
                "choose another",
            )

    def name(suffix: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{common_name} {suffix}"),
            ]
        )

    return name("root"), name("issuing")


def _authority_certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    start: datetime,
    validity: timedelta,
    path_length: int | None,
) -> x509.Certificate:
    usage = x509.KeyUsage(**{name: name in ("key_cert_sign", "crl_sign") for name in KEY_USAGES})
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )


def _already_there(folder: Path) -> ConfigurationError:
    return ConfigurationError(
        "ca-exists", f"there is an authority in {folder} already", "use it, or choose another --home"
    )
