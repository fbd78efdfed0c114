"""The revocation list in force, remembered for a few seconds, so that another process's revocation shows."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from hri.ca import crl
from hri.context import Context
from hri.errors import ConfigurationError
from hri.publication import publish_crls

FRESH = timedelta(seconds=5)
"""How old what is handed out may be; a revocation in this very process shows at once."""


class CurrentCrl:
    """One issuing CA's list, as it is published in `folder`."""

    def __init__(self, context: Context, folder: Path) -> None:
        self._context = context
        self._folder = folder
        self._lock = threading.Lock()
        self._known: tuple[datetime, bytes] | None = None

    def get(self) -> bytes:
        """Return the list (DER), made anew where the published one no longer says what the registry says.

        Raises StorageError, ConfigurationError.
        """
        with self._lock:
            now = self._context.now()
            if self._known is not None and timedelta() <= now - self._known[0] < FRESH:
                return self._known[1]
            if self._context.enroller is not None:
                raise ConfigurationError(
                    "not-found",
                    "the revocation list is the external authority's",
                    "fetch it from the address that the certificates name",
                )
            authority, registry = self._context.authority, self._context.registry
            path = self._folder / crl.FILE_NAME
            found = crl.published(authority, registry, path, now=now)
            if found is None:
                publish_crls(self._context, self._folder)
                der = crl.newest_full(authority, registry).der
            else:
                der = found.public_bytes(Encoding.DER)
            self._known = now, der
            return der

    def forget(self) -> None:
        """Look anew next time."""
        with self._lock:
            self._known = None
