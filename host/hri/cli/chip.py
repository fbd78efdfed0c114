"""`hri chip`: look at a chip, plan, check and carry out its configuration, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hri.ca.files import read_input
from hri.chip_work import Zone, apply_configuration, lock_zone, read_chip
from hri.cli.chip_report import (
    decoded,
    info_document,
    known_document,
    lint_exit,
    lock_word,
    print_config,
    print_plan,
    tell_findings,
)
from hri.cli.output import Output
from hri.cli.state import PortOption, State, state_of
from hri.context import CHIP_PROFILE
from hri.elements.atecc.known import factory_zone, identify
from hri.elements.atecc.layout import CONFIG_BYTES, decode
from hri.elements.atecc.lint import RULES, Finding
from hri.elements.atecc.lint import lint as lint_config
from hri.elements.atecc.plan import plan as make_plan
from hri.elements.atecc.profile import Profile, load_profile, profile_text, shipped_profiles
from hri.elements.atecc.words import still_possible
from hri.elements.atecc.zone_file import read_zone
from hri.elements.board import ElementInfo
from hri.errors import ConfigurationError
from hri.personalisation import LintRefused, checked_configuration

# More hex digits than anybody names a file by.
_SHORT = 64

__all__ = ["app", "print_plan"]

app = typer.Typer(help="The secure element on a board.", no_args_is_help=True)

SerialOption = Annotated[
    str | None,
    typer.Option(
        metavar="SERIAL", help="The chip's serial number: do it, on this chip. Without it: a dry run."
    ),
]
ProfileOption = Annotated[
    str, typer.Option(metavar="NAME|FILE", help="Chip profile, see `hri chip profiles`, or a YAML file.")
]
LintProfileOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help=f"Chip profile: what would be written, and what slots are for [{CHIP_PROFILE}].",
    ),
]


@app.command()
def info(context: typer.Context, port: PortOption = None) -> None:
    """Show type, serial number, locks, which known configuration it is, and every slot of the chip."""
    state = state_of(context)
    chip = _read(state, port)
    config = decode(chip.config)
    if state.output.as_json:
        state.output.json(info_document(chip) | decoded(config))
        return
    state.output.result(
        {},
        f"{chip.type} {chip.serial_number.hex()}, revision {chip.revision.hex()}",
        f"  configuration zone {lock_word(chip.config_locked)}, data zone {lock_word(chip.data_locked)}",
    )
    print_config(state.output, config)


@app.command("decode")
def decode_file(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE|HEX", help="128 bytes: a file, raw or hex or a profile, or hex.")
    ],
) -> None:
    """Say in words what a configuration zone does, without a chip."""
    state = state_of(context)
    raw, _ = _zone(source)
    if len(raw) != CONFIG_BYTES:
        raise ConfigurationError(
            "wrong-length",
            f"a configuration zone has {CONFIG_BYTES} bytes and this has {len(raw)}",
            "`hri chip lint` says what else is wrong with it",
        )
    config = decode(raw)
    if state.output.as_json:
        state.output.json(decoded(config))
    else:
        print_config(state.output, config)


@app.command()
def profiles(
    context: typer.Context,
    show: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print this one as YAML, to be changed and used.")
    ] = None,
) -> None:
    """List the configurations that hri knows: those that it writes, and those that it only recognises."""
    state = state_of(context)
    if show is not None:
        state.output.raw(profile_text(show))
        return
    known = shipped_profiles()
    if state.output.as_json:
        state.output.json(
            {
                "profiles": [
                    {
                        "name": profile.name,
                        "title": profile.title,
                        "kind": profile.kind,
                        "writable": profile.writable,
                        "purpose": profile.purpose,
                        "source": profile.source,
                    }
                    for profile in known
                ]
            }
        )
        return
    rows = [(p.name, "written" if p.writable else "recognised", p.title, p.purpose) for p in known]
    state.output.table(("name", "", "what it is", "what it is for"), rows)


@app.command()
def rules(context: typer.Context) -> None:
    """List what lint looks for: each code, how bad it is, and what comes of it."""
    state = state_of(context)
    if state.output.as_json:
        listed = [{"code": code, "severity": severity, "why": why} for code, (severity, why) in RULES.items()]
        state.output.json({"rules": listed})
        return
    rows = [(code, severity, why) for code, (severity, why) in RULES.items()]
    state.output.table(("code", "", "what comes of it"), rows)


@app.command()
def plan(context: typer.Context, port: PortOption = None, profile: ProfileOption = CHIP_PROFILE) -> None:
    """Show what it takes to bring the chip to the profile, slot by slot, and what is for ever."""
    state = state_of(context)
    chip, wanted = _read(state, port), load_profile(profile)
    the_plan = make_plan(chip.config, wanted)
    if not the_plan.obstacle:
        _refuse_what_lint_refuses(state.output, chip, wanted)
    known, possible = identify(chip.config), still_possible(decode(chip.config))
    if state.output.as_json:
        state.output.json(
            the_plan.as_dict() | {"known_as": known_document(known), "still_possible": list(possible)}
        )
        return
    print_plan(state.output, the_plan)
    if the_plan.obstacle:
        if known is not None:
            state.output.result({}, f"  it is {known.words}")
        if possible:
            state.output.result({}, "  what can still be set in it:", *(f"    {words}" for words in possible))


@app.command()
def lint(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|HEX]", help="A configuration: a file, raw or hex or a profile, or hex."
        ),
    ] = None,
    port: PortOption = None,
    profile: LintProfileOption = None,
    present: Annotated[
        bool,
        typer.Option("--present", help="Check what the chip holds now, not what the profile would write."),
    ] = False,
) -> None:
    """Check a configuration for what would brick or weaken a chip, before it is locked.

    Without FILE, what --profile would write into the chip, or, where no port is named, into a blank one.
    """
    state = state_of(context)
    wanted = None if profile is None else load_profile(profile)
    if source is not None:
        raw, described = _zone(source)
        findings = _judge(raw, None, wanted or described)
    elif present:
        chip = _read(state, port)
        findings = _judge(chip.config, chip.config, wanted)
    else:
        base = (
            factory_zone()
            if profile is not None and not _has_port(state, port)
            else _read(state, port).config
        )
        wanted = wanted or load_profile(CHIP_PROFILE)
        findings = lint_config(wanted.config_bytes(base), present=base, profile=wanted)
    raise typer.Exit(tell_findings(state.output, findings))


@app.command()
def apply(
    context: typer.Context,
    port: PortOption = None,
    serial: SerialOption = None,
    profile: ProfileOption = CHIP_PROFILE,
) -> None:
    """Write the profile's configuration and read it back; nothing is locked. A dry run without --serial."""
    state = state_of(context)
    wanted = load_profile(profile)
    if serial is None:
        _dry_run(state, port, wanted, "write the configuration", ("write-config",))
        return
    with state.context(unlocked=True) as opened, state.connected(port, opened) as connect:
        try:
            chip = apply_configuration(connect(), opened, serial, wanted)
        except LintRefused as refused:
            raise lint_exit(state.output, refused) from refused
    state.output.result(
        info_document(chip), f"chip {chip.serial_number.hex()} holds the {wanted.name} configuration"
    )


