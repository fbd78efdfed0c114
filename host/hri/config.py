"""The YAML under `identity:`, read as the mission document writes it.

Every key is used, or refused or warned about with a reason; nothing is skipped in silence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from hri.ca.files import read_input
from hri.ca.profiles import Profile, SanTemplate
from hri.ca.shards import MOST as MOST_SHARDS
from hri.compressed import load_template
from hri.errors import ConfigurationError
from hri.profile_config import ProfileConfig, Section, SubjectAltName
from hri.server_config import ServerConfig

_LARGEST = 1 << 20
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Names of P-256 in SEC 2, X9.62 and FIPS 186.
_P256 = ("secp256r1", "prime256v1", "p-256")
# Keys whose variables may stay unset until somebody needs the value.
_PROFILE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_LAZY = (("certificate_authority", "api_key"), ("certificate_authority", "url"))


class Deferred:
    """A string whose `${VARIABLES}` are looked up when it is used; its text never shows."""

    def __init__(self, where: str, template: str) -> None:
        self._where = where
        self._template = template

    def get(self, environ: Mapping[str, str] | None = None) -> str:
        """Return the value. Raises ConfigurationError where a variable is not set."""
        return _expand(self._template, self._where, os.environ if environ is None else environ)

    def __repr__(self) -> str:
        return f"Deferred({self._where})"


def _element_type(value: object) -> object:
    if value in ("se050", "tpm2.0", "hsm"):
        raise ValueError(f"{value} is not supported in this version; atecc608a and atecc608b are")
    return value


def _address(value: object) -> object:
    """Read a bus address written as 0x60 or "0x60"."""
    if isinstance(value, str):
        try:
            return int(value, 0)
        except ValueError:
            raise ValueError("is not a number such as 0x60") from None
    return value


class SecureElementConfig(Section):
    """Which chip is on which bus, and where the board is plugged in."""

    type: Annotated[Literal["atecc608a", "atecc608b"], BeforeValidator(_element_type)] = "atecc608a"
    interface: str = "i2c"
    address: Annotated[int, BeforeValidator(_address)] = 0x60
    port: str | None = None

    @model_validator(mode="after")
    def _reachable(self) -> SecureElementConfig:
        if self.interface != "i2c":
            raise ValueError(
                f"interface {self.interface!r} cannot reach an {self.type}: use i2c, the only bus it is on"
            )
        if self.address != 0x60:
            raise ValueError(
                f"address 0x{self.address:02x} is not that of a chip with the hri-device profile, which "
                "keeps 0x60 (0x35 and 0x36 are those of pre-provisioned chips, which `hri chip chain` reads)"
            )
        return self


class CryptographyConfig(Section):
    """The one set of algorithms that the chip can do."""

    key_type: Literal["rsa", "ecc"] = "ecc"
    key_size: int = 256
    curve: str = "secp256r1"
    hash_algorithm: str = "sha256"

    @model_validator(mode="after")
    def _possible(self) -> CryptographyConfig:
        if self.key_type == "rsa":
            raise ValueError(
                "key_type rsa: an ATECC608 holds P-256 keys only; RSA needs a tpm2.0 or an hsm, which are "
                "not supported in this version"
            )
        if self.curve.lower() not in _P256:
            raise ValueError(f"curve {self.curve!r}: an ATECC608 computes on secp256r1 only")
        if self.key_size != 256:
            raise ValueError(f"key_size {self.key_size}: the keys of secp256r1 have 256 bits")
        if self.hash_algorithm.lower() not in ("sha256", "sha-256"):
            raise ValueError(
                f"hash_algorithm {self.hash_algorithm!r}: an ATECC608 signs SHA-256 digests only"
            )
        return self


class CertificateConfig(Section):
    """What a device certificate says."""

    validity_days: int = Field(default=365, ge=1, le=36500)
    key_usage: list[str] = Field(default=["digital_signature"])
    extended_key_usage: list[str] = Field(default=["client_auth"])
    subject_alt_names: list[SubjectAltName] = Field(default=[])
    subject: dict[str, str] = Field(default={})
    template: str | None = None
    renewal_days: int = Field(default=30, ge=1, le=3650)

    @model_validator(mode="after")
    def _template_decides(self) -> CertificateConfig:
        said = self.model_fields_set & {"key_usage", "extended_key_usage", "subject_alt_names", "subject"}
        if self.template is not None and said:
            raise ValueError(f"{', '.join(sorted(said))}: left out with a template, which says all of that")
        return self


class Pkcs11Config(Section):
    """The token in which the authority's keys are; `timeout` in seconds, for one answer of the token."""

    module: str | None = None
    token: str | None = None
    timeout: float = Field(default=30.0, ge=1, le=3600)


