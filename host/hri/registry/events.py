"""What was done, when and to which device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from hri.registry.database import Database, from_micros, to_micros
from hri.registry.records import Event
from hri.registry.schema import event


class Events(Database):
    """The table of events; rows are added and never changed."""

    def log_event(
        self, kind: str, device_id: str | None, detail: Mapping[str, Any] | None = None, *, now: datetime
    ) -> None:
        """Record an act. `detail` is JSON and holds no secret."""
        row = {
            "at": to_micros(now),
            "kind": kind,
            "device_id": device_id,
            "detail": json.dumps(dict(detail or {}), sort_keys=True),
        }
        with self._write() as connection:
            connection.execute(insert(event).values(row))

    def events(self, device_id: str | None = None, *, limit: int = 1000, after: int = 0) -> tuple[Event, ...]:
        """Return at most `limit` events in their order, those behind number `after`."""
        query = select(event).where(event.c.id > after).order_by(event.c.id).limit(limit)
        if device_id is not None:
            query = query.where(event.c.device_id == device_id)
        with self._read() as connection:
            return tuple(
                Event(row.id, from_micros(row.at), row.kind, row.device_id, json.loads(row.detail))
                for row in connection.execute(query)
            )