@app.command()
def lock(
    context: typer.Context,
    port: PortOption = None,
    zone: Annotated[
        Zone, typer.Option(help="Which zone; slots are locked by `hri provision` alone.")
    ] = Zone.config,
    serial: SerialOption = None,
    profile: ProfileOption = CHIP_PROFILE,
) -> None:
    """Lock a zone for good, with the checksum of what it holds. A dry run without --serial."""
    state = state_of(context)
    wanted = load_profile(profile)
    if serial is None:
        codes = ("lock-config",) if zone is Zone.config else ("write-data", "lock-data")
        _dry_run(state, port, wanted, f"lock the {zone.value} zone for good", codes, zone=zone)
        return
    with state.context(unlocked=True) as opened, state.connected(port, opened) as connect:
        try:
            chip = lock_zone(connect(), opened, zone, serial, wanted)
        except LintRefused as refused:
            raise lint_exit(state.output, refused) from refused
    state.output.result(
        info_document(chip), f"the {zone.value} zone of chip {chip.serial_number.hex()} is locked"
    )


def _judge(raw: bytes, present: bytes | None, profile: Profile | None) -> list[Finding]:
    """Lint a configuration as it is, by the roles of its slots in the profile given or recognised."""
    known = identify(raw) if profile is None and len(raw) == CONFIG_BYTES else None
    if known is not None and known.profile.kind in ("device", "provisioned"):
        profile = known.profile
    return lint_config(raw, present=present, profile=profile)


