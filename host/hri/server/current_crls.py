"""The revocation lists in force, remembered for a few seconds, so that another process's revocation shows."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta
from pathlib import Path

from hri.ca import crl
from hri.context import Context
from hri.errors import ConfigurationError
from hri.publication import publish_crls
from hri.registry import PublishedCrl

FRESH = timedelta(seconds=5)
"""How old what is handed out may be; a revocation in this very process shows at once."""

_FULL = crl.FILE_NAME.removesuffix(".crl")
_SHARD = re.compile(rf"{_FULL}-(0|[1-9][0-9]{{0,3}})-of-([1-9][0-9]{{0,3}})")


class CurrentCrls:
    """One issuing CA's lists: the full one, and the shards that its certificates point to.

    They are read from the database, which has the newest of each; `folder` gets copies of what is signed.
    """

    def __init__(self, context: Context, folder: Path) -> None:
        self._context = context
        self._folder = folder
        self._lock = threading.Lock()
        # Only lists that there are come in here, so strangers cannot make it grow.
        self._known: dict[str, tuple[datetime, PublishedCrl]] = {}

    def get(self, name: str) -> PublishedCrl:
        """Return the list of a name, the stem of its file; signed now where there is none in force.

        Raises ConfigurationError `not-found`, StorageError.
        """
        now = self._context.now()
        with self._lock:
            known = self._known.get(name)
            if known is None or not timedelta() <= now - known[0] < FRESH or now >= known[1].next_update:
                self._known.pop(name, None)
                known = self._known[name] = now, self._newest(name, now)
            return known[1]

    def forget(self) -> None:
        """Look anew next time."""
        with self._lock:
            self._known.clear()

    def _newest(self, name: str, now: datetime) -> PublishedCrl:
        if self._context.enroller is not None:
            raise ConfigurationError(
                "not-found",
                "revocation lists are the external authority's",
                "fetch them from the address that the certificates name",
            )
        if not self._is_in_use(name, now):
            raise ConfigurationError(
                "not-found", "there is no such revocation list", f"fetch /crl/{crl.FILE_NAME}"
            )
        registry, issuer = self._context.registry, self._context.authority.key_identifier
        newest = registry.published_crl(issuer, name)
        if newest is None or now >= newest.next_update:
            publish_crls(self._context, self._folder, only_due=True)
            newest = registry.published_crl(issuer, name)
        if newest is None:
            raise TypeError("a list that was due was published")
        return newest

    def _is_in_use(self, name: str, now: datetime) -> bool:
        if name == _FULL:
            return True
        found = _SHARD.fullmatch(name)
        if found is None:
            return False
        number, count = map(int, found.groups())
        divisions = self._context.registry.shards_in_use(self._context.authority.key_identifier, now)
        return number < count and any(known.count == count for known in divisions)
