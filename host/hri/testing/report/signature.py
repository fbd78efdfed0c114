"""Who made a report: ECDSA on P-256 with SHA-256 over its exact bytes, as openssl checks it too."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from hri.ca.files import disk_errors, read_input
from hri.errors import ConfigurationError

KEY_VARIABLE = "HRI_REPORT_KEY"
PASSPHRASE_VARIABLE = "HRI_REPORT_PASSPHRASE"  # noqa: S105 - a name
_PEM = "-----BEGIN"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ECDSA = ec.ECDSA(hashes.SHA256())


def spki_sha256(key: ec.EllipticCurvePublicKey) -> str:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7, DER), in hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def public_pem(key: ec.EllipticCurvePublicKey) -> str:
    """Return a public key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public(pem: bytes, what: str) -> ec.EllipticCurvePublicKey:
    """Read a P-256 public key; raises ConfigurationError for anything else, `what` says which file it was."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "bad-key", f"{what} is no public key in PEM", "give the output of `hri hil key`"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError("bad-key", f"{what} is not a P-256 key", "give the output of `hri hil key`")
    return key


def is_by(key: ec.EllipticCurvePublicKey, data: bytes, signature: bytes) -> bool:
    """Return whether `signature` (DER) of `data` is by `key`."""
    try:
        key.verify(signature, data, _ECDSA)
    except InvalidSignature:
        return False
    return True


class ReportKey:
    """A key that signs reports."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = key.public_key()

    @classmethod
    def given(cls, option: str | None, environ: Mapping[str, str]) -> Self | None:
        """Return the key of the option, else of HRI_REPORT_KEY (a path, or the PEM itself), else None.

        Raises ConfigurationError for a file that others can read, that is no P-256 key, or that
        HRI_REPORT_PASSPHRASE does not open.
        """
        named = option or environ.get(KEY_VARIABLE)
        if not named:
            return None
        if option is None and named.lstrip().startswith(_PEM):
            return cls._read(named.encode(), KEY_VARIABLE, environ)
        path = Path(named)
        pem = read_input(path, "the report key")
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            raise ConfigurationError(
                "key-readable",
                f"others can read the report key {path} (mode {mode:04o})",
                f"chmod 600 {path}",
            )
        return cls._read(pem, str(path), environ)

    @classmethod
    def _read(cls, pem: bytes, what: str, environ: Mapping[str, str]) -> Self:
        passphrase = environ.get(PASSPHRASE_VARIABLE) or None
        try:
            key = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
        except (TypeError, ValueError, UnsupportedAlgorithm):
            # Its own words may repeat a part of what it was given.
            raise ConfigurationError(
                "bad-key",
                f"the report key {what} cannot be opened",
                f"make one with `hri hil key`; where it has a passphrase, set {PASSPHRASE_VARIABLE}",
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ConfigurationError(
                "bad-key", f"the report key {what} is not a P-256 key", "make one with `hri hil key`"
            )
        return cls(key)

    def sign(self, data: bytes) -> bytes:
        """Return the signature of `data`, DER."""
        return self._key.sign(data, _ECDSA)


def make_key(path: Path, environ: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
    """Make a key in a new file (mode 0600) and return its public half.

    It is encrypted where HRI_REPORT_PASSPHRASE is set.

    Raises ConfigurationError where the file is there already, and StorageError.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    passphrase = environ.get(PASSPHRASE_VARIABLE)
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    with disk_errors(path):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigurationError(
                "key-exists", f"{path} is there already", "give another file, or keep using this one"
            ) from None
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
    return key.public_key()
