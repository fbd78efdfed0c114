"""Where a new key of the authority is made: the options of `hri ca` that say so."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from hri.ca.keys import FileSigners
from hri.ca.pkcs11_signer import TokenSigners
from hri.ca.signer import KeyKind, SecretName, Signers
from hri.cli.state import State
from hri.config import Config
from hri.errors import ConfigurationError
from hri.home import secret_words


class SignerKind(StrEnum):
    """Where a key is made and stays."""

    file = "file"
    pkcs11 = "pkcs11"


KeyTypeOption = Annotated[KeyKind, typer.Option(help="Key of the issuing CA.")]
SignerOption = Annotated[
    SignerKind, typer.Option(help="Where the issuing CA's and the operator's key are made.")
]
ModuleOption = Annotated[
    str | None, typer.Option(help="The token's PKCS#11 module, a shared library (default: the YAML's).")
]
TokenOption = Annotated[str | None, typer.Option(help="Label of the token (default: the YAML's).")]


class Places:
    """The places where keys are made in one run of a command."""

    def __init__(self, state: State, config: Config, module: str | None, token: str | None) -> None:
        self._state = state
        self._keyring = state.home.keyring(config)
        configured = config.certificate_authority.pkcs11
        self._module = module or configured.module
        self._token = token or configured.token

    def signers(self, kind: SignerKind, secret: SecretName) -> Signers:
        """Return the place; `secret` names the passphrase of files made there.

        Raises ConfigurationError where a token is wanted and not named, or a passphrase not given.
        """
        if kind is SignerKind.file:
            return FileSigners(self.new_passphrase(secret))
        if not self._module or not self._token:
            raise ConfigurationError(
                "no-token",
                "no token was named for the keys",
                "give --module and --token, or certificate_authority.pkcs11 in the YAML",
            )
        return TokenSigners(self._keyring.token(self._module, self._token))

    def new_passphrase(self, name: SecretName) -> bytes:
        passphrases = self._state.home.passphrases
        passphrase = passphrases.get(name)
        if passphrases.prompted(name):
            again = typer.prompt(f"{secret_words(name)} again", hide_input=True, err=True)
            if str(again).encode() != passphrase:
                raise ConfigurationError(
                    "passphrase-mismatch", "the two passphrases differ", "run the command again"
                )
        return passphrase
