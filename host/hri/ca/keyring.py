"""Opening the keys of a folder, wherever each of them lives; a secret is asked for only when one needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hri.ca.files import read_input
from hri.ca.keys import open_signer
from hri.ca.pkcs11_signer import derivation, open_in_token
from hri.ca.pkcs11_token import TIMEOUT_S, Token
from hri.ca.pkcs11_uri import KeyUri
from hri.ca.signer import Derive, KeyFile, SecretName, Secrets, Signer
from hri.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Keyring:
    """Opens keys with the given secrets, each once; a token's answer is waited for `timeout` seconds.

    `module` is the PKCS#11 module to load in place of the one that was used when the key was made.
    """

    secrets: Secrets
    timeout: float = TIMEOUT_S
    module: str | None = None
    _opened: dict[Path, Signer] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of_passphrase(cls, passphrase: bytes) -> Keyring:
        """Return a keyring that opens what is encrypted under the CA passphrase, and no token."""
        return cls(given({"ca": passphrase}))

    def open(self, file: KeyFile, whose: str, name: SecretName = "ca") -> Signer:
        """Open a key; `name` is that of the passphrase for an encrypted file.

        Raises ConfigurationError, StorageError and DeviceError (a token).
        """
        path = file.path
        # Opening takes as long as guessing a passphrase should: too long for every certificate.
        if path not in self._opened:
            if file.in_token:
                uri = read_uri(path)
                token = self.token(self.module or uri.module, uri.token)
                self._opened[path] = open_in_token(token, uri.key_id, whose)
            else:
                self._opened[path] = open_signer(path, self.secrets(name), whose)
        return self._opened[path]

    def derivation(self, file: KeyFile, whose: str) -> Derive | None:
        """Return what derives secrets in the token that holds a key; None for a key in no token.

        Nor is there any where the token knows no HMAC. Raises ConfigurationError, StorageError, DeviceError.
        """
        if not file.in_token:
            return None
        uri = read_uri(file.path)
        return derivation(self.token(self.module or uri.module, uri.token), uri.key_id, whose)

    def passphrase_beside(self, file: KeyFile, whose: str, purpose: str) -> bytes:
        """Return the passphrase of a file that is kept beside a key: the token's word, or the CA passphrase.

        Raises what `derivation` raises.
        """
        derive = self.derivation(file, whose)
        return self.secrets("ca") if derive is None else derive(f"hri passphrase: {purpose}").hex().encode()

    def token(self, module: str, label: str) -> Token:
        """Return a token, which asks for its PIN when it is used first."""
        known: list[bytes] = []

        def pin() -> bytes:
            if not known:
                known.append(self.secrets("pkcs11"))
            return known[0]

        return Token(module, label, pin, self.timeout)


def read_uri(path: Path) -> KeyUri:
    """Return the name of a token's key that a file holds. Raises ConfigurationError and StorageError."""
    try:
        return KeyUri.parse(read_input(path, "the name of a key", limit=4096).decode().strip())
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            "bad-pkcs11-uri", f"{path} is not text", "restore it from a backup"
        ) from error


def given(secrets: Mapping[SecretName, bytes]) -> Secrets:
    """Return secrets that are known already. What is not among them raises ConfigurationError."""

    def secret(name: SecretName) -> bytes:
        if name not in secrets:
            raise ConfigurationError("no-secret", f"no {name} secret was given", "give it")
        return secrets[name]

    return secret
