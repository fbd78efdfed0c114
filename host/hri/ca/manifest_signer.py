"""The key with which this station signs manifests of the chips that it personalised, and its certificate."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hri.ca.files import disk_errors, write_atomically
from hri.ca.keys import encrypted_pem, open_key
from hri.ca.profiles import KEY_USAGES
from hri.errors import ConfigurationError
from hri.registry.folder_lock import exclusive

_VALIDITY = timedelta(days=10 * 365)
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


class ManifestSigner:
    """A P-256 key, and a self-signed certificate by whose thumbprint readers know it.

    A key of its own: the issuing CA's is for certificates, the operator's for authorisations.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate

    @classmethod
    def open(cls, home: Path, passphrase: bytes, *, station: str, now: datetime) -> ManifestSigner:
        """Open the signer of a home folder, making it first where there is none.

        Raises ConfigurationError and StorageError.
        """
        path = _path(home)
        if not path.parent.is_dir():
            raise ConfigurationError(
                "no-ca", f"there is no authority in {home}", "make one with `hri ca init`, or give its --home"
            )
        with disk_errors(path), exclusive(path.parent, "making a manifest signer"):
            if not path.exists():
                key = ec.generate_private_key(ec.SECP256R1())
                certificate = _self_signed(key, station, now)
                # One file, so that a key never outlives its certificate or the other way round.
                pem = encrypted_pem(key, passphrase, "manifest") + certificate.public_bytes(Encoding.PEM)
                write_atomically(path, pem, 0o600)
        found = cls.certificate_of(home)
        if found is None:
            raise _damaged(path)
        return cls(open_key(path, passphrase, "manifest"), found)

    @staticmethod
    def certificate_of(home: Path) -> x509.Certificate | None:
        """Return the signer's certificate, None where there is no signer; needs no passphrase."""
        path = _path(home)
        if not path.exists():
            return None
        with disk_errors(path):
            pem = path.read_bytes()
        try:
            return x509.load_pem_x509_certificate(pem[pem.index(_CERTIFICATE) :])
        except ValueError as error:
            raise _damaged(path) from error


def _path(home: Path) -> Path:
    return home / "ca" / "manifest-signer.pem"


def _damaged(path: Path) -> ConfigurationError:
    return ConfigurationError("ca-broken", f"{path} is damaged", "restore the folder ca from a backup")


def _self_signed(key: ec.EllipticCurvePrivateKey, station: str, now: datetime) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Hardware Rooted Identity"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"manifest signer of {station}"[:64]),
        ]
    )
    usage = x509.KeyUsage(**{one: one == "digital_signature" for one in KEY_USAGES})
    start = now.replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Chips that were personalised before there was a signer are in its manifests too.
        .not_valid_before(start - _VALIDITY)
        .not_valid_after(start + _VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