class CertificateAuthorityConfig(Section):
    """Which authority issues, and where its revocation list is published."""

    type: Literal["internal", "external"] = "internal"
    url: Deferred | None = None
    user: str = "hri"
    api_key: Deferred | None = None
    crl_url: str | None = None
    crl_days: int = Field(default=7, ge=1, le=365)
    crl_overlap_hours: int = Field(default=48, ge=1, le=8760)
    crl_shards: int = Field(default=1, ge=1, le=MOST_SHARDS)
    ocsp_hours: int = Field(default=24, ge=1, le=8760)
    organisation: str = "Hardware Rooted Identity"
    pkcs11: Pkcs11Config = Pkcs11Config()
    issuing: str = "issuing"
    by_device: dict[str, str] = Field(default={})
    label: str | None = None
    trust: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> CertificateAuthorityConfig:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key belong together")
        if self.type == "external" and self.url is None:
            raise ValueError("type external needs certificate_authority.url, of an EST server")
        return self


class ProvisioningConfig(Section):
    """How provisioning behaves; times in seconds."""

    auto_enrollment: bool = True
    enrollment_timeout: int = Field(default=300, ge=1, le=86400)
    retry_attempts: int = Field(default=3, ge=0, le=100)
    retry_delay: Annotated[float, Field(ge=0, le=3600)] = 10.0


class SecurityConfig(Section):
    """What must hold before somebody is trusted; `challenge_ttl` and `evidence_ttl` in seconds."""

    require_attestation: bool = True
    enforce_key_rotation: bool = True
    key_rotation_days: int = Field(default=365, ge=1, le=36500)
    revoke_on_compromise: bool = True
    accept_first_seen: bool = True
    challenge_ttl: int = Field(default=120, ge=1, le=86400)
    evidence_ttl: int = Field(default=86400, ge=1, le=31_536_000)


class Config(Section):
    """The whole configuration; `warnings` names what was read but has no effect, or an unexpected one."""

    secure_element: SecureElementConfig = SecureElementConfig()
    cryptography: CryptographyConfig = CryptographyConfig()
    certificate: CertificateConfig = CertificateConfig()
    certificate_authority: CertificateAuthorityConfig = CertificateAuthorityConfig()
    profiles: dict[str, ProfileConfig] = Field(default={})
    provisioning: ProvisioningConfig = ProvisioningConfig()
    security: SecurityConfig = SecurityConfig()
    server: ServerConfig = ServerConfig()
    verifier: str = Field(default="hri", min_length=1, max_length=128)
    owner: str | None = Field(default=None, min_length=1, max_length=128)
    warnings: tuple[str, ...] = Field(default=(), exclude=True)

    def issuing_ca(self, device_id: str | None = None) -> str:
        """Return the CA that issues for a device: that of the first pattern that fits, or the default."""
        terms = self.certificate_authority
        for pattern, name in terms.by_device.items():
            if device_id is not None and fnmatchcase(device_id, pattern):
                return name
        return terms.issuing

    def profile(self, name: str = "default") -> Profile:
        """Return the certificate profile of this configuration.

        Where key rotation is enforced no certificate outlives its key: the validity is cut to
        `security.key_rotation_days`.

        Raises ConfigurationError (an unknown name, or a value no certificate can have).
        """
        if name in self.profiles:
            rotation = self.security.key_rotation_days if self.security.enforce_key_rotation else None
            crl_url = self.certificate_authority.crl_url
            return self.profiles[name].profile(name, rotation_days=rotation, crl_url=crl_url)
        if name != "default":
            raise ConfigurationError(
                "unknown-profile",
                f"there is no profile {name!r}",
                f"the configuration file describes {', '.join(('default', *self.profiles))}",
            )
        if self.certificate.template is not None:
            return self._profile_to_template(name, self.certificate.template)
        days = self.certificate.validity_days
        if self.security.enforce_key_rotation:
            days = min(days, self.security.key_rotation_days)
        return Profile.checked(
            name,
            validity=timedelta(days=days),
            key_usage=self.certificate.key_usage,
            extended_key_usage=self.certificate.extended_key_usage,
            subject=tuple(self.certificate.subject.items()),
            sans=tuple(SanTemplate(san.type, san.value) for san in self.certificate.subject_alt_names),
            crl_url=self.certificate_authority.crl_url,
            crl_shards=self.certificate_authority.crl_shards,
        )

    def _profile_to_template(self, name: str, template_name: str) -> Profile:
        """Return the profile of certificates that fit into a chip; their validity is whole years."""
        template = load_template(template_name)
        years, security = template.validity_years, self.security
        # Before the years are judged: a template of somebody else's has years of its own.
        Profile.to_template(name, template, years=years)
        if "validity_days" in self.certificate.model_fields_set:
            years, rest = divmod(self.certificate.validity_days, 365)
            if rest:
                raise ConfigurationError(
                    "bad-configuration",
                    "certificate.validity_days: with a template the validity is whole years of 365 days",
                    "give 365, 730 and so on",
                )
        if security.enforce_key_rotation and not 0 < years <= security.key_rotation_days // 365:
            raise ConfigurationError(
                "bad-configuration",
                f"certificate.template: {years or 'endless'} years outlive security.key_rotation_days",
                "shorten certificate.validity_days or lengthen security.key_rotation_days, in whole years",
            )
        return Profile.to_template(name, template, years=years)


