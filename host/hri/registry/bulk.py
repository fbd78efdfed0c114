"""Many rows at once, without what the statement compiler does for each of their values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that have every column of the table but for one that the database numbers.

    Values go to the driver as they are: integers, text, bytes, booleans and None.
    """
    if rows:
        statement, names = _compiled(table, connection.dialect, tuple(rows[0]))
        if names is None:
            connection.exec_driver_sql(statement, list(rows))
        else:
            connection.exec_driver_sql(statement, [tuple([row[name] for name in names]) for row in rows])


@lru_cache(maxsize=32)
def _compiled(table: Table, dialect: Dialect, columns: tuple[str, ...]) -> tuple[str, tuple[str, ...] | None]:
    """Return the dialect's statement, and the order of its values where they go by position."""
    compiled = insert(table).compile(dialect=dialect, column_keys=list(columns))
    names = getattr(compiled, "positiontup", None)
    return str(compiled), None if names is None else tuple(names)
