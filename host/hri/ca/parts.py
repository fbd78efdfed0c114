"""The parts of an authority, read from files and checked to belong together."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri.ca.files import disk_errors
from hri.ca.signer import Signer, kind_of
from hri.errors import ConfigurationError


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, at least one. Raises ConfigurationError and StorageError."""
    with disk_errors(path):
        pem = path.read_bytes()
    try:
        found = x509.load_pem_x509_certificates(pem)
        for one in found:
            # These are read lazily; reading them here means that nothing can fail later on.
            _ = (one.subject, one.issuer, one.extensions, one.public_key(), one.signature_algorithm_oid)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
    ) as error:
        raise broken(f"{path} is not a PEM certificate") from error
    return found


def check_parts(root: x509.Certificate, issuing: x509.Certificate, key: Signer | None) -> None:
    """Raise ConfigurationError where these are not a root, an issuing CA below it, or itself, and its key."""
    try:
        root.verify_directly_issued_by(root)
        issuing.verify_directly_issued_by(root)
        basic = issuing.extensions.get_extension_for_class(x509.BasicConstraints).value
        # RFC 5280 section 4.2.1.3 asks for it in a CA certificate, and verifiers refuse chains without.
        usage = issuing.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise broken(f"the CA certificate has no {error.oid._name} extension") from error
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise broken("the CA certificates do not form a chain") from error
    if not basic.ca or not usage.key_cert_sign or not usage.crl_sign:
        raise broken("the issuing certificate is not one of a CA that signs certificates and CRLs")
    if kind_of(issuing.public_key()) is None:
        raise broken("the issuing certificate has a key that is none of an authority's kinds")
    if key is not None and key.public_key() != issuing.public_key():
        raise broken("the issuing key does not belong to the issuing certificate")


def subject_key_identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier:
    """Return the key identifier in a CA's certificate, or the one that its key would have."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public_key = certificate.public_key()
        if kind_of(public_key) is None:
            raise broken("the issuing certificate has no key of an authority's kinds") from None
        return x509.SubjectKeyIdentifier.from_public_key(public_key)


def spki_sha256(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate's SubjectPublicKeyInfo in lower-case hex."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def broken(message: str) -> ConfigurationError:
    """Return the error of an authority that cannot be used as it is."""
    return ConfigurationError("ca-broken", message, "restore the folder ca from a backup")
