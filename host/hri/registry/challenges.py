"""Challenges: 32 random bytes, bound to what they are for, good once and not for long."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from hri.registry.database import Database, to_micros
from hri.registry.records import ChallengeVerdict
from hri.registry.schema import challenge

CHALLENGE_BYTES = 32
# Spent challenges are kept this long, so that a replay is called a replay and not merely unknown.
_KEPT = timedelta(days=30)


class Challenges(Database):
    """The table of challenges."""

    def new_challenge(
        self,
        purpose: str,
        device_id: str,
        verifier: str,
        *,
        now: datetime,
        ttl: timedelta,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> bytes:
        """Record and return a new challenge; it is good until `now` + `ttl`, exclusively."""
        value = random(CHALLENGE_BYTES)
        row = {
            "challenge": value,
            "purpose": purpose,
            "device_id": device_id,
            "verifier": verifier,
            "created_at": to_micros(now),
            "expires_at": to_micros(now + ttl),
        }
        with self._write() as connection:
            connection.execute(delete(challenge).where(challenge.c.expires_at < to_micros(now - _KEPT)))
            connection.execute(insert(challenge).values(row))
        return value

    def consume_challenge(
        self, value: bytes, purpose: str, device_id: str, verifier: str, *, now: datetime
    ) -> ChallengeVerdict:
        """Spend a challenge: OK to exactly one caller, whichever process or thread it is in.

        An attempt that does not fit (another device, verifier or purpose) leaves the challenge as it is, so
        that a stranger cannot spend somebody else's.
        """
        moment = to_micros(now)
        spend = (
            update(challenge)
            .where(
                challenge.c.challenge == value,
                challenge.c.purpose == purpose,
                challenge.c.device_id == device_id,
                challenge.c.verifier == verifier,
                challenge.c.used_at.is_(None),
                challenge.c.expires_at > moment,
            )
            .values(used_at=moment)
        )
        with self._write() as connection:
            if connection.execute(spend).rowcount == 1:
                return ChallengeVerdict.OK
            row = connection.execute(select(challenge).where(challenge.c.challenge == value)).first()
        if row is None:
            return ChallengeVerdict.UNKNOWN
        if row.used_at is not None:
            return ChallengeVerdict.USED
        if row.expires_at <= moment:
            return ChallengeVerdict.EXPIRED
        if row.purpose != purpose:
            return ChallengeVerdict.WRONG_PURPOSE
        if row.device_id != device_id:
            return ChallengeVerdict.WRONG_DEVICE
        return ChallengeVerdict.WRONG_VERIFIER
