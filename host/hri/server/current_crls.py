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

_SHARD = re.compile(r"(.+)-(0|[1-9][0-9]{0,3})-of-([1-9][0-9]{0,3})")


class CurrentCrls:
    """The lists of every issuing CA: the full one, and the shards that its certificates point to.

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
        issuer = self._issuer_of(name, now)
        if issuer is None:
            raise ConfigurationError(
                "not-found", "there is no such revocation list", f"fetch /crl/{crl.FILE_NAME}"
            )
        registry = self._context.registry
        newest = registry.published_crl(issuer, name)
        if newest is None or now >= newest.next_update:
            publish_crls(self._context, self._folder, only_due=True)
            newest = registry.published_crl(issuer, name)
        if newest is None:
            raise TypeError("a list that was due was published")
        return newest

    def _issuer_of(self, name: str, now: datetime) -> str | None:
        """Return the key identifier of the CA whose list has this name, None where there is none."""
        cas = {stem: authority.key_identifier for stem, authority in self._context.publishing()}
        if name in cas:
            return cas[name]
        found = _SHARD.fullmatch(name)
        issuer = None if found is None else cas.get(found[1])
        if found is None or issuer is None:
            return None
        number, count = int(found[2]), int(found[3])
        divisions = self._context.registry.shards_in_use(issuer, now)
        return issuer if number < count and any(known.count == count for known in divisions) else None
