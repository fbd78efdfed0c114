"""What a device certificate contains besides the key: validity, usages, subject, names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hri.ca.device_id import device_urn
from hri.ca.shards import PLACEHOLDER as SHARD
from hri.ca.shards import Shards
from hri.compressed import Template
from hri.errors import ConfigurationError, PolicyRefusal

KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
# RFC 8813 section 3: with id-ecPublicKey these must not be present.
_NOT_ON_EC_KEYS = ("key_encipherment", "data_encipherment")
_NOT_FOR_DEVICES = ("key_cert_sign", "crl_sign")

EXTENDED_KEY_USAGES = {
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
}

SUBJECT_ATTRIBUTES = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
}
# RFC 5280 appendix A.1, upper bounds.
_SUBJECT_LIMITS = {"C": 2, "ST": 128, "L": 128, "O": 64, "OU": 64}

_DNS_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_DERIVED_DEVICE_ID = "0" * 64
PLACEHOLDER = "{device_id}"


@dataclass(frozen=True, slots=True)
class SanTemplate:
    """A subject alternative name of kind `dns`, `ip`, `uri` or `email`; {device_id} in it is the device."""

    kind: str
    value: str

    def general_name(self, device_id: str) -> x509.GeneralName:
        """Return the name for one device.

        Raises PolicyRefusal where the device id makes it malformed (RFC 1035 section 2.3.1: a label of a DNS
        name has 63 characters at most).
        """
        text = self.value.replace(PLACEHOLDER, device_id)
        try:
            if self.kind == "ip":
                return x509.IPAddress(ipaddress.ip_address(text))
            if self.kind == "dns":
                labels = text.removeprefix("*.").split(".")
                if len(text) <= 253 and all(_DNS_LABEL.fullmatch(label) for label in labels):
                    return x509.DNSName(text)
            elif self.kind == "uri" and _URI.fullmatch(text):
                return x509.UniformResourceIdentifier(text)
            elif self.kind == "email" and _EMAIL.fullmatch(text):
                return x509.RFC822Name(text)
        except ValueError:
            pass
        raise PolicyRefusal(
            "bad-subject-alt-name",
            f"{text!r} is not a valid {self.kind} name for a certificate",
            "change certificate.subject_alt_names, or give the device a shorter id",
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """The shape of a device certificate; hashable, so that what it fixes is encoded once.

    Built by `Profile.checked`, which drops what contradicts the key type and says so in `warnings`.
    """

    name: str
    validity: timedelta
    key_usage: frozenset[str]
    extended_key_usage: tuple[str, ...]
    subject: tuple[tuple[str, str], ...] = ()
    sans: tuple[SanTemplate, ...] = ()
    crl_url: str | None = None
    warnings: tuple[str, ...] = ()
    shards: Shards | None = None
    template: Template | None = None

    @classmethod
    def to_template(cls, name: str, template: Template, *, years: int) -> Profile:
        """Return the profile of certificates to a template, for `years` whole years; 0 for no end.

        The template says everything else, so that the certificate fits into 72 bytes of a chip.

        Raises ConfigurationError for a template that is not for devices.
        """
        if not template.issuable or template.ca or template.device_id_from is None:
            raise _bad("certificate.template", f"{template.name!r} is not one for certificates of devices")
        if not template.extended_key_usage:
            raise _bad("certificate.template", f"{template.name!r} has no extended key usage")
        template = replace(template, validity_years=years)
        validity = timedelta(days=365 * years) if years else timedelta.max
        usage = frozenset({"digital_signature"})
        return cls(name, validity, usage, template.extended_key_usage, template=template)

    @classmethod
    def checked(
        cls,
        name: str,
        *,
        validity: timedelta,
        key_usage: Iterable[str] = ("digital_signature",),
        extended_key_usage: Iterable[str] = ("client_auth",),
        subject: Iterable[tuple[str, str]] = (),
        sans: Iterable[SanTemplate] = (),
        crl_url: str | None = None,
        crl_shards: int = 1,
    ) -> Profile:
        """Return the profile with everything that can be checked before a device is known checked.

        Raises ConfigurationError.
        """
        if validity < timedelta(minutes=1):
            raise _bad("certificate.validity_days", "is shorter than a minute")
        usage, warnings = _check_key_usage(tuple(key_usage))
        extended = tuple(dict.fromkeys(extended_key_usage))
        for item in extended:
            if item not in EXTENDED_KEY_USAGES:
                known = ", ".join(EXTENDED_KEY_USAGES)
                raise _bad("certificate.extended_key_usage", f"{item!r} is not for a device; use {known}")
        if not extended:
            raise _bad("certificate.extended_key_usage", "is empty; name client_auth or server_auth")
        attributes = tuple(subject)
        _check_subject(attributes)
        templates = tuple(sans)
        for template in templates:
            warnings += _check_san(template)
        if crl_url is not None and not _URI.fullmatch(crl_url.replace(SHARD, "0")):
            raise _bad("certificate_authority.crl_url", "is not a URL")
        shards = Shards.checked(crl_url, crl_shards)
        return cls(name, validity, usage, extended, attributes, templates, crl_url, warnings, shards)

    def distribution_point(self, serial_number: int) -> str | None:
        """Return the URL of the revocation list for a certificate of this serial number, None for none."""
        if self.shards is None:
            return self.crl_url
        return self.shards.url_of(self.shards.number_of(serial_number))

    def subject_name(self, device_id: str) -> x509.Name:
        """Return the subject: the profile's attributes, then CN = device id."""
        attributes = [x509.NameAttribute(SUBJECT_ATTRIBUTES[short], value) for short, value in self.subject]
        return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, device_id)])

    def alternative_names(self, device_id: str) -> x509.SubjectAlternativeName:
        """Return the device's URN and then the names of the templates. Raises PolicyRefusal."""
        urn = x509.UniformResourceIdentifier(device_urn(device_id))
        return x509.SubjectAlternativeName([urn, *(san.general_name(device_id) for san in self.sans)])

    def extended_key_usage_extension(self) -> x509.ExtendedKeyUsage:
        """Return the extended key usages, in the order in which they were configured."""
        return x509.ExtendedKeyUsage([EXTENDED_KEY_USAGES[item] for item in self.extended_key_usage])

    def key_usage_extension(self) -> x509.KeyUsage:
        """Return the key usages."""
        return x509.KeyUsage(**{usage: usage in self.key_usage for usage in KEY_USAGES})