def _refuse_what_lint_refuses(output: Output, chip: ElementInfo, profile: Profile) -> None:
    """End with status 1 and the findings where the profile may not be locked into this chip."""
    try:
        checked_configuration(chip, profile)
    except LintRefused as refused:
        raise lint_exit(output, refused) from refused


def _dry_run(
    state: State,
    port: str | None,
    profile: Profile,
    what: str,
    codes: tuple[str, ...],
    *,
    zone: Zone | None = None,
) -> None:
    chip = _read(state, port)
    the_plan = make_plan(chip.config, profile)
    if not the_plan.obstacle:
        _refuse_what_lint_refuses(state.output, chip, profile)
    steps = [step for step in the_plan.steps if step.code in codes]
    serial = chip.serial_number.hex()
    obstacle = the_plan.obstacle or _out_of_order(chip, profile, zone)
    document: dict[str, Any] = {
        "dry_run": True,
        "serial_number": serial,
        "obstacle": obstacle,
        "steps": [{"code": step.code, "words": step.words, "permanent": step.permanent} for step in steps],
    }
    if obstacle:
        words = [f"dry run on chip {serial}: it could not {what}", f"  {obstacle}"]
    elif steps:
        words = [f"dry run on chip {serial}; to {what}, add --serial {serial} to this line"]
        if not state.home.has_authority():
            words.append("  before that: `hri ca init`, because orders to a chip are signed by its operator")
        words += [f"  {'for ever: ' if step.permanent else ''}{step.words}" for step in steps]
    else:
        words = [f"chip {serial}: that is done already"]
    state.output.result(document, *words)
    if obstacle:
        raise typer.Exit(1)


def _out_of_order(chip: ElementInfo, profile: Profile, zone: Zone | None) -> str | None:
    """Why the real run would refuse to lock this zone now."""
    if zone is Zone.config and not chip.config_locked and chip.config != profile.config_bytes(chip.config):
        return f"the chip does not hold the {profile.name} configuration yet: `hri chip apply` first"
    if zone is Zone.data and not chip.config_locked:
        return "the configuration zone is not locked yet: `hri chip lock --zone config` first"
    return None


def _read(state: State, port: str | None) -> ElementInfo:
    with state.connected(port) as connect:
        return read_chip(connect())


def _has_port(state: State, option: str | None) -> bool:
    try:
        state.port(option)
    except ConfigurationError as error:
        if error.code != "no-port":
            raise
        return False
    return True


def _zone(source: str) -> tuple[bytes, Profile | None]:
    """The configuration that hex digits or a file hold, and the profile that the file is, where it is one."""
    digits = read_zone(source.encode())
    if digits != source.encode() and len(digits) > _SHORT:
        return digits, None
    if source.endswith((".yaml", ".yml")):
        profile = load_profile(Path(source))
        return profile.config_bytes(factory_zone()), profile
    return read_zone(read_input(Path(source), "the configuration")), None
