"""Which devices somebody asks for, and in which order they are found a page at a time.

A page begins behind a place in an index (keyset paging): the thousandth costs what the first one did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, or_, select, tuple_

from hri.errors import ConfigurationError
from hri.registry.database import to_micros
from hri.registry.records import DeviceStatus
from hri.registry.schema import LIVE_STATES, SEEN, certificate, device

_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """What devices are asked for; a member that is None asks for nothing, and the others all have to hold.

    `id_prefix` and `element_prefix` (hex) are how an id and a chip's serial number begin. `ends_before` is a
    time at which the certificate by which a device is known has ended: these come in the order of that.
    `not_seen_since` lets through who did not authenticate since then or never did, in the order of that;
    `never_seen` only the latter. By `element_prefix` alone they come in the order of chips, everything else
    in the order of ids, by their bytes.
    """

    status: DeviceStatus | None = None
    owner: str | None = None
    label: str | None = None
    element_type: str | None = None
    id_prefix: str | None = None
    element_prefix: str | None = None
    ends_before: datetime | None = None
    not_seen_since: datetime | None = None
    never_seen: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """A query without its page, and the columns in whose order devices come: a name, or a number first."""

    chosen: Select[Any]
    order: tuple[ColumnElement[Any], ...]

    def query(self, limit: int, after: str | None) -> Select[Any]:
        """Return the statement for a page. Raises ConfigurationError for an `after` that is no place."""
        query = self.chosen.order_by(*self.order).limit(limit)
        if after is None:
            return query
        if len(self.order) == 1:
            return query.where(self.order[0] > after)
        return query.where(tuple_(*self.order) > tuple_(*_place(after)))

    def place(self, row: Row[Any]) -> str:
        """Return where a row is in the order, as `after` takes it."""
        return str(row.place) if len(self.order) == 1 else f"{row.place}/{row.device_id}"


def search_of(wanted: DeviceFilter) -> Search:
    """Return the search for a filter."""
    conditions = [
        column == value
        for column, value in (
            (device.c.status, wanted.status),
            (device.c.owner, wanted.owner),
            (device.c.label, wanted.label),
            (device.c.element_type, wanted.element_type),
        )
        if value is not None
    ]
    if wanted.id_prefix:
        conditions.append(_begins(device.c.device_id, wanted.id_prefix))
    if wanted.element_prefix:
        conditions.append(_begins(device.c.element_serial, wanted.element_prefix.lower()))
    if wanted.never_seen:
        conditions.append(SEEN == 0)
    if wanted.not_seen_since is not None:
        conditions.append(SEEN.op("<")(to_micros(wanted.not_seen_since)))
    if wanted.ends_before is not None:
        return _by_end(wanted.ends_before, conditions)
    order: tuple[ColumnElement[Any], ...] = (device.c.device_id,)
    if wanted.not_seen_since is not None:
        order = (SEEN, device.c.device_id)
    elif wanted.element_prefix and not wanted.never_seen:
        order = (device.c.element_serial,)
    return Search(select(device, order[0].label("place")).where(*conditions), order)


def _by_end(before: datetime, conditions: list[ColumnElement[bool]]) -> Search:
    """Search by the certificate by which a device is known: the active one, else the issued one."""
    other = certificate.alias()
    active = exists().where(other.c.device_id == certificate.c.device_id, other.c.state == "active")
    known = or_(certificate.c.state == "active", ~active)
    ends = certificate.c.not_after
    query = (
        select(device, ends.label("place"))
        .join(certificate, device.c.device_id == certificate.c.device_id)
        .where(LIVE_STATES, ends < to_micros(before), known, *conditions)
    )
    return Search(query, (ends, certificate.c.device_id))


def _begins(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Return the condition that a text begins so, as a stretch of the column's order by bytes."""
    end = _behind(prefix)
    return column >= prefix if end is None else and_(column >= prefix, column < end)


def _behind(prefix: str) -> str | None:
    """Return the least text behind all that begin with `prefix`: UTF-8 keeps the order of code points."""
    kept = prefix.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


def _place(after: str) -> tuple[int, str]:
    number, _, device_id = after.partition("/")
    # What a BIGINT holds has 19 digits at most.
    if not re.fullmatch("-?[0-9]{1,18}", number):
        raise ConfigurationError(
            "bad-place", f"{after[:80]!r} is no place in this order", "give the `next` of the page before"
        )
    return int(number), device_id
