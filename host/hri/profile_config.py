"""The YAML under `identity: profiles:`: certificates for a purpose, by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hri.ca.profile_kinds import DEFAULTS, ProfileKind
from hri.ca.profile_terms import MoreTerms, oid
from hri.ca.profiles import Profile, SanTemplate
from hri.errors import ConfigurationError


class Section(BaseModel):
    """A part of the configuration: every key is known, and none shows its value in an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class SubjectAltName(Section):
    """A subject alternative name; `{device_id}` in it stands for the device."""

    type: str
    value: str


def _kind(value: object) -> object:
    """Read the type of a profile; strict models take no strings for it."""
    try:
        return ProfileKind(str(value))
    except ValueError:
        raise ValueError(f"is not one of {', '.join(ProfileKind)}") from None


class ProfileConfig(Section):
    """A named profile; what is left out comes from its type."""

    type: Annotated[ProfileKind, BeforeValidator(_kind)]
    validity_days: int = Field(default=365, ge=1, le=36500)
    key_usage: list[str] = Field(default=["digital_signature"])
    extended_key_usage: list[str] | None = None
    subject_alt_names: list[SubjectAltName] = Field(default=[])
    subject: dict[str, str] = Field(default={})
    hardware_type: str | None = None
    policies: list[str] = Field(default=[])
    crl_url: str | None = None
    ocsp_url: str | None = None
    ca_issuers_url: str | None = None
    issuing_ca: str | None = None

    def profile(self, name: str, *, rotation_days: int | None, crl_url: str | None) -> Profile:
        """Return the profile. Where keys rotate, no certificate outlives `rotation_days`.

        Raises ConfigurationError.
        """
        defaults, days, where = DEFAULTS[self.type], self.validity_days, f"profiles.{name}"
        if defaults.rotates and rotation_days is not None:
            days = min(days, rotation_days)
        if self.type is ProfileKind.TLS_SERVER and not self._names_a_host():
            raise ConfigurationError(
                "bad-configuration",
                f"{where}: a server that has no dns or ip name is recognised by nobody",
                "give it subject_alt_names",
            )
        more = MoreTerms(
            endless=defaults.endless,
            subject_serial=defaults.subject_serial,
            hardware_type=oid(self.hardware_type, f"{where}.hardware_type") if self.hardware_type else None,
            policies=tuple(oid(text, f"{where}.policies") for text in self.policies),
            ocsp_url=self.ocsp_url,
            ca_issuers_url=self.ca_issuers_url,
            issuing_ca=self.issuing_ca,
        )
        usages = self.extended_key_usage
        return Profile.checked(
            name,
            validity=timedelta(days=days),
            key_usage=self.key_usage,
            extended_key_usage=defaults.extended_key_usage if usages is None else usages,
            subject=tuple(self.subject.items()),
            sans=tuple(SanTemplate(san.type, san.value) for san in self.subject_alt_names),
            crl_url=self.crl_url or crl_url,
            more=more,
        )

    def _names_a_host(self) -> bool:
        return any(san.type in ("dns", "ip") for san in self.subject_alt_names)
