"""Publishing the revocation list."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import structlog

from hri.ca.authority import Authority
from hri.ca.files import disk_errors, write_atomically
from hri.registry import Registry
from hri.registry.folder_lock import exclusive

FILE_NAME = "issuing.crl"
LIFETIME = timedelta(days=7)
_log = structlog.get_logger(__name__)


def publish(
    authority: Authority,
    registry: Registry,
    folder: Path,
    *,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> bytes:
    """Sign the present revocation list, write it to `folder`/issuing.crl (DER) and return it.

    Two publishers take turns, so that the file never goes back to an older list.

    Raises StorageError, ConfigurationError.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with disk_errors(folder), exclusive(folder, "publishing a revocation list"):
        # The number first: a crash after it leaves a gap, which RFC 5280 section 5.2.3 allows.
        number = registry.next_crl_number()
        revoked = registry.revoked(unexpired_at=now)
        der = authority.crl(revoked, number=number, now=now, next_update=now + lifetime)
        write_atomically(folder / FILE_NAME, der)
    _log.info("revocation list published", number=number, entries=len(revoked))
    return der
