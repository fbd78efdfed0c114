"""What commands say: one JSON document, or words for people; PEM and data on standard output alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hri.errors import HriError
from hri.printable import printable
from hri.steps import OnStep, StepEvent
from hri.verify.decision import Decision

_NO_WORDS: Mapping[str, str] = {}


class Output:
    """Standard output for results, standard error for everything else."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # At a terminal lines are folded between words; for a pipe or a file they stay whole.
        self.out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self.err = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())

    def result(self, document: Mapping[str, Any], *words: str) -> None:
        """Give the result of a command: the document with --json, else the words, one line each."""
        if self.as_json:
            self.json(document)
        else:
            for line in words:
                self.out.print(printable(line), markup=False)

    def json(self, document: Mapping[str, Any]) -> None:
        """Print one JSON document on one line."""
        print(json.dumps(document), flush=True)

    def raw(self, text: str) -> None:
        """Print text as it is: PEM."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Say something on standard error; with --json nothing but errors goes there."""
        if not self.as_json:
            self.err.print(printable(text), markup=False)

    def warning(self, text: str) -> None:
        """Warn on standard error."""
        if not self.as_json:
            self.err.print(f"[yellow]warning[/yellow] {_escaped(text)}")

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; nothing in it is ever cut off."""
        if not self.out.is_terminal:
            lines = [tuple(headings), *(tuple(printable(cell) for cell in row) for row in rows)]
            widths = [max(len(line[at]) for line in lines) for at in range(len(headings))]
            for line in lines:
                cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
                print("  ".join(cells).rstrip())
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(_escaped(cell) for cell in row))
        self.out.print(table)

    def error(self, error: HriError, extra: Mapping[str, Any] | None = None) -> None:
        """Say what went wrong and what to do next, on standard error."""
        if self.as_json:
            print(json.dumps({"error": {**error.as_dict(), **(extra or {})}}), file=sys.stderr, flush=True)
            return
        self.err.print(f"[red]error[/red] {_escaped(error.message)}")
        if error.hint:
            self.err.print(f"  [dim]{_escaped(error.hint)}[/dim]")

    def decision(self, decision: Decision, subject: str) -> int:
        """Give a decision and return the exit status that goes with it: 0 trusted, 1 not."""
        if self.as_json:
            self.json(decision.as_dict())
        else:
            verdict = "[green]trusted[/green]" if decision else "[red]not trusted[/red]"
            self.out.print(f"{verdict}  {_escaped(subject)}")
            for reason in decision.reasons:
                self.out.print(printable(f"  {reason.code.value}: {reason.detail}"), markup=False)
        return 0 if decision else 1

    @contextmanager
    def progress(self, names: Sequence[str], words: Mapping[str, str] = _NO_WORDS) -> Iterator[OnStep]:
        """Say on standard error, in their `words`, which steps are done, with a progress bar at a terminal.

        Yields what to tell of each step.
        """
        if self.as_json:
            yield _silent
            return
        started = 0.0

        def done(event: StepEvent) -> None:
            if event.name in words:
                spent = round((time.monotonic() - started) * 1000)
                self.err.print(f" [green]✓[/green] {event.name:16}{_escaped(words[event.name])}  {spent} ms")

        if not self.err.is_terminal:

            def tell(event: StepEvent) -> None:
                nonlocal started
                if event.phase == "begun":
                    started = time.monotonic()
                elif event.phase == "done":
                    done(event)

            yield tell
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.err, transient=True) as progress:
            task = progress.add_task("", total=len(names))

            def on_step(event: StepEvent) -> None:
                nonlocal started
                if event.phase == "begun":
                    started = time.monotonic()
                    at = names.index(event.name) if event.name in names else None
                    progress.update(task, description=event.name, completed=at)
                elif event.phase == "done":
                    progress.advance(task)
                    done(event)

            yield on_step


def _silent(_event: StepEvent) -> None:
    return


def _escaped(text: str) -> str:
    return escape(printable(text))
