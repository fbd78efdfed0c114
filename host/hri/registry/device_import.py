"""Many devices put on record at once: all of them or none.

An import adds: a device that is not on record, or what its registration left open. It never changes what is
there, takes no device back to an earlier status, and has nothing to do with certificates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy import exc as sa_exc

from hri.audit.entry import Act
from hri.audit.recorder import Recorder
from hri.errors import PolicyRefusal
from hri.registry.audit_log import Recorded, append_acts
from hri.registry.bulk import insert_rows
from hri.registry.database import Database, to_micros
from hri.registry.records import DeviceStatus
from hri.registry.schema import device

_PAGE = 500
_Item = TypeVar("_Item")
_FILLED = ("element_serial", "owner", "label")
_BY_ID = select(device).where(device.c.device_id.in_(bindparam("ids", expanding=True)))
_BY_CHIP = select(device.c.element_serial, device.c.device_id).where(
    device.c.element_serial.in_(bindparam("chips", expanding=True))
)
_FILL = (
    update(device)
    .where(device.c.device_id == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in _FILLED})
)


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A device to be put on record, and where in its file it is; `element_serial` is lower-case hex."""

    line: int
    device_id: str
    element_type: str
    status: DeviceStatus = "registered"
    element_serial: str | None = None
    owner: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that does not go with what is on record: line, column, and why."""

    line: int
    column: str
    why: str


class ImportConflict(PolicyRefusal):
    """Rows that do not go with what is on record; nothing was written."""

    conflicts: tuple[Conflict, ...] = ()


@dataclass(slots=True)
class Imported:
    """How many devices were registered, given what their registration had left open, or left as they are."""

    registered: int = 0
    completed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Plan:
    """What an import will write, once it is known that nothing is in its way."""

    new: list[dict[str, Any]] = field(default_factory=list)
    filled: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


class DeviceImport(Database):
    """The table of devices, filled from elsewhere."""

    def import_devices(
        self, rows: Sequence[ImportRow], now: datetime, *, act: Act, recorder: Recorder
    ) -> Imported:
        """Put devices on record, with the act of each and one of them all; nothing where there is none new.

        No two rows have the same id or chip. Raises ImportConflict, StorageError.
        """
        try:
            with self._write() as connection:
                plan = _Plan()
                for page in _pages(rows):
                    _plan_page(connection, page, to_micros(now), plan)
                if plan.conflicts:
                    raise _conflict(plan.conflicts)
                done = Imported(len(plan.new), len(plan.filled), plan.unchanged)
                if plan.new or plan.filled:
                    _write_plan(connection, plan)
                    for acts in _pages(chain(_acts(plan), (act,))):
                        append_acts(connection, Recorded(recorder, acts), now)
                return done
        except sa_exc.IntegrityError as error:
            raise PolicyRefusal(
                "import-overtaken",
                "somebody else registered some of these devices at the same moment",
                "import the file again",
            ) from error


def _pages(items: Iterable[_Item]) -> Iterator[tuple[_Item, ...]]:
    left = iter(items)
    while page := tuple(islice(left, _PAGE)):
        yield page


def _plan_page(connection: Connection, page: Iterable[ImportRow], now: int, plan: _Plan) -> None:
    rows = tuple(page)
    known = {
        row.device_id: row for row in connection.execute(_BY_ID, {"ids": [one.device_id for one in rows]})
    }
    chips = [one.element_serial for one in rows if one.element_serial is not None]
    holders = {chip: name for chip, name, *_ in connection.execute(_BY_CHIP, {"chips": chips})}
    for one in rows:
        holder = holders.get(one.element_serial or "")
        if holder not in (None, one.device_id):
            why = f"the chip {one.element_serial} is on record as the device {holder}'s"
            plan.conflicts.append(Conflict(one.line, "element_serial", why))
        elif one.device_id not in known:
            plan.new.append(_new(one, now))
        else:
            _compare(one, known[one.device_id], plan)


def _compare(one: ImportRow, row: Any, plan: _Plan) -> None:
    begun = row.status != "registered"
    for name in ("element_serial",) if begun else _FILLED:
        wanted, recorded = getattr(one, name), getattr(row, name)
        if wanted is not None and wanted != recorded and (recorded is not None or begun):
            why = f"the device {one.device_id} is {row.status}, with {recorded or 'none'} on record"
            plan.conflicts.append(Conflict(one.line, name, why))
            return
    values = {name: getattr(row, name) or getattr(one, name) for name in _FILLED}
    if begun or all(values[name] == getattr(row, name) for name in _FILLED):
        plan.unchanged += 1
    else:
        plan.filled.append({"of": one.device_id, **{f"new_{name}": values[name] for name in _FILLED}})


def _new(one: ImportRow, now: int) -> dict[str, Any]:
    return {
        "device_id": one.device_id,
        "element_type": one.element_type,
        "element_serial": one.element_serial,
        "status": one.status,
        "slot": None,
        "created_at": now,
        "last_authenticated_at": None,
        "label": one.label,
        "owner": one.owner,
    }


def _write_plan(connection: Connection, plan: _Plan) -> None:
    for page in _pages(plan.new):
        insert_rows(connection, device, page)
    if plan.filled:
        connection.execute(_FILL, plan.filled)


def _acts(plan: _Plan) -> Iterator[Act]:
    for row in plan.new:
        details = {"element": row["element_serial"] or "any"}
        if row["status"] != "registered":
            details["status"] = row["status"]
        yield Act("register", row["device_id"], details=details)
    for row in plan.filled:
        yield Act("register", row["of"], details={"element": row["new_element_serial"] or "any"})


def _conflict(conflicts: Sequence[Conflict]) -> ImportConflict:
    refused = ImportConflict("import-conflict", f"{len(conflicts)} rows do not go with what is on record")
    refused.conflicts = tuple(conflicts)
    return refused
