"""`hri rig trace`: what went over a bus, in the words of the chip's commands."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hri.cli.output import Output
from hri.cli.rig_serving import address, explained, stoppable
from hri.cli.state import state_of
from hri.cli.trace_table import StepTable, print_summary
from hri.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from hri.rig.trace import Header, Step
    from hri.rig.trace.sources import Batch, Source, Wait
    from hri.rig.trace.summary import Summary


def trace(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A trace, or the I2C export of a logic analyser (Saleae Logic 2, sigrok)."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is appended to FILE.")] = False,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Look at a bus that is served, by what `hri rig serve --control` printed.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, metavar="SECONDS", help="Stop looking on after this time.")
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="Only what it adds up to.")] = False,
    full: Annotated[bool, typer.Option("--full", help="All bytes in hexadecimal.")] = False,
    vcd: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Writes SCL, SDA and commands for a wave viewer.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Writes a picture.")] = None,
    sample_rate: Annotated[
        float | None, typer.Option(metavar="HZ", min=1, help="Samples a second of a sigrok export.")
    ] = None,
    chip_address: Annotated[
        list[str] | None,
        typer.Option(metavar="HEX", help="Where a chip is (default: 60, 35, 36, and who speaks like one)."),
    ] = None,
) -> None:
    """Show what went over a bus: commands, replies, times, faults. Stop looking on with Ctrl-C."""
    output = state_of(context).output
    if (file is None) == (control is None):
        raise ConfigurationError("usage", "name a FILE or a --control address", "see `hri rig trace --help`")
    if (follow or control) and (vcd or svg):
        raise ConfigurationError("usage", "a picture is made of what is over", "record to a file first")
    addresses = _addresses(chip_address)
    with traces_explained():
        if control is not None:
            with _until(seconds) as wait:
                _look_on(output, _served(address(control), wait), addresses, full=full, summary=summary)
        elif file is not None and follow:
            with _until(seconds) as wait:
                _look_on(output, _appended(file, wait), addresses, full=full, summary=summary)
        elif file is not None:
            drawn = {"vcd": vcd, "svg": svg}
            written = {name: path for name, path in drawn.items() if path is not None}
            if written:
                _draw(output, file, written, sample_rate, addresses)
            if summary or not written:
                _show(output, file, sample_rate, addresses, full=full, summary=summary)


def _show(
    output: Output,
    file: Path,
    sample_rate: float | None,
    addresses: tuple[int, ...],
    *,
    full: bool,
    summary: bool,
) -> None:
    from hri.rig.trace import decode
    from hri.rig.trace.sources import opened
    from hri.rig.trace.summary import Summary

    totals = Summary()
    with opened(file, sample_rate=sample_rate) as source:
        steps = _counted(decode(source.transactions, addresses=addresses), totals)
        if output.as_json:
            _print_document(output, source, steps, totals, only_summary=summary)
            return
        output.note(_origin(source.header))
        if summary:
            for _ in steps:
                pass
        else:
            table = StepTable(output, full=full)
            for step in steps:
                table.add(step)
            table.end()
        print_summary(output, totals)
        if source.torn():
            output.warning(f"lines left out, cut short or no transaction: {source.torn()}")


def _origin(header: Header) -> str:
    """Return where a trace comes from, in words."""
    chip = f"{header.chip} on {header.board}" if header.board else header.chip
    times = {"board": "the emulated board's", "host": "the host's", "analyser": "the analyser's"}
    said = f"{chip}, {header.source}; times are {times[header.clock]}"
    return f"{said}; {header.note}" if header.note else said


def _print_document(
    output: Output, source: Source, steps: Iterable[Step], totals: Summary, *, only_summary: bool
) -> None:
    """Print one document piece by piece: a trace may be longer than memory."""
    from hri.rig.trace.file import header_dict
    from hri.rig.trace.telling import as_dict

    output.raw(f'{{"trace": {json.dumps(header_dict(source.header))}')
    if only_summary:
        for _ in steps:
            pass
    else:
        output.raw(', "steps": [')
        for number, step in enumerate(steps):
            output.raw(f"{', ' if number else ''}{json.dumps(as_dict(step))}")
        output.raw("]")
    output.raw(f', "summary": {json.dumps(totals.as_dict())}, "torn_lines": {source.torn()}}}\n')


def _look_on(
    output: Output,
    batches: Iterator[Batch],
    addresses: tuple[int, ...],
    *,
    full: bool,
    summary: bool,
) -> None:
    """Show steps as they end, with --json one object a line; what they add up to in the end."""
    from hri.rig.trace import Decoder
    from hri.rig.trace.summary import Summary
    from hri.rig.trace.telling import as_dict

    totals, decoder = Summary(), Decoder(addresses)
    table = StepTable(output, full=full, at_once=True)

    def tell(steps: Iterable[Step]) -> None:
        for step in _counted(steps, totals):
            if summary:
                continue
            if output.as_json:
                output.json(as_dict(step))
            else:
                table.add(step)

    for batch in batches:
        if batch.lost:
            tell(decoder.finish())
            decoder = Decoder(addresses)
            _tell_loss(output, batch.lost)
        for transaction in batch.transactions:
            tell(decoder.feed(transaction))
    tell(decoder.finish())
    if output.as_json:
        output.json({"summary": totals.as_dict()})
    else:
        print_summary(output, totals)


def _tell_loss(output: Output, lost: int) -> None:
    if output.as_json:
        output.json({"kind": "lost", "transactions": lost})
    else:
        output.warning(f"{lost} transactions were lost: the bus was faster than we asked")


def _draw(
    output: Output,
    file: Path,
    written: dict[str, Path],
    sample_rate: float | None,
    addresses: tuple[int, ...],
) -> None:
    from hri.rig.trace.sources import opened

    for name, path in written.items():
        with opened(file, sample_rate=sample_rate) as source:
            if name == "vcd":
                from hri.rig.trace.vcd import write_vcd

                with path.open("w", encoding="ascii", newline="\n") as out:
                    write_vcd(out, source.header, source.transactions, addresses=addresses)
            else:
                from hri.rig.trace import decode
                from hri.rig.trace.picture import draw

                steps = decode(source.transactions, addresses=addresses)
                path.write_text(draw(source.header, steps), encoding="utf-8")
        output.note(f"written: {path}")


def _counted(steps: Iterable[Step], totals: Summary) -> Iterator[Step]:
    for step in steps:
        totals.add(step)
        yield step


def _appended(file: Path, wait: Wait) -> Iterator[Batch]:
    from hri.rig.trace.file import TraceReader, open_text
    from hri.rig.trace.sources import following

    with open_text(file) as opened_file:
        yield from following(file, opened_file, TraceReader(opened_file), wait)


def _served(place: tuple[str, int], wait: Wait) -> Iterator[Batch]:
    from hri.rig.bus_control_client import RemoteControl
    from hri.rig.trace.sources import watching

    with RemoteControl(*place) as remote:
        yield from watching(remote, wait)


@contextmanager
def _until(seconds: float | None) -> Iterator[Callable[[float], bool]]:
    """Yield what waits and says when to stop: after ``seconds``, at a signal, or at Ctrl-C."""
    end = None if seconds is None else time.monotonic() + seconds
    with stoppable() as stop:

        def wait(for_s: float) -> bool:
            left = for_s if end is None else max(0.0, min(for_s, end - time.monotonic()))
            try:
                stop.wait(left)
            except KeyboardInterrupt:
                stop.set()
            return stop.is_set() or (end is not None and time.monotonic() >= end)

        yield wait


@contextmanager
def traces_explained() -> Iterator[None]:
    """Turn what a trace's reader says into ours."""
    with explained():
        from hri.rig.trace import TraceError

        try:
            yield
        except TraceError as error:
            raise ConfigurationError(
                "no-trace",
                str(error),
                "name what `--trace FILE` recorded, or an analyser's I2C export; see docs/bus-trace.md",
            ) from error
        except BrokenPipeError:
            # Whoever read the table has seen enough; the interpreter would complain as it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            what = (error.strerror or str(error)).lower()
            raise StorageError(
                "trace", f"cannot use {error.filename or 'the bus'}: {what}", "name another file or address"
            ) from error


def _addresses(given: list[str] | None) -> tuple[int, ...]:
    from hri.rig.trace.decoding import USUAL_ADDRESSES

    try:
        found = tuple(int(text, 16) for text in given or ())
    except ValueError as error:
        raise ConfigurationError("usage", "a chip's address is hexadecimal, such as 60") from error
    if any(not 0 < address <= 0x7F for address in found):
        raise ConfigurationError("usage", "a chip's address is from 01 to 7f")
    return found or USUAL_ADDRESSES