def _check_key_usage(usages: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    warnings: list[str] = []
    kept: set[str] = set()
    for usage in usages:
        if usage not in KEY_USAGES:
            raise _bad("certificate.key_usage", f"{usage!r} is unknown; known are {', '.join(KEY_USAGES)}")
        if usage in _NOT_FOR_DEVICES:
            raise _bad("certificate.key_usage", f"{usage!r} makes a certification authority of the device")
        if usage in _NOT_ON_EC_KEYS:
            warnings.append(
                f"certificate.key_usage: {usage} is dropped, because an elliptic-curve key cannot encipher "
                "(RFC 8813 section 3)"
            )
            continue
        kept.add(usage)
    if "digital_signature" not in kept:
        raise _bad("certificate.key_usage", "lacks digital_signature, without which a device proves nothing")
    if kept & {"encipher_only", "decipher_only"} and "key_agreement" not in kept:
        raise _bad(
            "certificate.key_usage", "encipher_only and decipher_only mean nothing without key_agreement"
        )
    if "key_agreement" in kept:
        warnings.append(
            "certificate.key_usage: key_agreement is kept, but the identity key of the hri-device chip "
            "profile only signs"
        )
    return frozenset(kept), tuple(dict.fromkeys(warnings))


def _check_subject(attributes: tuple[tuple[str, str], ...]) -> None:
    for short, value in attributes:
        limit = _SUBJECT_LIMITS.get(short)
        if limit is None:
            raise _bad("certificate.subject", f"{short!r} is unknown; known are {', '.join(_SUBJECT_LIMITS)}")
        if not value.strip() or len(value) > limit or not value.isprintable():
            raise _bad("certificate.subject", f"{short} has 1 to {limit} printable characters")
        if short == "C" and not re.fullmatch(r"[A-Z]{2}", value):
            raise _bad("certificate.subject", "C is a country code of two capital letters")


def _check_san(template: SanTemplate) -> tuple[str, ...]:
    if template.kind not in ("dns", "ip", "uri", "email"):
        raise _bad(
            "certificate.subject_alt_names", f"type {template.kind!r} is unknown; use dns, ip, uri or email"
        )
    try:
        template.general_name("device-1")
    except PolicyRefusal as refusal:
        raise _bad("certificate.subject_alt_names", refusal.message) from refusal
    if PLACEHOLDER not in template.value:
        return (
            f"certificate.subject_alt_names: every device gets the same name {template.value!r}; "
            f"put {PLACEHOLDER} into it to tell them apart",
        )
    try:
        template.general_name(_DERIVED_DEVICE_ID)
    except PolicyRefusal:
        return (
            f"certificate.subject_alt_names: {template.value!r} is too long for a derived device id of 64 "
            "characters; such devices need a shorter id of the operator's",
        )
    return ()


def _bad(where: str, what: str) -> ConfigurationError:
    return ConfigurationError("bad-configuration", f"{where}: {what}", "correct the configuration file")
