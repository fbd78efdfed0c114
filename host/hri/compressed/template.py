"""A template: everything in a certificate that the 72 bytes do not say, as reviewed YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hri.ca.files import disk_errors
from hri.errors import ConfigurationError

from . import tbs
from .dates import TimeForm
from .layout import FieldKind, Layout, Part, field, tlv
from .serial_number import SerialSource

_LARGEST = 1 << 16
AUTHORITY = "authority"
"""In place of an issuer: the subject of the certificate above, whoever that is."""


def _source(value: object) -> object:
    known = {source.word: source for source in SerialSource}
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"is not a serial-number source; known are {', '.join(known)}")
    return known[value]


def _pairs(value: object) -> object:
    """Turn YAML's list of one-key mappings into pairs, which keep their order."""
    if not isinstance(value, list):
        return value
    if not all(isinstance(one, dict) and len(one) == 1 for one in value):
        raise ValueError("is a list of mappings with one key each")
    return tuple(next(iter(one.items())) for one in value)


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Pairs = Annotated[tuple[tuple[str, Any], ...], BeforeValidator(_pairs)]
NameSpec = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)]
Form = Annotated[TimeForm, Field(strict=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _SerialNumber(_Section):
    source: Annotated[SerialSource, BeforeValidator(_source)]
    length: int = Field(default=16, ge=1, le=20)


class _Constraints(_Section):
    ca: bool
    path_length: int | None = Field(default=None, ge=0, le=127)


class _Document(_Section):
    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    version: Literal[1]
    source: str
    issuable: bool
    template_id: int = Field(ge=0, le=15)
    chain_id: int = Field(ge=0, le=15)
    serial_number: _SerialNumber
    issuer: NameSpec | Literal["authority"]
    subject: NameSpec
    not_before: Form
    not_after: Form
    validity_years: int = Field(ge=0, le=127)
    extensions: Annotated[tuple[Any, ...], BeforeValidator(_tuple)]

    @model_validator(mode="after")
    def _sensible(self) -> _Document:
        wanted = self.serial_number.source.length
        if wanted is not None and self.serial_number.length != wanted:
            raise ValueError(f"serial_number: {self.serial_number.source.word} has {wanted} octets")
        if self.issuer == ():
            raise ValueError("issuer: is empty")
        return self


@dataclass(frozen=True, slots=True)
class Template:
    """A certificate's shape; hashable. `extensions` and `names` are encoded already, fields and all.

    `issuable` says that this authority may issue to it; `validity_years` is what it then issues for, 0 for
    no end. Built by `load_template`.
    """

    name: str
    issuable: bool
    template_id: int
    chain_id: int
    serial_source: SerialSource
    serial_length: int
    issuer: tuple[tuple[str, str], ...] | None
    subject: tuple[tuple[str, str], ...]
    not_before: TimeForm
    not_after: TimeForm
    validity_years: int
    extensions: tuple[Part, ...]
    ca: bool
    extended_key_usage: tuple[str, ...]

    def layout(self, issuer: bytes | None = None, serial_length: int | None = None) -> Layout:
        """Return the TBSCertificate with its fields' places.

        `issuer` is the Name (DER) above, for templates that leave it to the authority; `serial_length` that
        of a serial number of the source stored-dynamic.

        Raises ConfigurationError where the issuer is missing.
        """
        if self.issuer is not None:
            above: Part | bytes = tbs.name(self.issuer)
        elif issuer is not None:
            above = issuer
        else:
            raise ConfigurationError(
                "template-issuer",
                f"the template {self.name} takes its issuer from the certificate above, and none was given",
                "name the root with --roots, or the authority that issues",
            )
        times = (self.not_before, self.not_after)
        part = tbs.tbs_certificate(
            serial_length or self.serial_length, above, times, self.subject, self.extensions
        )
        return Layout(part.data, part.fields)

    @property
    def device_id_from(self) -> FieldKind | None:
        """What a device's common name is made of, None where it is more than one field."""
        names = dict(self.subject)
        kinds = {f"{{{word}}}": kind for word, (kind, _) in tbs.PLACEHOLDERS.items()}
        return kinds.get(names.get("CN", ""))

    @property
    def device_id_from_words(self) -> str:
        """What a device is named by, for errors."""
        return "nothing" if self.device_id_from is None else self.device_id_from.word

    def for_device(self, issuer: bytes | None = None) -> list[Any]:
        """Return what a board needs to rebuild or compress: values for its CBOR.

        [1, template id and chain id, serial-number source, TBSCertificate, [kind, offset, length, ...]]
        """
        layout = self.layout(issuer)
        places = [number for one in layout.fields for number in (int(one.kind), one.offset, one.length)]
        ids = self.template_id << 4 | self.chain_id
        return [1, ids, int(self.serial_source), layout.tbs, places]


def shipped_templates() -> tuple[str, ...]:
    """Return the names of the templates that come with hri."""
    folder = resources.files(__package__) / "templates"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir()))


