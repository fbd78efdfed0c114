"""Can this process do its work? Asked of the database and of the CA's key themselves, not of memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hri.context import Context
from hri.errors import HriError

_KEY_FRESH = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Check:
    """What became of one part: `error` is None where it works."""

    name: str
    error: HriError | None


class Readiness:
    """The checks behind /healthz. The key's answer counts for 10 s: an HSM has better things to do."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._key: tuple[datetime, Check] | None = None

    def checks(self) -> tuple[Check, ...]:
        """Return the state of each part."""
        return _check("database", self._context.registry.log_head), self._key_check()

    def _key_check(self) -> Check:
        with self._lock:
            now = self._context.now()
            if self._key is None or not timedelta() <= now - self._key[0] < _KEY_FRESH:
                self._key = now, _check("ca-key", self._sign)
            return self._key[1]

    def _sign(self) -> None:
        if self._context.enroller is not None:
            # The key is elsewhere, and whoever wants a certificate will hear of it.
            return
        now = self._context.now()
        # The least that the authority signs: an empty list that is over when it begins, and goes nowhere.
        self._context.authority.crl((), number=0, now=now, next_update=now)


def _check(name: str, work: Callable[[], object]) -> Check:
    try:
        work()
    except HriError as error:
        return Check(name, error)
    return Check(name, None)
