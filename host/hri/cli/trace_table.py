"""Steps of a bus trace as lines of a table, while they come; and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from hri.cli.output import Output
from hri.printable import printable

if TYPE_CHECKING:
    from hri.rig.trace.steps import Step
    from hri.rig.trace.summary import Summary

_HEADINGS = ("ms", "command", "bytes", "execution", "reply", "data", "notes")
# What fits most lines; a longer cell pushes the rest to the right, and is never cut off.
_WIDTHS = (10, 44, 5, 26, 26, 18, 0)
_RIGHT = (0, 2)
_WIDE = 140
_NARROW = (0, 1, 3, 4, 6)
_MANY = 200
_PLAIN = ("sleep", "idle", "reset", "awake")


class StepTable:
    """Prints one line a step; at a terminal in colour. Holds a few lines, none where ``at_once``."""

    def __init__(self, output: Output, *, full: bool, at_once: bool = False) -> None:
        self._output = output
        self._full = full
        self._most = 1 if at_once else _MANY
        self._rows: list[tuple[tuple[str, ...], str]] = []
        self._start_us: float | None = None
        self._first_chip: int | None = None
        self._headed = False

    def add(self, step: Step) -> None:
        """Print a step, or hold it until there are more."""
        from hri.rig.trace.telling import row

        if self._start_us is None:
            self._start_us = step.start_us
        said = row(step, full=self._full)
        what = self._whose(step) + said.what
        time = f"{(step.start_us - self._start_us) / 1000:,.3f}"
        cells = (time, what, str(step.bus_bytes), said.busy, said.reply, said.data, said.notes)
        style = "red" if said.bad else "dim" if said.what.startswith(("wake", *_PLAIN)) else ""
        self._rows.append((cells, style))
        if len(self._rows) >= self._most:
            self.end()

    def _whose(self, step: Step) -> str:
        """Return the address where it is a second chip's."""
        from hri.rig.trace import Elsewhere

        if step.address is None or isinstance(step, Elsewhere):
            return ""
        if self._first_chip is None:
            self._first_chip = step.address
        return "" if step.address == self._first_chip else f"0x{step.address:02x}: "

    def end(self) -> None:
        """Print what is held."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        if self._output.out.is_terminal:
            self._print_rich(rows)
        else:
            self._print_plain(rows)
        self._headed = True

    def _print_plain(self, rows: list[tuple[tuple[str, ...], str]]) -> None:
        lines = [cells for cells, _ in rows]
        if not self._headed:
            lines.insert(0, _HEADINGS)
        for cells in lines:
            shown = [
                text.rjust(width) if at in _RIGHT else text.ljust(width)
                for at, (text, width) in enumerate(zip(map(printable, cells), _WIDTHS, strict=True))
            ]
            print("  ".join(shown).rstrip(), flush=self._most == 1)

    def _print_rich(self, rows: list[tuple[tuple[str, ...], str]]) -> None:
        wide = self._full or self._output.out.width >= _WIDE
        table = Table(
            box=None, pad_edge=False, show_header=not self._headed, header_style="bold", expand=not wide
        )
        # What does not fit a narrow terminal is left to --full and to a wider one.
        for at in range(len(_HEADINGS)) if wide else _NARROW:
            table.add_column(
                _HEADINGS[at],
                min_width=_WIDTHS[at] if wide or at == 0 else None,
                ratio=None if wide or at == 0 else _WIDTHS[at] + 10,
                overflow="fold",
                justify="right" if at in _RIGHT else "left",
            )
        for cells, style in rows:
            shown = cells if wide else tuple(cells[at] for at in _NARROW)
            table.add_row(*(escape(printable(cell)) for cell in shown), style=style)
        self._output.out.print(table)


def print_summary(output: Output, totals: Summary) -> None:
    """Print what a trace adds up to."""
    from hri.rig.trace.summary import BETWEEN

    if not totals.rows:
        output.result({}, "nothing went over the bus")
        return
    headings = ("what", "count", "failed", "bytes", "time", "busy", "share")
    rows = [
        (
            name,
            str(row.count),
            str(row.failed or ""),
            str(row.bus_bytes),
            _ms(row.time_us),
            _ms(row.busy_us) if row.busy_us else "",
            f"{100 * totals.share(name):.1f} %",
        )
        for name, row in totals.rows.items()
    ]
    rows.append((BETWEEN, "", "", "", _ms(totals.between_us), "", f"{100 * totals.share(BETWEEN):.1f} %"))
    output.result({}, "")
    output.table(headings, rows)
    output.result({}, "", *_totals(totals))


def _totals(totals: Summary) -> list[str]:
    pulses = f"{totals.wakes} wake pulse{'' if totals.wakes == 1 else 's'}"
    words = [
        f"{_ms(totals.span_us)}, {totals.bus_bytes} bytes on the bus, {pulses}, "
        f"longest awake {totals.most_awake_us / 1e6:.2f} s of the watchdog's 1.3 s",
        f"not acknowledged: {totals.nacks}, of which polls of a busy chip: {totals.polls}; "
        f"CRC errors: {totals.crc_errors}, retries: {totals.retries}, power losses: {totals.power_losses}",
    ]
    if totals.faults:
        struck = ", ".join(f"{name} ×{count}" for name, count in sorted(totals.faults.items()))
        words.append(f"faults that struck: {struck}")
    return words


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1000:,.1f} ms"
