"""`hri chip`: look at a chip, plan, check and carry out its configuration, step by step."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hri.chip_work import Zone, apply_configuration, lock_zone, read_chip
from hri.cli.output import Output
from hri.cli.state import PortOption, State, state_of
from hri.context import CHIP_PROFILE
from hri.elements.atecc.layout import decode
from hri.elements.atecc.lint import lint as lint_config
from hri.elements.atecc.plan import Plan
from hri.elements.atecc.plan import plan as make_plan
from hri.elements.atecc.profile import load_profile
from hri.elements.atecc.words import describe_slot
from hri.elements.board import ElementInfo

app = typer.Typer(help="The secure element on a board.", no_args_is_help=True)

SerialOption = Annotated[
    str | None,
    typer.Option(
        metavar="SERIAL", help="The chip's serial number: do it, on this chip. Without it: a dry run."
    ),
]


@app.command()
def info(context: typer.Context, port: PortOption = None) -> None:
    """Show type, serial number, locks and every slot of the chip."""
    state = state_of(context)
    chip = _read(state, port)
    if state.output.as_json:
        state.output.json(_info_document(chip))
        return
    state.output.result(
        {},
        f"{chip.type} {chip.serial_number.hex()}, revision {chip.revision.hex()}",
        f"  configuration zone {_locked(chip.config_locked)}, data zone {_locked(chip.data_locked)}",
    )
    rows = [(str(slot.number), describe_slot(slot)) for slot in decode(chip.config).slots]
    state.output.table(("slot", "as it is"), rows)


@app.command()
def plan(context: typer.Context, port: PortOption = None) -> None:
    """Show what it takes to bring the chip to the hri-device profile, slot by slot, and what is for ever."""
    state = state_of(context)
    the_plan = make_plan(_read(state, port).config, load_profile(CHIP_PROFILE))
    if state.output.as_json:
        state.output.json(the_plan.as_dict())
    else:
        print_plan(state.output, the_plan)


@app.command()
def lint(
    context: typer.Context,
    port: PortOption = None,
    present: Annotated[
        bool,
        typer.Option("--present", help="Check what the chip holds now, not what the profile would write."),
    ] = False,
) -> None:
    """Check a configuration for what would brick or weaken the chip, before it is locked."""
    state = state_of(context)
    chip = _read(state, port)
    wanted = chip.config if present else load_profile(CHIP_PROFILE).config_bytes(chip.config)
    findings = lint_config(wanted, present=chip.config)
    errors = any(finding.severity == "error" for finding in findings)
    if state.output.as_json:
        state.output.json({"ok": not errors, "findings": [finding.as_dict() for finding in findings]})
    elif findings:
        rows = [(f.severity, "" if f.slot is None else str(f.slot), f.code, f.message) for f in findings]
        state.output.table(("", "slot", "code", "finding"), rows)
    else:
        state.output.result({}, "nothing found")
    raise typer.Exit(1 if errors else 0)


@app.command()
def apply(context: typer.Context, port: PortOption = None, serial: SerialOption = None) -> None:
    """Write the hri-device configuration and read it back; nothing is locked. A dry run without --serial."""
    state = state_of(context)
    if serial is None:
        _dry_run(state, port, "write the configuration", ("write-config",))
        return
    with state.context(unlocked=True) as opened, state.connected(port, opened) as connect:
        chip = apply_configuration(connect(), opened, serial)
    state.output.result(
        _info_document(chip), f"chip {chip.serial_number.hex()} holds the {CHIP_PROFILE} configuration"
    )


@app.command()
def lock(
    context: typer.Context,
    port: PortOption = None,
    zone: Annotated[
        Zone, typer.Option(help="Which zone; slots are locked by `hri provision` alone.")
    ] = Zone.config,
    serial: SerialOption = None,
) -> None:
    """Lock a zone for good, with the checksum of what it holds. A dry run without --serial."""
    state = state_of(context)
    if serial is None:
        codes = ("lock-config",) if zone is Zone.config else ("write-data", "lock-data")
        _dry_run(state, port, f"lock the {zone.value} zone for good", codes)
        return
    with state.context(unlocked=True) as opened, state.connected(port, opened) as connect:
        chip = lock_zone(connect(), opened, zone, serial)
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


def _dry_run(state: State, port: str | None, what: str, codes: tuple[str, ...]) -> None:
    chip = _read(state, port)
    the_plan = make_plan(chip.config, load_profile(CHIP_PROFILE))
    steps = [step for step in the_plan.steps if step.code in codes]
    serial = chip.serial_number.hex()
    document: dict[str, Any] = {
        "dry_run": True,
        "serial_number": serial,
        "obstacle": the_plan.obstacle,
        "steps": [{"code": step.code, "words": step.words, "permanent": step.permanent} for step in steps],
    }
    words = [f"dry run on chip {serial}; to {what}, add --serial {serial}"]
    words += [f"  {'for ever: ' if step.permanent else ''}{step.words}" for step in steps]
    if not steps:
        words = [the_plan.obstacle or f"chip {serial}: that is done already"]
    state.output.result(document, *words)


def _read(state: State, port: str | None) -> ElementInfo:
    with state.connected(port) as connect:
        return read_chip(connect())


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
