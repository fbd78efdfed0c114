"""The chips that can be opened: ``variants.toml``, and files of the same form."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from hri.rig.atecc.eeprom import CONFIG_SIZE, LOCK_VALUE, OTP_SIZE, SLOT_SIZES, UNLOCKED, Eeprom, Snapshot

_BUILT_IN = "variants.toml"
_VARIANT_KEYS = frozenset(
    {"like", "model", "part_number", "revision", "serial_end", "config", "otp", "device_template", "slots"}
)
_TEMPLATE_KEYS = frozenset({"id", "years", "key_slot", "common_name", "alternative_name"})
_PUBLIC_KEY_SIZE = _COMPRESSED_SIZE = 72
_EUI48_SIZE = 12


class Content(StrEnum):
    """What the factory makes for a slot; anything else it writes is given as bytes."""

    PRIVATE_KEY = "private-key"
    EUI48 = "eui-48"
    DEVICE_CERTIFICATE = "device-certificate"
    SIGNER_CERTIFICATE = "signer-certificate"
    SIGNER_PUBLIC_KEY = "signer-public-key"


_CONTENT_SIZE = {
    Content.PRIVATE_KEY: 36,
    Content.EUI48: _EUI48_SIZE,
    Content.DEVICE_CERTIFICATE: _COMPRESSED_SIZE,
    Content.SIGNER_CERTIFICATE: _COMPRESSED_SIZE,
    Content.SIGNER_PUBLIC_KEY: _PUBLIC_KEY_SIZE,
}


@dataclass(frozen=True, slots=True)
class DeviceTemplate:
    """What sets one definition of a device certificate apart from another (H).

    ``id`` is its number (0 to 15), ``years`` its validity (1 to 31), ``key_slot`` the key it certifies.
    ``common_name`` may name ``{serial}``, ``alternative_name`` (the serialNumber of a directoryName, "" for
    none) ``{serial}`` and ``{eui48}``. Raises ValueError for anything else.
    """

    id: int
    years: int
    key_slot: int
    common_name: str
    alternative_name: str = ""

    def __post_init__(self) -> None:
        if not (0 <= self.id <= 15 and 1 <= self.years <= 31 and 0 <= self.key_slot <= 15):
            raise ValueError("a template has an id of 0 to 15, 1 to 31 years and a key slot of 0 to 15")
        if not _fields(self.common_name) <= {"serial"}:
            raise ValueError(f"a common name is made with {{serial}} alone, not {self.common_name!r}")
        if not _fields(self.alternative_name) <= {"serial", "eui48"}:
            raise ValueError(
                f"an alternative name is made with {{serial}} and {{eui48}}, not {self.alternative_name!r}"
            )

    @property
    def needs_eui48(self) -> bool:
        return "eui48" in _fields(self.alternative_name)


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of chip as delivered.

    ``revision`` is 4 bytes, ``config`` 128 with the serial number and the revision still to fill in, ``otp``
    64, ``serial_end`` the last byte of its serial numbers. ``slots`` says what the factory puts where; a slot
    that is not named holds FF. ``model`` and ``part_number`` are the manifest's words. Raises ValueError
    where the parts do not fit each other.
    """

    name: str
    model: str
    revision: bytes
    config: bytes
    serial_end: int
    otp: bytes = b"\xff" * OTP_SIZE
    part_number: str = ""
    device_template: DeviceTemplate | None = None
    slots: Mapping[int, Content | bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (len(self.revision), len(self.config), len(self.otp)) != (4, CONFIG_SIZE, OTP_SIZE):
            raise ValueError("its revision, configuration and OTP zones are 4, 128 and 64 bytes")
        policies = Eeprom.blank(self.config)
        for slot, content in self.slots.items():
            if not 0 <= slot <= 15:
                raise ValueError(f"there is no slot {slot}")
            size = len(content) if isinstance(content, bytes) else _CONTENT_SIZE[content]
            if size > SLOT_SIZES[slot]:
                raise ValueError(f"slot {slot} has {SLOT_SIZES[slot]} bytes, too few for what goes there")
            if (content is Content.PRIVATE_KEY) != policies.policy(slot).is_p256_private:
                raise ValueError(
                    f"slot {slot}: a private key and KeyConfig.Private of a P-256 key go together"
                )
        if self.slots and not self.data_locked:
            raise ValueError(
                "the factory fills chips whose data zone it locks; this configuration leaves it open"
            )
        if self.slots and not self.part_number:
            raise ValueError("a chip that the factory fills has a part_number, which its manifest tells")
        self._check_certificates()

    def _check_certificates(self) -> None:
        contents = list(self.slots.values())
        template = self.device_template
        if (Content.DEVICE_CERTIFICATE in contents) != (template is not None):
            raise ValueError("a device certificate and a device_template go together")
        if template is None:
            return
        if self.slots.get(template.key_slot) is not Content.PRIVATE_KEY:
            raise ValueError(f"the template certifies slot {template.key_slot}, which gets no private key")
        if template.needs_eui48 and Content.EUI48 not in contents:
            raise ValueError("the template names the EUI-48, which no slot gets")

    @property
    def data_locked(self) -> bool:
        return self.config[LOCK_VALUE] != UNLOCKED

    @property
    def provisioned(self) -> bool:
        """Whether a factory fills the chip, and delivers a manifest with it."""
        return bool(self.slots)

    def is_serial_number(self, value: bytes) -> bool:
        """Whether a chip of this kind can have this serial number: 01 23 to ``serial_end``, 9 bytes (O)."""
        return len(value) == 9 and value[:2] == b"\x01\x23" and value[8] == self.serial_end

    def untouched(self, serial_number: bytes) -> Snapshot:
        """Return a chip with this 9-byte serial number before the factory fills its slots."""
        config = bytearray(self.config)
        config[0:4] = serial_number[0:4]
        config[4:8] = self.revision
        config[8:13] = serial_number[4:9]
        return Snapshot(bytes(config), self.otp, Eeprom.blank(bytes(config)).snapshot().slots)


@cache
def variants() -> dict[str, Variant]:
    """Return every built-in variant by name."""
    return _parse(tomllib.loads(_built_in_text()), {})


def variants_with(path: Path) -> dict[str, Variant]:
    """Return the built-in variants and those of a TOML file, which may build on them with ``like``.

    Raises ValueError naming the file and the entry when something in it is not as the documentation says.
    """
    try:
        return {**variants(), **_parse(_read(path), tomllib.loads(_built_in_text()))}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def variant_named(name: str, definitions: Path | None = None) -> Variant:
    """Return a built-in variant, or one of the file ``definitions``; raises ValueError for no such name."""
    known = variants() if definitions is None else variants_with(definitions)
    try:
        return known[name]
    except KeyError:
        raise ValueError(f"no chip is called {name!r}; there are {', '.join(known)}") from None


def _built_in_text() -> str:
    return resources.files(__package__).joinpath(_BUILT_IN).read_text(encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None


def _parse(document: dict[str, Any], known: dict[str, Any]) -> dict[str, Variant]:
    _refuse_unknown(document, frozenset({"variant", "template"}), "the file")
    tables = {}
    for kind in ("variant", "template"):
        own, inherited = document.get(kind, {}), known.get(kind, {})
        if not isinstance(own, dict) or not all(isinstance(entry, dict) for entry in own.values()):
            raise ValueError(f"write [{kind}.NAME] for each {kind}")
        for name in own.keys() & inherited.keys():
            raise ValueError(f"{kind} {name!r} is built in; choose another name")
        tables[kind] = inherited | own
    return {name: _variant(name, tables) for name in document.get("variant", {})}


def _variant(name: str, tables: dict[str, dict[str, Any]]) -> Variant:
    try:
        entry = _inherit(tables["variant"], name, set())
        slots = entry.get("slots", {})
        if not isinstance(slots, dict):
            raise ValueError(f"write [variant.{name}.slots] and below it NUMBER = CONTENT")
        template = _text(entry, "device_template") if "device_template" in entry else None
        return Variant(
            name=name,
            model=_text(entry, "model"),
            revision=_bytes(entry, "revision"),
            config=_bytes(entry, "config"),
            serial_end=int.from_bytes(_bytes(entry, "serial_end", 1), "big"),
            otp=_bytes(entry, "otp").ljust(OTP_SIZE, b"\0") if "otp" in entry else b"\xff" * OTP_SIZE,
            part_number=_text(entry, "part_number") if "part_number" in entry else "",
            device_template=None if template is None else _template(tables["template"], template),
            slots={_slot(key): _content(value) for key, value in slots.items()},
        )
    except ValueError as error:
        raise ValueError(f"variant {name!r}: {error}") from None


def _inherit(entries: dict[str, Any], name: str, seen: set[str]) -> dict[str, Any]:
    """Return an entry with what it does not say taken from the one it is ``like``."""
    if name not in entries:
        raise ValueError(f"it is like {name!r}, which there is not")
    if name in seen:
        raise ValueError("it is like itself")
    entry = dict(entries[name])
    _refuse_unknown(entry, _VARIANT_KEYS, "it")
    like = _text(entry, "like") if "like" in entry else None
    entry.pop("like", None)
    return entry if like is None else _inherit(entries, like, seen | {name}) | entry


def _template(entries: dict[str, Any], name: str) -> DeviceTemplate:
    if name not in entries:
        raise ValueError(f"there is no template {name!r}; there are {', '.join(entries)}")
    entry = entries[name]
    _refuse_unknown(entry, _TEMPLATE_KEYS, f"template {name!r}")
    return DeviceTemplate(
        id=_number(entry, "id"),
        years=_number(entry, "years"),
        key_slot=_number(entry, "key_slot"),
        common_name=_text(entry, "common_name"),
        alternative_name=_text(entry, "alternative_name") if "alternative_name" in entry else "",
    )


def _content(value: Any) -> Content | bytes:
    if value in list(Content):
        return Content(value)
    try:
        return bytes.fromhex(value)
    except (ValueError, TypeError):
        raise ValueError(f"{value!r} is neither hexadecimal nor one of {', '.join(Content)}") from None


def _slot(key: str) -> int:
    if not key.isdecimal():
        raise ValueError(f"slots are numbered 0 to 15, not {key!r}")
    return int(key)


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"it needs a text as {key}")
    return value


def _number(entry: dict[str, Any], key: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int):
        raise ValueError(f"it needs a whole number as {key}")
    return value


def _bytes(entry: dict[str, Any], key: str, size: int | None = None) -> bytes:
    text = _text(entry, key)
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{key} is not hexadecimal") from None
    if size is not None and len(value) != size:
        raise ValueError(f"{key} is {size} byte long, not {len(value)}")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for key in table.keys() - known:
        raise ValueError(
            f"{where} has a key {key!r}, which means nothing; there are {', '.join(sorted(known))}"
        )


def _fields(pattern: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
