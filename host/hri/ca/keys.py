"""Private keys on disk: encrypted PKCS#8, mode 0600, opened with a passphrase."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from hri.ca.files import disk_errors
from hri.ca.signer import CURVES, RSA_BITS, KeyKind, NewKey, Signer, check_kind
from hri.errors import ConfigurationError

_ANY = frozenset(KeyKind)


class FileSigners:
    """Makes keys that are kept in files, encrypted under one passphrase."""

    def __init__(self, passphrase: bytes) -> None:
        self._passphrase = passphrase

    def generate(self, label: str, kind: KeyKind) -> NewKey:
        """Make a key. Raises ConfigurationError for an empty passphrase."""
        key: Signer
        if kind in RSA_BITS:
            key = rsa.generate_private_key(65537, RSA_BITS[kind])
        else:
            key = ec.generate_private_key(CURVES[kind])
        # Nothing is to be taken back: what was never written is gone.
        return NewKey(key, ".key", encrypted_pem(key, self._passphrase, label), lambda: None)


def encrypted_pem(key: Signer, passphrase: bytes, whose: str) -> bytes:
    """Return a key as encrypted PKCS#8. Raises ConfigurationError for an empty passphrase."""
    if not passphrase:
        raise ConfigurationError(
            "empty-passphrase", f"the {whose} key needs a passphrase", "give one that is not empty"
        )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))


def open_key(path: Path, passphrase: bytes | None, whose: str) -> ec.EllipticCurvePrivateKey:
    """Read a P-256 private key; a passphrase of None reads a key that is not encrypted.

    Raises ConfigurationError (wrong passphrase, damaged file, another type of key) and StorageError.
    """
    key = _read(path, passphrase, whose)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError(
            "bad-key", f"the {whose} key in {path} is not a P-256 key", "use a P-256 key"
        )
    return key


def open_signer(path: Path, passphrase: bytes | None, whose: str) -> Signer:
    """Read the private key of an authority, of any kind; otherwise as `open_key`."""
    key = _read(path, passphrase, whose)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ConfigurationError("bad-key", f"the {whose} key in {path} is not EC or RSA", "use another key")
    check_kind(key.public_key(), _ANY, whose)
    return key


def _read(path: Path, passphrase: bytes | None, whose: str) -> object:
    with disk_errors(path):
        pem = path.read_bytes()
    try:
        return load_pem_private_key(pem, passphrase)
    except TypeError as error:
        if passphrase is None:
            message, hint = f"the {whose} key is encrypted", "give its passphrase"
        else:
            message, hint = f"the {whose} key is not encrypted", f"encrypt {path} under a passphrase"
        raise ConfigurationError("wrong-passphrase", message, hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        # OpenSSL cannot tell a wrong passphrase from a damaged file: both end in bad padding or bad DER.
        raise ConfigurationError(
            "wrong-passphrase",
            f"the passphrase does not open the {whose} key, or {path} is damaged",
            "give the passphrase that was used when the key was made, or restore the file from a backup",
        ) from error
