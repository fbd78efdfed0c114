"""Whose turn it is: work that comes again and again, done by one of any number of processes each time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exc as sa_exc
from sqlalchemy import insert, or_, update

from hri.registry.database import Database, to_micros
from hri.registry.schema import counter

_CLOCKS_DIFFER = timedelta(minutes=5)
"""A last turn that lies further in the future was taken under a clock that was wrong."""


class Turns(Database):
    """When each turn was taken last, in µs since 1970, among the counters."""

    def take_turn(self, name: str, every: timedelta, now: datetime) -> bool:
        """Say whether the work of this name (up to 25 characters) is the caller's now.

        It is for one caller in `every`, whether he then succeeds or not; a process that dies in its turn
        leaves the next one to the others. Raises StorageError.
        """
        row = f"turn:{name}"
        before, ahead = to_micros(now - every), to_micros(now + _CLOCKS_DIFFER)
        due = or_(counter.c.value <= before, counter.c.value > ahead)
        try:
            with self._write() as connection:
                taken = update(counter).where(counter.c.name == row, due).values(value=to_micros(now))
                if connection.execute(taken).rowcount == 1:
                    return True
                known = counter.select().where(counter.c.name == row)
                if connection.execute(known).first() is not None:
                    return False
                connection.execute(insert(counter).values(name=row, value=to_micros(now)))
                return True
        except sa_exc.IntegrityError:
            # Another process took the very first turn at this moment.
            return False
