"""Devices read from a file of somebody's, CSV or JSON Lines: every row is checked before one is used."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hri.ca.device_id import check_device_id
from hri.device_files import COLUMNS, FileFormat, armed
from hri.errors import ConfigurationError
from hri.registry import DeviceStatus, ImportRow

MAX_BYTES = 256 << 20
_SHOWN = 20
_ATECC_SERIAL = re.compile("[0-9a-f]{18}")
_SERIAL = re.compile("(?:[0-9a-f]{2}){1,32}")
# What our own exports say besides: of another registry it means nothing here.
_PASSED_OVER = frozenset(COLUMNS) | {"certificates"}
# A device that is done with stays so wherever it comes from; any other has its life here still before it.
_FINAL = ("transferred", "revoked", "decommissioned")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file: line from 1, column (empty for a whole line), and what."""

    line: int
    column: str
    what: str

    def __str__(self) -> str:
        return f"line {self.line}{f', column {self.column}' if self.column else ''}: {self.what}"


class BadRows(ConfigurationError):
    """Rows that cannot be used; `problems` are all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        shown = "; ".join(map(str, self.problems[:_SHOWN]))
        more = f"; and {len(self.problems) - _SHOWN} more" if len(self.problems) > _SHOWN else ""
        super().__init__("bad-rows", f"nothing was imported: {shown}{more}", "correct the file and try again")

    def __reduce__(self) -> Any:
        return type(self), (self.problems,)


def _device_id(value: str) -> str:
    try:
        return check_device_id(value)
    except ConfigurationError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error


def _hexadecimal(value: str) -> str:
    digits = value.strip().lower().removeprefix("0x")
    if not _SERIAL.fullmatch(digits):
        raise ValueError(f"{value[:40]!r} is no serial number of a chip: give its hex digits")
    return digits


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("it holds line ends or other characters that cannot be printed: take them out")
    return value.strip()


def _maybe(value: Any) -> Any:
    """Return None for a cell that holds nothing."""
    return None if isinstance(value, str) and not value.strip() else value


_Words = Annotated[str | None, Field(max_length=128), BeforeValidator(_maybe)]


class _Row(BaseModel):
    """What may be said of a device that is to be registered."""

    model_config = ConfigDict(strict=True, extra="forbid")

    device_id: Annotated[str, AfterValidator(_device_id)]
    status: Annotated[DeviceStatus | None, BeforeValidator(_maybe)] = None
    element_type: Annotated[
        str | None, Field(pattern="^[a-z0-9][a-z0-9._-]{0,31}$"), BeforeValidator(_maybe)
    ] = None
    element_serial: Annotated[
        str | None, AfterValidator(lambda value: value and _hexadecimal(value)), BeforeValidator(_maybe)
    ] = None
    owner: Annotated[_Words, AfterValidator(lambda value: value and _printable(value))] = None
    label: Annotated[_Words, AfterValidator(lambda value: value and _printable(value))] = None


_Raw = tuple[int, Mapping[str, Any]]


def read_rows(
    data: bytes,
    form: FileFormat,
    *,
    element_type: str,
    renamed: Mapping[str, str] | None = None,
    ignore_unknown: bool = False,
) -> list[ImportRow]:
    """Return the devices in a file; `element_type` is that of devices which say none.

    `renamed` maps columns of the file to ours. Raises BadRows with everything that is wrong, not only the
    first of it, and ConfigurationError for a file that is neither.
    """
    problems: list[Problem] = []
    text = _text(data)
    raw = _csv_rows(text, problems) if form == "csv" else _json_rows(text, problems)
    reader = _Reader(element_type, renamed or {}, ignore_unknown, problems)
    rows = [row for line, values in raw if (row := reader.row(line, values)) is not None]
    if not rows and not problems:
        problems.append(Problem(1, "", "there are no devices in it"))
    if problems:
        raise BadRows(sorted(problems, key=lambda one: one.line))
    return rows


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadRows([Problem(line, "", "it is not UTF-8: save the file as CSV UTF-8")]) from error


def _csv_rows(text: str, problems: list[Problem]) -> Iterator[_Raw]:
    head = text.partition("\n")[0]
    # Spreadsheets of half the world separate by semicolons.
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                pass
            elif names is None:
                names = [cell.strip() for cell in cells]
                twice = {name for name in names if names.count(name) > 1}
                problems += [Problem(line, name, "this column is there twice") for name in sorted(twice)]
            elif len(cells) != len(names):
                problems.append(
                    Problem(line, "", f"it has {len(cells)} cells, and the first line {len(names)}")
                )
            else:
                yield line, {name: armed(cell.strip()) for name, cell in zip(names, cells, strict=True)}
            # Where a quoted cell has line ends, a row has several lines.
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(line, "", f"this is no CSV ({error}): check its quotation marks"))


def _json_rows(text: str, problems: list[Problem]) -> Iterator[_Raw]:
    for line, one in enumerate(io.StringIO(text), 1):
        if not one.strip():
            continue
        try:
            values = json.loads(one, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(line, "", f"this is no JSON object on one line: {str(error)[:80]}"))
            continue
        if isinstance(values, dict):
            yield line, values
        else:
            problems.append(Problem(line, "", "this is no JSON object: write one device on a line"))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


class _Reader:
    """Makes devices of rows, and keeps what is wrong with those of which it cannot."""

    def __init__(
        self, element_type: str, renamed: Mapping[str, str], ignore_unknown: bool, problems: list[Problem]
    ) -> None:
        self._element_type = element_type
        self._renamed = renamed
        self._ignore_unknown = ignore_unknown
        self._problems = problems
        self._ids: dict[str, int] = {}
        self._chips: dict[str, int] = {}
        self._unknown: set[str] = set()

    def row(self, line: int, values: Mapping[str, Any]) -> ImportRow | None:
        """Return the device of a row, None where something is wrong with it."""
        ours = {self._renamed.get(name, name): value for name, value in values.items()}
        if not self._columns(line, ours):
            return None
        try:
            found = _Row.model_validate({name: ours[name] for name in ours if name in _Row.model_fields})
        except ValidationError as error:
            for one in error.errors():
                column = ".".join(map(str, one["loc"]))
                self._say(line, column, one["msg"].removeprefix("Value error, "))
            return None
        kind = found.element_type or self._element_type
        row = ImportRow(
            line,
            found.device_id,
            kind,
            found.status if found.status in _FINAL else "registered",
            found.element_serial,
            found.owner,
            found.label,
        )
        return row if self._fits(row, found.status) else None

    def _columns(self, line: int, ours: Mapping[str, Any]) -> bool:
        unknown = {name for name in ours if name not in _PASSED_OVER} - self._unknown
        if unknown and not self._ignore_unknown:
            for name in sorted(unknown):
                hint = "rename it with --column, or pass over such columns with --ignore-unknown"
                self._say(line, name[:40], f"this column is unknown: {hint}")
        self._unknown |= unknown
        if "device_id" in ours:
            return True
        self._say(line, "device_id", "there is no such column: name the one that is meant with --column")
        return False

    def _fits(self, row: ImportRow, status: str | None) -> bool:
        if status == "suspended":
            self._say(row.line, "status", "it is suspended elsewhere: resume or revoke it there first")
            return False
        chip = row.element_serial
        if chip and row.element_type.startswith("atecc") and not _ATECC_SERIAL.fullmatch(chip):
            what = f"{chip!r} is no serial number of an ATECC608: give all 18 hex digits"
            self._say(row.line, "element_serial", f"{what} (spreadsheets drop the first 0)")
            return False
        for column, value, seen in (
            ("device_id", row.device_id, self._ids),
            ("element_serial", chip, self._chips),
        ):
            if value is not None and seen.setdefault(value, row.line) != row.line:
                self._say(row.line, column, f"{value} is in line {seen[value]} already")
                return False
        return True

    def _say(self, line: int, column: str, what: str) -> None:
        self._problems.append(Problem(line, column, what))
