"""What signs for an authority: a private key, wherever it lives.

The signer itself is cryptography's own interface of a private key, because that is what the builders of
certificates, requests, revocation lists and OCSP answers take; a key in a token implements it by asking the
token. What differs between places is how keys are made there and found again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hri.errors import ConfigurationError

Signer = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SignerPublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
SecretName = Literal["ca", "root", "pkcs11"]
Secrets = Callable[[SecretName], bytes]
"""Gives the passphrase of the CA's or the root's key files, or the PIN of a token; asked only when needed."""
Derive = Callable[[str], bytes]
"""Gives 32 bytes for a purpose, always the same ones, from a secret that stays in a token."""


class KeyKind(StrEnum):
    """What an authority's key may be; devices have P-256 keys only."""

    P256 = "p256"
    P384 = "p384"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"


CURVES: dict[KeyKind, ec.EllipticCurve] = {KeyKind.P256: ec.SECP256R1(), KeyKind.P384: ec.SECP384R1()}
RSA_BITS = {KeyKind.RSA3072: 3072, KeyKind.RSA4096: 4096}


def kind_of(public_key: object) -> KeyKind | None:
    """Return what kind of key this is, None for one that no authority may have."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return next((kind for kind, curve in CURVES.items() if curve.name == public_key.curve.name), None)
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.public_numbers().e == 65537:
        return next((kind for kind, bits in RSA_BITS.items() if bits == public_key.key_size), None)
    return None


def digest_for(public_key: object) -> hashes.SHA256 | hashes.SHA384:
    """Return the hash that goes with a key: no weaker than it (NIST SP 800-57 part 1, table 3)."""
    return hashes.SHA384() if kind_of(public_key) is KeyKind.P384 else hashes.SHA256()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, and the file (`suffix`, `content`) by which it is found again.

    `discard` takes the key back where what it was made for did not come about.
    """

    signer: Signer
    suffix: Literal[".key", ".uri"]
    content: bytes
    discard: Callable[[], None]


class Signers(Protocol):
    """A place where keys are made."""

    def generate(self, label: str, kind: KeyKind) -> NewKey:
        """Make a key; `label` says whose, for people who look into the place.

        Raises ConfigurationError and DeviceError.
        """


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Where a key is found again: in `folder`/`stem`.key, or in the token that `folder`/`stem`.uri names."""

    folder: Path
    stem: str

    @property
    def path(self) -> Path:
        """The file that is there; the encrypted key's, where neither is."""
        uri = self.folder / f"{self.stem}.uri"
        return uri if uri.exists() else self.folder / f"{self.stem}.key"

    @property
    def in_token(self) -> bool:
        """Whether the key is in a token."""
        return self.path.suffix == ".uri"


def check_kind(public_key: object, allowed: frozenset[KeyKind], whose: str) -> None:
    """Raise ConfigurationError where a key is of a kind that is not allowed."""
    if kind_of(public_key) not in allowed:
        words = " or ".join(sorted(allowed))
        raise ConfigurationError("bad-key", f"the {whose} key is not one of {words}", f"use a key of {words}")