def load(path: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file; None gives the defaults.

    `${VARIABLE}` stands for a variable of `environ` (the process's, if None). An unset one is an error, but
    for `certificate_authority.api_key` and `.url` only when they are used.

    Raises ConfigurationError and StorageError.
    """
    if path is None:
        return Config()
    document = _parse(read_input(path, "the configuration", limit=_LARGEST), path)
    identity = document.get("identity")
    if not isinstance(identity, dict):
        raise ConfigurationError(
            "bad-configuration",
            f"{path} has no section `identity`",
            "put the configuration under `identity:`",
        )
    warnings = [f"{key}: ignored, only `identity` is read" for key in document if key != "identity"]
    expanded = _expand_tree(identity, (), os.environ if environ is None else environ)
    try:
        config = Config.model_validate(expanded)
    except ValidationError as error:
        raise ConfigurationError("bad-configuration", _explain(error), f"correct {path}") from error
    warnings += _without_effect(config)
    warnings += config.profile().warnings
    for name in config.profiles:
        if not _PROFILE_NAME.fullmatch(name) or name == "default":
            raise ConfigurationError(
                "bad-configuration",
                f"profiles: {name[:40]!r} cannot name a profile",
                "use a-z 0-9 - and not `default`, which is the section `certificate`",
            )
        where = f"profiles.{name}."
        warnings += [one.replace("certificate.", where, 1) for one in config.profile(name).warnings]
    return config.model_copy(update={"warnings": tuple(warnings)})


def _without_effect(config: Config) -> list[str]:
    warnings = []
    for key in ("url", "api_key", "label", "trust", "client_certificate"):
        internal = config.certificate_authority.type == "internal"
        if internal and getattr(config.certificate_authority, key) is not None:
            warnings.append(f"certificate_authority.{key}: has no effect, the internal authority needs none")
    security, days = config.security, config.certificate.validity_days
    if security.enforce_key_rotation and days > security.key_rotation_days:
        warnings.append(
            f"certificate.validity_days: cut from {days} to {security.key_rotation_days}, because "
            "security.enforce_key_rotation lets no certificate outlive its key"
        )
    if not security.require_attestation:
        warnings.append("security.require_attestation: off, so a key made in software gets a certificate too")
    if not security.revoke_on_compromise:
        warnings.append(
            "security.revoke_on_compromise: off, so a compromised device is trusted until revoked"
        )
    if not security.accept_first_seen and security.require_attestation:
        warnings.append(
            "security.accept_first_seen: off, so only chips with a vendor manifest on record are provisioned"
        )
    return warnings


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would keep the last, and aliases.

    With aliases a few hundred bytes stand for billions of values.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.composer.ComposerError(None, None, "aliases are not taken", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is given twice", node.start_mark)
        return mapping


def _parse(text: bytes, path: Path) -> dict[Any, Any]:
    hint = f"correct {path}"
    try:
        # _Loader is a SafeLoader: it makes plain values only.
        document = yaml.load(text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigurationError(
            "bad-configuration", f"{path} is not YAML{place}: {problem}", hint
        ) from error
    if not isinstance(document, dict):
        raise ConfigurationError("bad-configuration", f"{path} is not a YAML mapping", hint)
    return document


def _expand_tree(value: object, where: tuple[str, ...], environ: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return {key: _expand_tree(item, (*where, str(key)), environ) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand_tree(item, (*where, str(index)), environ) for index, item in enumerate(value)]
    if isinstance(value, str):
        name = ".".join(where)
        return Deferred(name, value) if where in _LAZY else _expand(value, name, environ)
    return value


def _expand(text: str, where: str, environ: Mapping[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        variable = match[1]
        if variable not in environ:
            raise ConfigurationError(
                "unset-variable", f"{where} needs the environment variable {variable}", f"set {variable}"
            )
        return environ[variable]

    return _VARIABLE.sub(replacement, text)


def _explain(error: ValidationError) -> str:
    """Say where and what, one clause a fault, and never the value: it may be a secret."""
    clauses = []
    for fault in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in fault["loc"]) or "identity"
        if fault["type"] == "extra_forbidden":
            clauses.append(f"{where}: is not a key that exists")
        else:
            clauses.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(clauses)
