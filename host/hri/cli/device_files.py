"""`hri registry`: devices taken out as a file and put in from one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hri.ca.files import read_input, written_atomically
from hri.cli.state import state_of
from hri.device_files import FileFormat, device_lines
from hri.device_import import import_devices
from hri.device_rows import MAX_BYTES
from hri.errors import ConfigurationError

app = typer.Typer(help="Devices as a file: CSV or JSON Lines (docs/registry.md).", no_args_is_help=True)

_STANDARD = Path("-")
FormatOption = Annotated[
    str | None,
    typer.Option("--format", metavar="csv|jsonl", help="Default: as the file is named, else CSV."),
]


@app.command("export")
def export_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; - for standard output.")],
    form: FormatOption = None,
) -> None:
    """Write every device as of one moment; JSON Lines with all certificates."""
    state = state_of(context)
    state.home.require_authority()
    chosen = _format(file, form)
    with state.home.registry() as registry:
        lines = device_lines(registry.exported_devices(), chosen)
        if file == _STANDARD:
            for line in lines:
                # Not the text layer: it would change the line ends of CSV on some systems.
                sys.stdout.buffer.write(line.encode())
            sys.stdout.buffer.flush()
            return
        count = 0
        with written_atomically(file, 0o600) as stream:
            for line in lines:
                stream.write(line)
                count += 1
    count -= chosen == "csv"
    state.output.result({"file": str(file), "devices": count}, f"{count} devices in {file}")


@app.command("import")
def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to read; - for standard input.")],
    form: FormatOption = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="What a column of the file is here; may be repeated."),
    ] = None,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Pass over columns that mean nothing here.")
    ] = False,
) -> None:
    """Register the devices of a file, all or none, to be provisioned later."""
    state = state_of(context)
    chosen = _format(file, form)
    renamed = dict(_renaming(one) for one in column or ())
    data = _standard_input() if file == _STANDARD else read_input(file, "the file", limit=MAX_BYTES)
    with state.context(unlocked=False) as opened:
        done = import_devices(opened, data, chosen, renamed=renamed, ignore_unknown=ignore_unknown)
    state.output.result(
        {"registered": done.registered, "completed": done.completed, "unchanged": done.unchanged},
        f"{done.registered} devices registered, {done.completed} completed, {done.unchanged} as they were",
    )


def _format(file: Path, form: str | None) -> FileFormat:
    ending = "jsonl" if file.suffix in (".jsonl", ".ndjson") else "csv"
    match form or ending:
        case "csv":
            return "csv"
        case "jsonl":
            return "jsonl"
    raise ConfigurationError("bad-format", f"{form!r} is not a format", "use csv or jsonl")


def _renaming(option: str) -> tuple[str, str]:
    theirs, found, ours = option.rpartition("=")
    if not found or not theirs:
        raise ConfigurationError(
            "bad-column", f"{option[:80]!r} renames no column", "write --column 'Serial No=element_serial'"
        )
    return theirs, ours


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigurationError("file-too-long", f"that is more than {MAX_BYTES} bytes", "split it")
    return data
