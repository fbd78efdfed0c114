"""The table of rules, read and made into one function a command.

An expression may use only names, attributes, constants, comparisons, arithmetic, membership and the calls
listed in ``CALLS``; anything else in the table is an error when it is read.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

OK, PARSE, EXEC, MISCOMPARE, ECC, SELFTEST, HEALTH = 1, 2, 4, 8, 16, 32, 64
STATUSES = {
    "PARSE": PARSE,
    "EXEC": EXEC,
    "MISCOMPARE": MISCOMPARE,
    "ECC": ECC,
    "SELFTEST": SELFTEST,
    "HEALTH": HEALTH,
}
STATUS_BITS = {0x00: OK, 0x01: MISCOMPARE, 0x03: PARSE, 0x05: ECC, 0x07: SELFTEST, 0x08: HEALTH, 0x0F: EXEC}

COMMAND_WORDS = ("mode", "p2", "n", "data", "T", "K")
POLICY_WORDS = (
    "config_locked",
    "data_locked",
    "data_open",
    "aes_enabled",
    "io_key_enabled",
    "io_key_slot",
    "kdf_aes_enabled",
    "ecdh_protection",
    "kdf_protection",
    "secure_boot_mode",
    "secure_boot_random",
    "secure_boot_slot",
    "secure_boot_key",
)
STATE_WORDS = ("used_up",)
CALLS = ("slot", "counter", "validated", "config_byte", "config", "otp")
KINDS = ("refuse", "open", "answer", "change", "after")

_ALLOWED = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.Invert,
    ast.BinOp,
    ast.BitAnd,
    ast.BitOr,
    ast.RShift,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Compare,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
    ast.Is,
    ast.IsNot,
    ast.IfExp,
    ast.Tuple,
    ast.Name,
    ast.Load,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Call,
)


class TableError(ValueError):
    """A line of the table that does not mean anything."""


@dataclass(frozen=True, slots=True)
class Row:
    """One rule. ``verdict`` is what follows its kind: statuses, lengths, a place or an assignment."""

    number: int
    command: str
    kind: str
    verdict: str
    rule: str
    when: str
    source: str

    @property
    def name(self) -> str:
        return f"{self.command}.{self.kind}.{self.rule}"


Rules = Callable[..., tuple[int, int, list[Any], dict[str, Any], tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class CommandTable:
    """The rules of one command, compiled: ``evaluate(mode, p2, data, T, K, policy, view, hits)``."""

    name: str
    opcode: int
    evaluate: Rules


@dataclass(frozen=True, slots=True)
class Table:
    """Every command by opcode, and every row in the order of the file."""

    commands: dict[int, CommandTable]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    words: str


def _sections(text: str) -> tuple[dict[str, list[_Line]], dict[tuple[str, int], list[_Line]]]:
    groups: dict[str, list[_Line]] = {}
    commands: dict[tuple[str, int], list[_Line]] = {}
    lines: list[_Line] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        words = raw.strip()
        if not words or words.startswith("#"):
            continue
        first, _, rest = words.partition(" ")
        if first == "group":
            lines = groups.setdefault(rest, [])
        elif first == "command":
            name, opcode = rest.split()
            lines = commands.setdefault((name, int(opcode, 0)), [])
        elif lines is None:
            raise TableError(f"line {number} stands outside any command or group")
        else:
            lines.append(_Line(number, words))
    return groups, commands


def _expand(lines: list[_Line], groups: dict[str, list[_Line]]) -> Iterator[_Line]:
    for line in lines:
        first, _, rest = line.words.partition(" ")
        if first == "use":
            yield from _expand(groups[rest], groups)
        else:
            yield line


def _checked(expression: str, names: set[str], number: int) -> str:
    """Return ``expression`` if it keeps to the vocabulary."""
    for node in ast.walk(ast.parse(expression, mode="eval")):
        if not isinstance(node, _ALLOWED):
            raise TableError(f"line {number}: {type(node).__name__} is not a word of the table")
        if isinstance(node, ast.Name) and node.id not in names and node.id not in CALLS:
            raise TableError(f"line {number}: {node.id!r} is not a word of the table")
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in CALLS):
            raise TableError(f"line {number}: only {', '.join(CALLS)} can be called")
    return expression


def statuses(words: str) -> int:
    """Return the set of statuses written ``PARSE/EXEC`` as bits."""
    bits = 0
    for word in words.split("/"):
        bits |= STATUSES[word]
    return bits


def _lengths(words: str) -> tuple[int, ...]:
    if "-" in words:
        low, high = words.split("-")
        return tuple(range(int(low), int(high) + 1))
    return tuple(int(word) for word in words.split(","))


def _row(line: _Line, command: str, count: int) -> Row:
    fields = [field.strip() for field in line.words.split(" | ")]
    kind, _, verdict = fields[0].partition(" ")
    if kind not in KINDS or len(fields) != 4:
        raise TableError(f"line {line.number}: not a rule of four fields")
    return Row(count, command, kind, verdict, fields[1], fields[2], fields[3])


class _Writer:
    """Writes the function of one command."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = {*COMMAND_WORDS, *POLICY_WORDS, *STATE_WORDS}
        self.conditions: list[str] = []
        self.effects: list[str] = []

    def let(self, line: _Line) -> None:
        name, _, expression = line.words.removeprefix("let ").partition(" = ")
        checked = _checked(expression, self.names, line.number)
        self.names.add(name)
        self.conditions.append(f"{name} = {checked}")

    def row(self, row: Row, line: _Line) -> None:
        when = _checked(row.when, self.names, line.number)
        if row.kind in ("refuse", "open"):
            sort = "refused" if row.kind == "refuse" else "opened"
            bits = statuses(row.verdict)
            self.conditions.append(f"if {when}: {sort} |= {bits}; fired.append({row.number})")
            return
        if row.kind == "answer":
            effect = f"lengths += {_lengths(row.verdict)!r}"
        elif row.kind == "change":
            place = _checked(row.verdict, self.names, line.number)
            if place.startswith("slot("):
                place = "place_of_" + place
            effect = f"changes.append({place})"
        else:
            name, _, value = row.verdict.partition(" = ")
            effect = f"after[{name!r}] = {_checked(value, self.names, line.number)}"
        self.effects.append(f"if {when}: {effect}; fired.append({row.number})")

    def source(self) -> str:
        body = "\n    ".join(
            [
                "n = len(data)",
                "slot = P.slots_at",
                *(f"{word} = P.{word}" for word in POLICY_WORDS if self._uses(word)),
                *(["used_up = V.used_up()"] if self._uses("used_up") else []),
                "counter, validated, config_byte = P.counters.__getitem__, V.validated, P.config.__getitem__",
                "refused = opened = 0",
                *self.conditions,
                "if refused: return refused, opened, None, None, None",
                "changes, after, lengths = [], {}, ()",
                *self.effects,
                "return 0, opened, changes, after, lengths",
            ]
        )
        return f"def evaluate(mode, p2, data, T, K, P, V, fired):\n    {body}\n"

    def _uses(self, word: str) -> bool:
        return any(word in line for line in (*self.conditions, *self.effects))


