"""`hri chip`: look at a chip, plan, check and carry out its configuration, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hri.ca.files import read_input
from hri.chip_work import Zone, apply_configuration, lock_zone, read_chip
from hri.cli.output import Output
from hri.cli.state import PortOption, State, state_of
from hri.context import CHIP_PROFILE
from hri.elements.atecc.field_words import describe_fields
from hri.elements.atecc.known import identify
from hri.elements.atecc.layout import CONFIG_BYTES, ChipConfig, decode
from hri.elements.atecc.lint import Finding
from hri.elements.atecc.lint import lint as lint_config
from hri.elements.atecc.plan import Plan
from hri.elements.atecc.plan import plan as make_plan
from hri.elements.atecc.profile import Profile, load_profile, shipped_profiles
from hri.elements.atecc.words import describe_slot, still_possible
from hri.elements.atecc.zone_file import read_zone
from hri.elements.board import ElementInfo
from hri.errors import ConfigurationError

# More hex digits than anybody names a file by.
_SHORT = 64

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


@app.command()
def info(context: typer.Context, port: PortOption = None) -> None:
    """Show type, serial number, locks, which known configuration it is, and every slot of the chip."""
    state = state_of(context)
    chip = _read(state, port)
    config = decode(chip.config)
    if state.output.as_json:
        state.output.json(_info_document(chip) | _decoded(config))
        return
    state.output.result(
        {},
        f"{chip.type} {chip.serial_number.hex()}, revision {chip.revision.hex()}",
        f"  configuration zone {_locked(chip.config_locked)}, data zone {_locked(chip.data_locked)}",
    )
    _print_config(state.output, config)


@app.command("decode")
def decode_file(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE|HEX", help="128 bytes: a file, raw or hex, or hex digits.")
    ],
) -> None:
    """Say in words what a configuration zone does, without a chip."""
    state = state_of(context)
    raw = _zone(source)
    if len(raw) != CONFIG_BYTES:
        raise ConfigurationError(
            "wrong-length",
            f"a configuration zone has {CONFIG_BYTES} bytes and this has {len(raw)}",
            "`hri chip lint` says what else is wrong with it",
        )
    config = decode(raw)
    if state.output.as_json:
        state.output.json(_decoded(config))
    else:
        _print_config(state.output, config)


@app.command()
def profiles(context: typer.Context) -> None:
    """List the configurations that hri knows: those that it writes, and those that it only recognises."""
    state = state_of(context)
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
def plan(context: typer.Context, port: PortOption = None, profile: ProfileOption = CHIP_PROFILE) -> None:
    """Show what it takes to bring the chip to the profile, slot by slot, and what is for ever."""
    state = state_of(context)
    chip = _read(state, port)
    the_plan = make_plan(chip.config, load_profile(profile))
    if state.output.as_json:
        state.output.json(the_plan.as_dict() | {"still_possible": list(still_possible(decode(chip.config)))})
        return
    print_plan(state.output, the_plan)
    if the_plan.obstacle:
        known = identify(chip.config)
        if known is not None:
            state.output.result({}, f"  it is {known.words}")
        possible = still_possible(decode(chip.config))
        if possible:
            state.output.result({}, "  what can still be set in it:", *(f"    {words}" for words in possible))


@app.command()
def lint(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="[FILE|HEX]", help="A configuration: a file, raw or hex, or hex.")
    ] = None,
    port: PortOption = None,
    profile: ProfileOption = CHIP_PROFILE,
    present: Annotated[
        bool,
        typer.Option("--present", help="Check what the chip holds now, not what the profile would write."),
    ] = False,
) -> None:
    """Check a configuration for what would brick or weaken a chip, before it is locked."""
    state = state_of(context)
    if source is not None:
        findings = lint_config(_zone(source))
    else:
        chip, wanted = _read(state, port), load_profile(profile)
        if present:
            findings = lint_config(chip.config, present=chip.config)
        else:
            findings = lint_config(wanted.config_bytes(chip.config), present=chip.config, profile=wanted)
    raise typer.Exit(_tell_findings(state.output, findings))


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
        chip = apply_configuration(connect(), opened, serial, wanted)
    state.output.result(
        _info_document(chip), f"chip {chip.serial_number.hex()} holds the {wanted.name} configuration"
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
        chip = lock_zone(connect(), opened, zone, serial, wanted)
    state.output.result(
        _info_document(chip), f"the {zone.value} zone of chip {chip.serial_number.hex()} is locked"
    )


def print_plan(output: Output, the_plan: Plan) -> None:
    """Print a plan: the differences as a table, then the steps, those that are for ever in bold."""
    output.out.print(
        f"chip {the_plan.serial_number}: {the_plan.stage}, to become {the_plan.profile}", markup=False
    )
    if the_plan.obstacle:
        output.out.print(f"  {the_plan.obstacle}", markup=False)
        return
    rows = [
        ("" if line.slot is None else str(line.slot), line.title, line.present, line.wanted)
        for line in the_plan.differences
    ]
    if rows:
        output.table(("slot", "", "now", "wanted"), rows)
    for step in the_plan.steps:
        mark = "[bold red]for ever[/bold red]" if step.permanent else "        "
        output.out.print(f"{mark}  {step.words}")
    if not the_plan.steps:
        output.out.print("nothing is left to do")


def _tell_findings(output: Output, findings: list[Finding]) -> int:
    """Give the findings and return the exit status: 1 where one of them is an error."""
    errors = any(finding.severity == "error" for finding in findings)
    if output.as_json:
        output.json({"ok": not errors, "findings": [finding.as_dict() for finding in findings]})
    elif findings:
        rows = [
            (f.severity, "" if f.slot is None else str(f.slot), f.code, f"{f.message}: {f.why}")
            for f in findings
        ]
        output.table(("", "slot", "code", "finding"), rows)
    else:
        output.result({}, "nothing found")
    return 1 if errors else 0


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
        words = [f"dry run on chip {serial}; to {what}, add --serial {serial}"]
        words += [f"  {'for ever: ' if step.permanent else ''}{step.words}" for step in steps]
    else:
        words = [f"chip {serial}: that is done already"]
    state.output.result(document, *words)


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


def _zone(source: str) -> bytes:
    digits = read_zone(source.encode())
    if digits != source.encode() and len(digits) > _SHORT:
        return digits
    return read_zone(read_input(Path(source), "the configuration"))


def _print_config(output: Output, config: ChipConfig) -> None:
    known = identify(config.raw)
    output.result({}, f"  {known.words if known else 'a configuration that hri does not know'}")
    output.table(
        ("byte", "field", "hex", "as it is"),
        [
            (field.place.removeprefix("bytes ").removeprefix("byte "), field.name, field.raw, field.meaning)
            for field in describe_fields(config)
        ],
    )
    output.table(("slot", "as it is"), [(str(slot.number), describe_slot(slot)) for slot in config.slots])


def _decoded(config: ChipConfig) -> dict[str, Any]:
    known = identify(config.raw)
    return {
        "known_as": None
        if known is None
        else {
            "profile": known.profile.name,
            "title": known.profile.title,
            "differing": list(known.differing),
        },
        "fields": [
            {"bytes": field.place, "name": field.name, "hex": field.raw, "words": field.meaning}
            for field in describe_fields(config)
        ],
        "slots": [{"slot": slot.number, "words": describe_slot(slot)} for slot in config.slots],
    }


def _info_document(chip: ElementInfo) -> dict[str, Any]:
    return {
        "type": chip.type,
        "serial_number": chip.serial_number.hex(),
        "revision": chip.revision.hex(),
        "config_locked": chip.config_locked,
        "data_locked": chip.data_locked,
        "slots_locked": [slot for slot in range(16) if chip.slot_locked(slot)],
        "config": chip.config.hex(),
    }


def _locked(locked: bool) -> str:
    return "locked" if locked else "open"
