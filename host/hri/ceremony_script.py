"""The script of a key ceremony: a YAML file that says what is going to be made, read before anybody meets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from hri.ca.ca_certificate import CaTerms
from hri.ca.files import read_input
from hri.ca.hierarchy import check_ca_name
from hri.ca.name_limits import NameLimits
from hri.ca.profile_terms import oid
from hri.ca.signer import KeyKind
from hri.errors import ConfigurationError
from hri.profile_config import Section


def _kind(value: object) -> object:
    try:
        return KeyKind(str(value))
    except ValueError:
        raise ValueError(f"is not one of {', '.join(KeyKind)}") from None


Kind = Annotated[KeyKind, BeforeValidator(_kind)]


class ScriptedCa(Section):
    """One more issuing CA."""

    name: str
    key_type: Kind = KeyKind.P256
    permit: list[str] = Field(default=[])
    exclude: list[str] = Field(default=[])
    policies: list[str] = Field(default=[])
    years: int = Field(default=10, ge=1, le=50)

    def terms(self) -> CaTerms:
        """Return what it may do. Raises ConfigurationError."""
        policies = tuple(oid(text, f"{self.name}.policies") for text in self.policies)
        return CaTerms(NameLimits.parse(self.permit, self.exclude), policies)


class Script(Section):
    """What is made: the root, the first issuing CA, more of them."""

    title: str = Field(min_length=1, max_length=100)
    roles: list[str] = Field(default=["operator", "witness"], min_length=2, max_length=10)
    organisation: str = "Hardware Rooted Identity"
    name: str = "HRI"
    root_key_type: Kind = KeyKind.P256
    key_type: Kind = KeyKind.P256
    issuing: list[ScriptedCa] = Field(default=[])


@dataclass(frozen=True, slots=True)
class ReadScript:
    """A script and the SHA-256 (hex) of its file."""

    script: Script
    sha256: str

    @classmethod
    def from_file(cls, path: Path) -> ReadScript:
        """Read a script and check everything that can be checked before keys are made.

        Raises ConfigurationError and StorageError.
        """
        data = read_input(path, "the script", limit=1 << 16)
        try:
            script = Script.model_validate(yaml.safe_load(data))
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigurationError("bad-script", f"{path} is not YAML", f"correct {path}") from error
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"]) or "the script"
            raise ConfigurationError("bad-script", f"{where}: {fault['msg']}", f"correct {path}") from error
        names = [check_ca_name(ca.name) for ca in script.issuing]
        if len({*names, "issuing"}) != len(names) + 1:
            raise ConfigurationError("bad-script", "two issuing CAs have one name", f"correct {path}")
        for line in (script.title, *script.roles):
            if not line.isprintable():
                raise ConfigurationError("bad-script", "a title or role is no line", f"correct {path}")
        for ca in script.issuing:
            ca.terms()
        return cls(script, hashlib.sha256(data).hexdigest())

    def steps(self) -> tuple[str, ...]:
        """Return what is going to happen, in order, for people."""
        script = self.script
        making = [f"make the issuing CA {ca.name}, {ca.key_type}" for ca in script.issuing]
        return (
            "everybody says the SHA-256 of the script and compares it with the paper",
            "the root's and the CA's passphrase are typed, each by the one who keeps it, or the PIN",
            f"make the root ({script.root_key_type}), the CA issuing ({script.key_type}), the operator key",
            *making,
            "two people read the fingerprints to each other",
            "everybody confirms; the record is signed with the root's key",
        )