def _place_of_slot(number: int, start: int, stop: int) -> tuple[str, int, int, int]:
    return "slot", number & 15, start, stop


def _place_of_config(start: int, stop: int) -> tuple[str, int, int, int]:
    return "config", 0, start, stop


def _place_of_otp(start: int, stop: int) -> tuple[str, int, int, int]:
    return "otp", 0, start, stop


def read_table(text: str) -> Table:
    """Read the table; raises TableError, naming the line, for anything outside its small language."""
    groups, sections = _sections(text)
    commands: dict[int, CommandTable] = {}
    rows: list[Row] = []
    for (name, opcode), lines in sections.items():
        writer = _Writer(name)
        for line in _expand(lines, groups):
            if line.words.startswith("let "):
                writer.let(line)
                continue
            row = _row(line, name, len(rows))
            rows.append(row)
            writer.row(row, line)
        scope: dict[str, Any] = {
            "place_of_slot": _place_of_slot,
            "config": _place_of_config,
            "otp": _place_of_otp,
        }
        # Every expression went through _checked, so only the table's own vocabulary can run.
        exec(compile(writer.source(), f"rules of {name}", "exec"), scope)  # noqa: S102
        commands[opcode] = CommandTable(name, opcode, scope["evaluate"])
    names = [row.name for row in rows]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TableError(f"{twice} is written twice")
    return Table(commands, tuple(rows))


@lru_cache(maxsize=1)
def the_table() -> Table:
    """Return the table beside this file."""
    return read_table(Path(__file__).with_name("rules.txt").read_text(encoding="utf-8"))
