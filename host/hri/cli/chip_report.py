"""What `hri chip` says: plans, findings and configurations, as words or as the documents of `--json`."""

from __future__ import annotations

from typing import Any

import typer

from hri.cli.output import Output
from hri.elements.atecc.field_words import describe_fields
from hri.elements.atecc.known import Known, identify
from hri.elements.atecc.layout import ChipConfig
from hri.elements.atecc.lint import Finding
from hri.elements.atecc.plan import Plan
from hri.elements.atecc.words import describe_slot
from hri.elements.board import ElementInfo
from hri.personalisation import LintRefused


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


def tell_findings(output: Output, findings: list[Finding]) -> int:
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


def lint_exit(output: Output, refused: LintRefused) -> typer.Exit:
    """Tell what lint refused, all of it, and return what ends the command."""
    if not output.as_json:
        tell_findings(output, list(refused.findings))
    output.error(refused, {"findings": [finding.as_dict() for finding in refused.findings]})
    return typer.Exit(refused.exit_status)


def print_config(output: Output, config: ChipConfig) -> None:
    """Print which known configuration it is, every field outside the slots, and every slot."""
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


def decoded(config: ChipConfig) -> dict[str, Any]:
    """What `print_config` prints, as a document."""
    known = identify(config.raw)
    return {
        "known_as": known_document(known),
        "fields": [
            {"bytes": field.place, "name": field.name, "hex": field.raw, "words": field.meaning}
            for field in describe_fields(config)
        ],
        "slots": [{"slot": slot.number, "words": describe_slot(slot)} for slot in config.slots],
    }


def known_document(known: Known | None) -> dict[str, Any] | None:
    """A recognised configuration as a document."""
    if known is None:
        return None
    return {
        "profile": known.profile.name,
        "title": known.profile.title,
        "kind": known.profile.kind,
        "words": known.words,
        "differing": list(known.differing),
    }


def info_document(chip: ElementInfo) -> dict[str, Any]:
    """The chip as `--json` gives it after every command that changes it."""
    return {
        "type": chip.type,
        "serial_number": chip.serial_number.hex(),
        "revision": chip.revision.hex(),
        "config_locked": chip.config_locked,
        "data_locked": chip.data_locked,
        "slots_locked": [slot for slot in range(16) if chip.slot_locked(slot)],
        "config": chip.config.hex(),
    }


def lock_word(locked: bool) -> str:
    """`locked` or `open`."""
    return "locked" if locked else "open"