def load_template(name: str | Path) -> Template:
    """Return a shipped template by its name, or one of the operator's own by its path.

    Raises ConfigurationError and StorageError.
    """
    if isinstance(name, str) and name in shipped_templates():
        return _shipped(name)
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigurationError(
            "unknown-template",
            f"there is no certificate template {str(name)!r}",
            f"use one of {', '.join(shipped_templates())}, or the path of a YAML file",
        )
    with disk_errors(path):
        data = path.read_bytes()
    return parse_template(data, str(path))


@cache
def _shipped(name: str) -> Template:
    data = (resources.files(__package__) / "templates" / f"{name}.yaml").read_bytes()
    return parse_template(data, f"the template {name}")


def parse_template(data: bytes, where: str) -> Template:
    """Return the template of a YAML document; `where` names it in errors. Raises ConfigurationError."""
    try:
        if len(data) > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST} bytes")
        document = _Document.model_validate(yaml.safe_load(data))
        extensions, ca, extended = _extensions(document.extensions)
        template = Template(
            name=document.name,
            issuable=document.issuable,
            template_id=document.template_id,
            chain_id=document.chain_id,
            serial_source=document.serial_number.source,
            serial_length=document.serial_number.length,
            issuer=None if document.issuer == AUTHORITY else tuple(document.issuer),  # type: ignore[arg-type]
            subject=document.subject,
            not_before=document.not_before,
            not_after=document.not_after,
            validity_years=document.validity_years,
            extensions=extensions,
            ca=ca,
            extended_key_usage=extended,
        )
        # Written once, so that a name that is too long is refused here and not on the line.
        template.layout(issuer=b"")
    except ValidationError as error:
        clauses = [
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise _bad(where, "; ".join(clauses)) from error
    except (ValueError, TypeError, KeyError, yaml.YAMLError, RecursionError) as error:
        raise _bad(where, str(error)) from error
    return template


def _extensions(given: tuple[Any, ...]) -> tuple[tuple[Part, ...], bool, tuple[str, ...]]:
    parts: list[Part] = []
    ca = False
    extended: tuple[str, ...] = ()
    named: list[tuple[str, Any]] = [(one, None) if isinstance(one, str) else _only(one) for one in given]
    for kind, value in named:
        parts.append(tbs.extension(kind, _extension_value(kind, value)))
        if kind == "basic_constraints":
            ca = bool(value["ca"])
        elif kind == "extended_key_usage":
            extended = tuple(value)
    if len({kind for kind, _ in named}) != len(named):
        raise ValueError("extensions: one is named twice")
    return tuple(parts), ca, extended


def _only(value: object) -> tuple[str, Any]:
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("extensions: each is a name, or a mapping with one name")
    return next(iter(value.items()))


def _extension_value(kind: str, value: Any) -> Part | bytes:
    match kind:
        case "subject_key_identifier":
            return tlv(0x04, field(FieldKind.SUBJECT_KEY_ID, 20))
        case "authority_key_identifier":
            return tlv(0x30, tlv(0x80, field(FieldKind.AUTHORITY_KEY_ID, 20)))
        case "basic_constraints":
            constraints = _Constraints.model_validate(value)
            return tbs.basic_constraints(constraints.ca, constraints.path_length)
        case "key_usage":
            return tbs.key_usage(_known(value, tbs.KEY_USAGE_BITS))
        case "extended_key_usage":
            return tbs.extended_key_usage(_known(value, tbs.EXTENDED_KEY_USAGES))
        case "crl_distribution_points":
            return tbs.crl_distribution_points(str(value))
        case "subject_alt_name":
            return tlv(0x30, *(_general_name(*_only(one)) for one in value))
    raise ValueError(f"extensions: {kind!r} is unknown")


def _general_name(kind: str, value: Any) -> Part:
    match kind:
        case "dns":
            return tlv(0x82, tbs.text(value))
        case "uri":
            return tlv(0x86, tbs.text(value))
        case "directory_name":
            # A Name is a CHOICE, so its tag [4] is explicit (X.680 section 31.2.7).
            return tlv(0xA4, tbs.name([_only(one) for one in value]))
    raise ValueError(f"subject_alt_name: {kind!r} is unknown; known are dns, uri, directory_name")


def _known(values: Any, known: tuple[str, ...] | Mapping[str, int]) -> tuple[str, ...]:
    if not isinstance(values, list) or not values or not all(value in known for value in values):
        raise ValueError(f"extensions: {values!r} is not a list of {', '.join(known)}")
    return tuple(values)


def _bad(where: str, what: str) -> ConfigurationError:
    return ConfigurationError("bad-template", f"{where}: {what}", "correct the template")
