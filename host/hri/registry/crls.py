"""Revocation lists as they were signed last, and the shards that certificates point to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exc as sa_exc
from sqlalchemy import func, insert, select, update

from hri.audit.entry import Act
from hri.audit.recorder import NOBODY, Recorder
from hri.registry.audit_log import Recorded, append_acts
from hri.registry.database import Database, from_micros, to_micros
from hri.registry.schema import counter, crl, crl_shards


@dataclass(frozen=True, slots=True)
class PublishedCrl:
    """The newest list of a name: its CRL number, its dates, and itself as DER.

    `content_sha256` (hex) covers its entries and the distribution points that it is for.
    """

    number: int
    this_update: datetime
    next_update: datetime
    content_sha256: str
    der: bytes


@dataclass(frozen=True, slots=True)
class ShardedUrl:
    """A URL with `{shard}` in it, under which certificates were told to look for one of `count` shards."""

    count: int
    url: str


class Crls(Database):
    """The tables of lists and of shards; `issuer` is a CA's key identifier in lower-case hex."""

    def published_crl(self, issuer: str, name: str) -> PublishedCrl | None:
        """Return the newest list of a name, None where there was none."""
        query = select(crl).where(crl.c.issuer == issuer, crl.c.name == name)
        with self._read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return PublishedCrl(
            row.number,
            from_micros(row.this_update),
            from_micros(row.next_update),
            row.content_sha256,
            row.der,
        )

    def crl_number_before_all(self) -> int:
        """Return the largest number that was given before lists were kept here, 0 where none was."""
        with self._read() as connection:
            found = connection.execute(select(counter.c.value).where(counter.c.name == "crl")).scalar()
        return int(found or 0)

    def replace_crl(
        self, issuer: str, name: str, new: PublishedCrl, *, after: int | None, recorder: Recorder = NOBODY
    ) -> bool:
        """Keep a newer list, if number `after` is still the newest (None: if there is none yet).

        With it goes its act in the audit log. Returns False, and changes nothing, where another publisher was
        faster. Durable once this returns.
        """
        values = {
            "number": new.number,
            "this_update": to_micros(new.this_update),
            "next_update": to_micros(new.next_update),
            "content_sha256": new.content_sha256,
            "der": new.der,
        }
        mine = (crl.c.issuer == issuer) & (crl.c.name == name)
        try:
            with self._write() as connection:
                if after is None:
                    connection.execute(insert(crl).values({"issuer": issuer, "name": name, **values}))
                else:
                    statement = update(crl).where(mine, crl.c.number == after).values(values)
                    if connection.execute(statement).rowcount != 1:
                        return False
                append_acts(connection, Recorded(recorder, (_act(name, new),)), new.this_update)
                return True
        except sa_exc.IntegrityError:
            return False

    def keep_shards(self, issuer: str, shards: ShardedUrl, until: datetime) -> None:
        """Remember that certificates which live until `until` may point to these shards."""
        moment = to_micros(until)
        mine = (
            (crl_shards.c.issuer == issuer)
            & (crl_shards.c.count == shards.count)
            & (crl_shards.c.url == shards.url)
        )
        # The later of two dates wins, whichever comes first.
        later = mine & (crl_shards.c.until < moment)
        row = {"issuer": issuer, "count": shards.count, "url": shards.url, "until": moment}
        for _ in range(2):
            try:
                with self._write() as connection:
                    connection.execute(update(crl_shards).where(later).values(until=moment))
                    known = select(func.count()).select_from(crl_shards).where(mine)
                    if not connection.execute(known).scalar_one():
                        connection.execute(insert(crl_shards).values(row))
                    return
            except sa_exc.IntegrityError:
                # Another process was first to remember them: the date is still to be compared.
                continue

    def shards_in_use(self, issuer: str, now: datetime) -> tuple[ShardedUrl, ...]:
        """Return the shards that a certificate which has not expired at `now` may point to."""
        query = (
            select(crl_shards.c.count, crl_shards.c.url)
            .where(crl_shards.c.issuer == issuer, crl_shards.c.until >= to_micros(now))
            .order_by(crl_shards.c.count, crl_shards.c.url)
        )
        with self._read() as connection:
            return tuple(ShardedUrl(count, url) for count, url in connection.execute(query))


def _act(name: str, new: PublishedCrl) -> Act:
    details = {"list": name, "number": new.number, "sha256": hashlib.sha256(new.der).digest()}
    return Act("publish-crl", details=details)
