"""From the chip as it is to the chip as the profile wants it: what would be done, and what is for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from . import layout
from .description import KEPT, Profile
from .field_words import describe_setting
from .layout import ChipConfig
from .words import describe_slot

Stage = Literal["blank", "configured", "personalised", "identified"]

# Bytes that change in a chip's life without changing its configuration: counters and slot locks.
LIVING = frozenset({*range(layout.COUNTERS.start, layout.COUNTERS.stop), 88, 89})


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of the table: a slot, or bytes outside the slots, as they are and as they should be."""

    slot: int | None
    title: str
    present: str
    wanted: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One thing still to be done; a `permanent` one can never be undone."""

    code: str
    words: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes to bring one chip to the profile.

    `serial_number` is lower-case hex. `obstacle` is None, or why the profile can never be reached; `steps` is
    then empty.
    """

    serial_number: str
    profile: str
    stage: Stage
    table: tuple[Difference, ...]
    steps: tuple[Step, ...]
    obstacle: str | None

    @property
    def permanent(self) -> tuple[str, ...]:
        """The sentences on what can never be undone, in the order in which it happens."""
        return tuple(step.words for step in self.steps if step.permanent)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Those lines of the table in which chip and profile differ."""
        return tuple(line for line in self.table if line.differs)

    def as_dict(self) -> dict[str, Any]:
        """The plan as `--json` gives it."""
        return {
            "serial_number": self.serial_number,
            "profile": self.profile,
            "stage": self.stage,
            "obstacle": self.obstacle,
            "table": [
                {
                    "slot": line.slot,
                    "title": line.title,
                    "present": line.present,
                    "wanted": line.wanted,
                    "differs": line.differs,
                }
                for line in self.table
            ],
            "steps": [
                {"code": step.code, "words": step.words, "permanent": step.permanent} for step in self.steps
            ],
            "permanent": list(self.permanent),
        }


def stage_of(chip: ChipConfig, identity_slot: int | None) -> Stage:
    """How far the chip has come, in the words of docs/protocol.md (without the certificate)."""
    if not chip.config_locked:
        return "blank"
    if not chip.data_locked:
        return "configured"
    locked = identity_slot is not None and chip.slot(identity_slot).locked
    return "identified" if locked else "personalised"


def plan(config_now: bytes, profile: Profile) -> Plan:
    """Compare a chip's 128 configuration bytes with the profile; raises ValueError for any other length."""
    present = layout.decode(config_now)
    wanted = ChipConfig(profile.config_bytes(config_now))
    stage = stage_of(present, profile.slot_of("identity"))
    table = (*_settings(present, wanted, profile), *_slots(present, wanted, profile))
    obstacle = _description(profile) or _obstacle(present, wanted, profile)
    steps = () if obstacle else _steps(present, wanted, profile)
    return Plan(present.serial_number.hex(), profile.name, stage, table, steps, obstacle)


def differing_bytes(present: bytes, wanted: bytes) -> tuple[int, ...]:
    """Where two configurations of one chip differ in what a configuration is: not in counters and locks."""
    fixed = (at for at in range(layout.CONFIG_BYTES) if at not in KEPT | LIVING)
    return tuple(at for at in fixed if present[at] != wanted[at])


def _description(profile: Profile) -> str | None:
    """Why hri never writes this profile."""
    if profile.writable:
        return None
    return f"{profile.name} describes chips that others configure: it is compared with, and never written"


def _obstacle(present: ChipConfig, wanted: ChipConfig, profile: Profile) -> str | None:
    """Why this chip can never have the profile: it was locked with something else."""
    foreign = differing_bytes(present.raw, wanted.raw)
    if not present.config_locked or not foreign:
        return None
    return (
        f"the configuration of this chip is locked and is not {profile.name} "
        f"({len(foreign)} bytes differ): use another chip"
    )


def _slots(present: ChipConfig, wanted: ChipConfig, profile: Profile) -> tuple[Difference, ...]:
    # The wanted line is shown with the locks as they are: whether a slot is locked is a step, not a setting.
    return tuple(
        Difference(
            slot.number,
            slot.title,
            describe_slot(now),
            describe_slot(layout.Slot(slot.number, then.slot_config, then.key_config, now.locked)),
            (now.slot_config, now.key_config) != (then.slot_config, then.key_config),
        )
        for slot in profile.slots
        for now, then in ((present.slot(slot.number), wanted.slot(slot.number)),)
    )


def _settings(present: ChipConfig, wanted: ChipConfig, profile: Profile) -> tuple[Difference, ...]:
    foreign = set(differing_bytes(present.raw, wanted.raw))
    return tuple(
        Difference(
            None,
            f"bytes {start} to {start + len(value) - 1}" if len(value) > 1 else f"byte {start}",
            describe_setting(present, start, len(value)),
            describe_setting(wanted, start, len(value)),
            not foreign.isdisjoint(range(start, start + len(value))),
        )
        for start, value in profile.settings.items()
        if start not in LIVING
    )


def _steps(present: ChipConfig, wanted: ChipConfig, profile: Profile) -> tuple[Step, ...]:
    """The ceremony of docs/profile.md, less what is already done; of a custom profile the configuration."""
    steps = _configuration_steps(present, wanted)
    return (*steps, *_device_steps(present, wanted, profile)) if profile.kind == "device" else tuple(steps)


def _configuration_steps(present: ChipConfig, wanted: ChipConfig) -> list[Step]:
    if present.config_locked:
        return []
    steps = []
    if changed := sum(a != b for a, b in zip(present.raw, wanted.raw, strict=True)):
        steps.append(Step("write-config", f"write {changed} bytes of configuration and read all back", False))
    steps.append(Step("lock-config", "the configuration zone can never be changed again", True))
    return steps


def _device_steps(present: ChipConfig, wanted: ChipConfig, profile: Profile) -> list[Step]:
    identity, attestation = profile.identity_slot, profile.attestation_slot
    # Before the configuration is locked no slot can be, whatever the bytes say: they are about to be written.
    locks = present if present.config_locked else wanted
    steps: list[Step] = []
    if not present.data_locked:
        operator, anchor = profile.operator_slot, profile.trust_anchor_slot
        words = f"write every data slot: the root's key in {anchor}, the operator's in {operator}, else zeros"
        steps.append(Step("write-data", words, False))
        words = (
            f"the data zone can never be opened again: the keys in slots {anchor} and {operator} stay as "
            "they are, and no private key can be written into the chip"
        )
        steps.append(Step("lock-data", words, True))
    for slot, code, words in (
        (attestation, "attestation", "make the attestation key"),
        (identity, "identity", "have the identity key born in the chip, and keep the proof"),
    ):
        if not locks.slot(slot).locked:
            steps.append(Step(f"generate-{code}", f"{words} (slot {slot})", False))
            words = f"the {code} key in slot {slot} can never be replaced, and never leaves the chip"
            steps.append(Step(f"lock-{code}", words, True))
    return steps
