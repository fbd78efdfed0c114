"""Profiles as YAML that somebody has reviewed: the schema, the ones that ship with hri, and what is refused.

Each slot is written down twice, as bits and as words, and the two must agree: a reviewer reads the words, the
chip gets the bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hri.errors import ConfigurationError

from . import layout
from .description import BLANK_OTP, KEPT, Kind, Profile, ProfileSlot, Role, padded_public_key

__all__ = [
    "BLANK_OTP",
    "KEPT",
    "Profile",
    "ProfileSlot",
    "load_profile",
    "padded_public_key",
    "parse_profile",
    "shipped_names",
    "shipped_profiles",
]

# A profile is some thousands of bytes long; more is another file, or a device that never ends.
_LONGEST = 1 << 18
_FOLDER = resources.files(__package__).joinpath("profiles")

_Word = Annotated[int, Field(ge=0, le=0xFFFF)]
_Text = Annotated[str, Field(min_length=1)]
_Hex = Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2})+$")]


class _SlotEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    slot: Annotated[int, Field(ge=0, lt=layout.SLOTS)]
    role: Role
    title: _Text
    slot_config: _Word
    key_config: _Word
    words: _Text
    slot_config_varies: _Word = 0
    key_config_varies: _Word = 0


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    version: int
    kind: Kind
    title: _Text
    purpose: _Text
    source: _Text
    settings: dict[int, _Hex]
    varies: dict[int, _Hex] = {}
    slots: list[_SlotEntry]


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key may not stand twice: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int)):
                raise _Refused(f"line {key_node.start_mark.line + 1}: a key must be a name or a number")
            if key in seen:
                raise _Refused(f"line {key_node.start_mark.line + 1}: {key} stands twice")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


class _Refused(ValueError):
    """What is wrong with a profile file, with the line."""


def load_profile(source: str | Path) -> Profile:
    """The profile of that name that ships with hri, or the one in a YAML file; raises ConfigurationError."""
    try:
        if source in shipped_names():
            return _shipped(str(source))
        if source == "":
            raise _Refused("it has no name")
        return parse_profile(_text(Path(source)))
    except (OSError, UnicodeError, ValueError) as error:
        raise ConfigurationError(
            "profile-invalid",
            f"the chip profile {str(source)!r} cannot be used: {error}",
            f"correct the file, or use one of {', '.join(shipped_names())}",
        ) from error


def parse_profile(text: str) -> Profile:
    """The profile that the YAML text describes; raises ValueError naming line and key."""
    try:
        node = yaml.compose(text, Loader=_StrictLoader)
        parsed = _File.model_validate(yaml.load(text, Loader=_StrictLoader))  # noqa: S506 - derives from SafeLoader
    except ValidationError as invalid:
        raise _Refused("; ".join(_complaints(node, invalid))) from invalid
    except (yaml.YAMLError, RecursionError) as error:
        raise _Refused(f"it is no YAML: {' '.join(str(error).split())}") from error
    profile = Profile(
        name=parsed.name,
        version=parsed.version,
        settings={start: bytes.fromhex(value) for start, value in parsed.settings.items()},
        slots=tuple(_slot(entry) for entry in parsed.slots),
        kind=parsed.kind,
        title=parsed.title,
        purpose=parsed.purpose,
        source=parsed.source,
        varies={start: bytes.fromhex(value) for start, value in parsed.varies.items()},
    )
    for at, (entry, slot) in enumerate(zip(parsed.slots, profile.slots, strict=True)):
        if " ".join(entry.words.split()) != slot.words:
            place = _line(node, ("slots", at, "words"))
            raise _Refused(
                f"{place}slot {slot.number}: the words do not say what the bits do, which is: {slot.words}"
            )
    return profile


def _slot(entry: _SlotEntry) -> ProfileSlot:
    return ProfileSlot(
        entry.slot,
        entry.role,
        entry.title,
        entry.slot_config,
        entry.key_config,
        entry.slot_config_varies,
        entry.key_config_varies,
    )


def _complaints(node: yaml.Node | None, invalid: ValidationError) -> Iterator[str]:
    for error in invalid.errors():
        place = ".".join(str(part) for part in error["loc"]) or "the file"
        what = "is not a key of a profile" if error["type"] == "extra_forbidden" else error["msg"].lower()
        yield f"{_line(node, error['loc'])}{place}: {what}"


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> str:
    """`line N: ` of the deepest part of the path that the file has."""
    found = node
    for part in path:
        below = _child(found, part)
        if below is None:
            break
        found = below
    return f"line {found.start_mark.line + 1}: " if found is not None else ""


def _child(node: yaml.Node | None, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]  # type: ignore[no-any-return]
    return None


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        data = stream.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise _Refused(f"it is longer than {_LONGEST} bytes")
    return data.decode("utf-8")


@cache
def shipped_names() -> tuple[str, ...]:
    """The names of the profiles that ship with hri, in alphabetical order."""
    files = (file.name for file in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml")))


def shipped_profiles() -> tuple[Profile, ...]:
    """Every profile that ships with hri, in alphabetical order."""
    return tuple(_shipped(name) for name in shipped_names())


def profile_text(name: str) -> str:
    """The YAML of a profile that ships with hri; raises ConfigurationError for another name."""
    if name not in shipped_names():
        raise ConfigurationError(
            "unknown-profile", f"no profile is called {name!r}", f"there are {', '.join(shipped_names())}"
        )
    return _FOLDER.joinpath(f"{name}.yaml").read_text(encoding="utf-8")


# Asked for in every appraisal, and the files do not change while a program runs.
@cache
def _shipped(name: str) -> Profile:
    return parse_profile(profile_text(name))
